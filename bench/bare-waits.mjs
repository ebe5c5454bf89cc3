// The least that lets callers wait: answers every POST it holds when a GET comes. node bare-waits.mjs SOCKET BODY-BYTES
import { createServer } from "node:http";

const [socket, bytes] = process.argv.slice(2);
const body = JSON.stringify({ outcome: "met", text: "x".repeat(Number(bytes) - 27) });
const waiting = [];
createServer((request, response) => {
  if (request.method === "POST") {
    request.resume();
    waiting.push(response);
    return;
  }
  for (const each of [response, ...waiting.splice(0)]) {
    each.writeHead(200, { "content-type": "application/json", "content-length": body.length });
    each.end(body);
  }
}).listen(socket, () => console.log("ready"));
