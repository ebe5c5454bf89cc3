// The least that answers HTTP on a Unix socket: node bare-server.mjs SOCKET BODY-BYTES
import { createServer } from "node:http";

const [socket, bytes] = process.argv.slice(2);
const body = JSON.stringify({ text: "x".repeat(Number(bytes) - 11) });
createServer((_, response) => {
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
  response.end(body);
}).listen(socket, () => console.log("ready"));
