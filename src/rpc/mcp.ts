/** `/mcp`: the requests of MCP clients are handed on as they come, body and all; what they mean is not known here. */
import type { FastifyInstance } from "fastify";
import { tokenOf } from "./request.ts";
import type { Services } from "./services.ts";

export async function addMcp(app: FastifyInstance, { identify, mcp }: Services): Promise<void> {
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, _body, done) => done(null));
    scope.route({
      method: ["GET", "POST", "DELETE"],
      url: "/mcp",
      handler: async (request, reply) => {
        const identity = identify(tokenOf(request.headers));
        reply.hijack();
        await mcp.handle(request.raw, reply.raw, identity);
        return reply;
      },
    });
  });
  // Before the server begins to wait for its connections: clients are told the end of their streams.
  app.addHook("preClose", () => mcp.close());
}
