/**
 * The fixture on Coven's own transport, at a port of the loopback that it prints. Which Host a request names is looked at
 * here, as the loopback listener does; a socket has no name that a page could be made to think is its own.
 */
import { createServer } from "node:http";
import { createMcpHandler } from "../../src/mcp/http.ts";
import { createFixtureServer } from "./fixture.ts";

const mcp = createMcpHandler({
  newServer: createFixtureServer,
  trouble: (error) => console.error(`conformance fixture: ${error.message}`),
});

const server = createServer((request, response) => {
  if (request.url !== "/mcp") response.writeHead(404).end();
  else if (!/^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/.test(request.headers.host ?? ""))
    response.writeHead(403).end();
  else void mcp.handle(request, response, { kind: "owner" });
});

server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object" && address !== null) console.log(`http://127.0.0.1:${address.port}/mcp`);
});

// Whoever started it holds its input open, and need not end it by force.
process.stdin.resume().once("end", () => {
  void mcp.close().then(() => {
    server.close();
    server.closeAllConnections();
  });
});
