/** The tools that the conformance suite calls by name. */
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js";
import {
  type ContentBlock,
  CreateMessageResultSchema,
  ElicitResultSchema,
  type ServerNotification,
  type ServerRequest,
} from "@modelcontextprotocol/sdk/types.js";
import { type Form, choices, named, schema2020, withDefaults } from "./forms.ts";

export type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

export interface FixtureTool {
  readonly inputSchema: { type: "object"; [key: string]: unknown };
  readonly call: (given: Readonly<Record<string, unknown>>, extra: Extra) => Promise<ContentBlock[]>;
}

/** One transparent pixel, and a sound of no length. */
export const png =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
const wav = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";

export const image = { type: "image", data: png, mimeType: "image/png" } as const;
const text = (said: string): ContentBlock => ({ type: "text", text: said });
const embedded = (uri: string, mimeType: string, content: string): ContentBlock => ({
  type: "resource",
  resource: { uri, mimeType, text: content },
});

const answers = (...content: ContentBlock[]): FixtureTool => ({
  inputSchema: { type: "object" },
  call: async () => content,
});
const does = (call: FixtureTool["call"]): FixtureTool => ({ inputSchema: { type: "object" }, call });
const takes = (name: string, call: FixtureTool["call"]): FixtureTool => ({
  inputSchema: { type: "object", properties: { [name]: { type: "string" } }, required: [name] },
  call,
});

const ask = async (
  message: string,
  requestedSchema: Form,
  { sendRequest }: Extra,
): Promise<ContentBlock[]> => {
  const request = { method: "elicitation/create", params: { message, requestedSchema } } as const;
  const { action, content = {} } = await sendRequest(request, ElicitResultSchema);
  return [text(`the user answered: action=${action}, content=${JSON.stringify(content)}`)];
};

async function sample(prompt: string, { sendRequest }: Extra): Promise<ContentBlock[]> {
  const messages = [{ role: "user" as const, content: { type: "text" as const, text: prompt } }];
  const request = { method: "sampling/createMessage", params: { messages, maxTokens: 100 } } as const;
  const { content } = await sendRequest(request, CreateMessageResultSchema);
  return [text(`LLM response: ${content.type === "text" ? content.text : `of type ${content.type}`}`)];
}

async function log({ sendNotification }: Extra): Promise<ContentBlock[]> {
  for (const data of ["started", "still at it", "about to end"])
    await sendNotification({ method: "notifications/message", params: { level: "info", data } });
  return [text("logged three times")];
}

async function progress({ sendNotification, _meta }: Extra): Promise<ContentBlock[]> {
  const progressToken = _meta?.progressToken;
  if (progressToken !== undefined) {
    for (const done of [0, 50, 100])
      await sendNotification({
        method: "notifications/progress",
        params: { progressToken, progress: done, total: 100 },
      });
  }
  return [text("done")];
}

export const tools: ReadonlyMap<string, FixtureTool> = new Map([
  ["test_simple_text", answers(text("plain text, for the suite"))],
  ["test_image_content", answers(image)],
  ["test_audio_content", answers({ type: "audio", data: wav, mimeType: "audio/wav" })],
  ["test_embedded_resource", answers(embedded("test://embedded-resource", "text/plain", "what it holds"))],
  [
    "test_multiple_content_types",
    answers(
      text("three kinds of content:"),
      image,
      embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ),
  ],
  ["test_tool_with_logging", does((_, extra) => log(extra))],
  ["test_tool_with_progress", does((_, extra) => progress(extra))],
  ["test_error_handling", does(() => Promise.reject(new Error("it failed, as the suite wants")))],
  [
    "test_reconnection",
    does(async (_, { closeSSEStream }) => {
      closeSSEStream?.();
      return [text("for whoever came back")];
    }),
  ],
  ["test_sampling", takes("prompt", ({ prompt }, extra) => sample(String(prompt), extra))],
  ["test_elicitation", takes("message", ({ message }, extra) => ask(String(message), named, extra))],
  ["test_elicitation_sep1034_defaults", does((_, extra) => ask("Look through these", withDefaults, extra))],
  ["test_elicitation_sep1330_enums", does((_, extra) => ask("Choose", choices, extra))],
  ["json_schema_2020_12_tool", { ...answers(text("as given")), inputSchema: schema2020 }],
]);
