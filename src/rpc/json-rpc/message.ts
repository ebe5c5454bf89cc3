/**
 * What a client says, read before the library sees it, which lets through what the specification does not: an id that is
 * an object, params that are a text, a method that is a number.
 */
import {
  type JSONRPCID,
  type JSONRPCRequest,
  JSONRPCErrorCode,
  createJSONRPCErrorResponse,
} from "json-rpc-2.0";
import type { JSONRPCErrorResponse } from "json-rpc-2.0";
import * as z from "zod";
import { fault } from "./error.ts";

/** Most requests in one batch: all of them run at once, and their answers are one text. */
const batchRequestsMax = 64;

/** One request, or what is answered instead. */
export type Member = JSONRPCRequest | JSONRPCErrorResponse;

export interface Message {
  /** Its answers are a list, even where there is only one. */
  readonly isBatch: boolean;
  readonly members: readonly Member[];
}

export function readMessage(text: string): Message {
  const value = parsed(text);
  if (value.why !== undefined) return alone(refusal(null, JSONRPCErrorCode.ParseError, value.why));
  if (!Array.isArray(value.json)) return alone(readMember(value.json));
  const members: readonly unknown[] = value.json;
  if (members.length === 0) return alone(invalid(null, "the batch is empty"));
  if (members.length > batchRequestsMax) {
    const details = { requests: members.length, requestsMax: batchRequestsMax };
    const why = `the batch has ${members.length} requests; the most is ${batchRequestsMax}`;
    return alone(invalid(null, why, { hint: "Send several batches. None of this one was done.", details }));
  }
  return { isBatch: true, members: members.map(readMember) };
}

/** For a message that is no text: there is no request in it to be answered. */
export const refusal = (id: JSONRPCID, ...said: Parameters<typeof fault>): Member => {
  const wrong = fault(...said);
  return createJSONRPCErrorResponse(id, wrong.code, wrong.message, wrong.data);
};

export const invalid = (
  id: JSONRPCID,
  why: string,
  more?: { readonly hint: string; readonly details?: Readonly<Record<string, unknown>> },
): Member => refusal(id, JSONRPCErrorCode.InvalidRequest, why, more ?? { hint: form });

const form =
  'Send {"jsonrpc": "2.0", "method": name, "params": {…}, "id": text or number}; without an id nothing is answered.';

const alone = (member: Member): Message => ({ isBatch: false, members: [member] });

/** A number that is not exact any more could not be given back as it was sent. */
const isExact = (id: number): boolean => !Number.isInteger(id) || Number.isSafeInteger(id);

const idSchema = z.union(
  [z.string(), z.number().refine(isExact), z.null()],
  "id must be a text, a number below 2^53, or null",
);

const requestSchema = z.object({
  jsonrpc: z.literal("2.0", 'jsonrpc must be "2.0"'),
  method: z.string("method must be a text"),
  // Looked at and left as it is: a copy would lose names such as __proto__, and with them their refusal.
  params: z
    .unknown()
    .refine((params) => typeof params === "object" && params !== null, "params must be an object or a list")
    .optional(),
  id: idSchema.optional(),
});

function readMember(value: unknown): Member {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return invalid(null, "a request is an object");
  const read = requestSchema.safeParse(value);
  if (!read.success) {
    const id = "id" in value ? idSchema.safeParse(value.id).data : undefined;
    return invalid(id ?? null, read.error.issues.map(({ message }) => message).join("; "));
  }
  const { jsonrpc, method, params, id } = read.data;
  return {
    jsonrpc,
    method,
    ...(params === undefined ? {} : { params }),
    ...(id === undefined ? {} : { id }),
  };
}

function parsed(text: string): { readonly json: unknown; readonly why?: never } | { readonly why: string } {
  try {
    return { json: JSON.parse(text) };
  } catch (error) {
    return { why: `not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
}
