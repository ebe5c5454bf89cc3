/** A server with everything that the conformance suite asks for by name. It exists for the suite alone. */
/* eslint-disable @typescript-eslint/no-deprecated -- the lower server, as Coven's own */
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import {
  CallToolRequestSchema,
  CompleteRequestSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListResourcesRequestSchema,
  ListToolsRequestSchema,
  type PromptMessage,
  ReadResourceRequestSchema,
  SetLevelRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { invalidParams } from "../../src/mcp/protocol-error.ts";
import { image, png, tools } from "./tools.ts";

export function createFixtureServer(): Server {
  const server = new Server(
    { name: "conformance-fixture", version: "1.0.0" },
    {
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        prompts: { listChanged: true },
        completions: {},
        logging: {},
      },
    },
  );
  addTools(server);
  addResources(server);
  addPrompts(server);
  server.setRequestHandler(CompleteRequestSchema, async () => ({
    completion: { values: [], total: 0, hasMore: false },
  }));
  server.setRequestHandler(SetLevelRequestSchema, async () => ({}));
  return server;
}

function addTools(server: Server): void {
  server.setRequestHandler(ListToolsRequestSchema, async () => ({
    tools: [...tools].map(([name, { inputSchema }]) => ({ name, description: `For ${name}.`, inputSchema })),
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const tool = tools.get(params.name);
    if (tool === undefined) throw invalidParams(`unknown tool ${params.name}`);
    try {
      return { content: await tool.call(params.arguments ?? {}, extra) };
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      return { content: [{ type: "text", text }], isError: true };
    }
  });
}

const resources = [
  { uri: "test://static-text", name: "static-text", mimeType: "text/plain", text: "always the same" },
  { uri: "test://static-binary", name: "static-binary", mimeType: "image/png", blob: png },
  { uri: "test://watched-resource", name: "watched-resource", mimeType: "text/plain", text: "subscribed to" },
];

function addResources(server: Server): void {
  server.setRequestHandler(ListResourcesRequestSchema, async () => ({
    resources: resources.map(({ uri, name, mimeType }) => ({ uri, name, mimeType })),
  }));
  server.setRequestHandler(ListResourceTemplatesRequestSchema, async () => ({
    resourceTemplates: [
      { uriTemplate: "test://template/{id}/data", name: "template", mimeType: "application/json" },
    ],
  }));
  server.setRequestHandler(ReadResourceRequestSchema, async ({ params: { uri } }) => {
    const found = resources.find((resource) => resource.uri === uri);
    if (found?.text !== undefined) return { contents: [{ uri, mimeType: found.mimeType, text: found.text }] };
    if (found?.blob !== undefined) return { contents: [{ uri, mimeType: found.mimeType, blob: found.blob }] };
    const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
    if (id === undefined)
      throw Object.assign(new Error(`no resource ${uri}`), { code: -32002, data: { uri } });
    return {
      contents: [{ uri, mimeType: "application/json", text: JSON.stringify({ id, data: `of ${id}` }) }],
    };
  });
  server.setRequestHandler(SubscribeRequestSchema, async () => ({}));
  server.setRequestHandler(UnsubscribeRequestSchema, async () => ({}));
}

interface FixturePrompt {
  readonly takes: readonly string[];
  readonly messages: (given: Readonly<Record<string, string>>) => PromptMessage[];
}

const said = (text: string): PromptMessage => ({ role: "user", content: { type: "text", text } });

const prompts = new Map<string, FixturePrompt>([
  ["test_simple_prompt", { takes: [], messages: () => [said("a prompt without arguments")] }],
  [
    "test_prompt_with_arguments",
    { takes: ["arg1", "arg2"], messages: (given) => [said(`given ${JSON.stringify(given)}`)] },
  ],
  [
    "test_prompt_with_embedded_resource",
    {
      takes: ["resourceUri"],
      messages: ({ resourceUri: uri = "" }) => [
        {
          role: "user",
          content: { type: "resource", resource: { uri, mimeType: "text/plain", text: "embedded" } },
        },
        said("read what is embedded"),
      ],
    },
  ],
  [
    "test_prompt_with_image",
    { takes: [], messages: () => [{ role: "user", content: image }, said("look at it")] },
  ],
]);

function addPrompts(server: Server): void {
  server.setRequestHandler(ListPromptsRequestSchema, async () => ({
    prompts: [...prompts].map(([name, { takes }]) => ({
      name,
      description: `For ${name}.`,
      arguments: takes.map((argument) => ({ name: argument, required: true })),
    })),
  }));
  server.setRequestHandler(GetPromptRequestSchema, async ({ params: { name, arguments: given = {} } }) => {
    const prompt = prompts.get(name);
    const missing = prompt?.takes.filter((argument) => !Object.hasOwn(given, argument));
    if (prompt === undefined || missing === undefined) throw invalidParams(`unknown prompt ${name}`);
    if (missing.length > 0) throw invalidParams(`${name} needs ${missing.join(", ")}`);
    return { messages: prompt.messages(given) };
  });
}
