/** A published launch body as the flat arguments of `run`. */
import type { FastifyRequest } from "fastify";
import * as z from "zod";
import { run } from "../capabilities/run.ts";
import { Failure } from "../errors.ts";
import { jsonObject, knownOnly, withoutNulls } from "./request.ts";

/** The one policy there is: a Codex that asks nobody and writes only where it was told. */
const launchPolicy = z.strictObject({
  approval: z.literal("never"),
  sandbox: z.literal("workspace-write"),
  addDirs: z.array(z.string().min(1)).default([]),
});

const conversation = z.object({ mode: z.enum(["init", "resume"]), id: z.string().trim().min(1) });

/** What the route takes: the arguments of `run`, with a terminal as the default, and the two published records. */
export const launchBody = run.input.omit({ lanes: true }).extend({
  harness: run.input.shape.harness.unwrap(),
  prompt: run.input.shape.prompt.unwrap(),
  launchMode: run.input.shape.launchMode.unwrap().default("interactive"),
  launchPolicy: launchPolicy.optional(),
  conversation: conversation.optional(),
});

/** Clients send these blank as well as not at all. */
const optionalTexts: ReadonlySet<string> = new Set([
  "title",
  "model",
  "conversationId",
  "familiarId",
  "callerFamiliarId",
]);

export function launchArguments(request: FastifyRequest): Record<string, unknown> {
  const {
    launchPolicy: policy,
    conversation: harness,
    ...flat
  } = knownOnly(withoutNulls(jsonObject(request)), launchBody.shape);
  const given = Object.entries(flat).flatMap<[string, unknown]>(([name, value]) =>
    optionalTexts.has(name) && typeof value === "string" ? trimmed(name, value) : [[name, value]],
  );
  // The published default is a terminal; our action's own is a lane that ends by itself.
  const launch: Record<string, unknown> = { launchMode: "interactive", ...Object.fromEntries(given) };
  return {
    ...launch,
    ...(policy === undefined ? {} : policyArguments(policy, launch)),
    ...(harness === undefined ? {} : conversationArguments(harness)),
  };
}

const trimmed = (name: string, text: string): [string, string][] =>
  text.trim() === "" ? [] : [[name, text.trim()]];

function policyArguments(value: unknown, launch: Record<string, unknown>): Record<string, unknown> {
  const { addDirs } = checked("launchPolicy", launchPolicy, value);
  const { harness, launchMode, permission, addDirs: others } = launch;
  if (harness !== "codex" || launchMode !== "nonInteractive") {
    throw refused("launchPolicy", "it is for nonInteractive launches of codex only", { harness, launchMode });
  }
  if (permission !== undefined || others !== undefined) {
    throw refused("launchPolicy", "permission and addDirs say the same, and one of both is enough", {});
  }
  return { permission: "workspace-write", addDirs };
}

function conversationArguments(value: unknown): Record<string, unknown> {
  const { mode, id } = checked("conversation", conversation, value);
  return { harnessSessionId: id, resume: mode === "resume" };
}

function checked<T extends z.ZodType>(name: string, schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.map(({ path, message }) => [...path, message].join(": "));
  throw refused(name, wrong.join("; "), { [name]: value });
}

const refused = (name: string, why: string, details: Readonly<Record<string, unknown>>): Failure =>
  new Failure("invalid_request", `${name} is not accepted: ${why}`, { details });
