/** What came back from a daemon: its answer, its failure, or why there is none. */
import type { IncomingMessage } from "node:http";
import * as z from "zod";
import { contract } from "../capabilities/health.ts";
import { Failure, isFailureCode } from "../errors.ts";
import { type Endpoint, endpointName } from "./endpoint.ts";

export async function jsonOf(response: IncomingMessage, endpoint: Endpoint): Promise<unknown> {
  if ((response.statusCode ?? 500) >= 400) throw await failureOf(response, endpoint);
  const text = await textOf(response, endpoint);
  const body = parseOrUndefined(text);
  if (body !== undefined) return body;
  throw foreign(endpoint, `what is no JSON: ${text.slice(0, 200)}`);
}

const failureBody = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    hint: z.string().optional(),
    details: z.record(z.string(), z.unknown()).optional(),
  }),
});

export async function failureOf(response: IncomingMessage, endpoint: Endpoint): Promise<Failure> {
  const text = await textOf(response, endpoint);
  const body = failureBody.safeParse(parseOrUndefined(text));
  if (!body.success) return foreign(endpoint, `${response.statusCode ?? 0}: ${text.slice(0, 200)}`);
  const { code, message, hint, details } = body.data.error;
  return new Failure(isFailureCode(code) ? code : "internal_error", message, {
    ...(hint === undefined ? {} : { hint }),
    ...(details === undefined ? {} : { details }),
  });
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not ours; the caller shows the text
  }
}

async function textOf(response: IncomingMessage, endpoint: Endpoint): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of reachable(response, endpoint)) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

/** A response that breaks off is a daemon that went away, and no other error. */
export async function* reachable(response: IncomingMessage, endpoint: Endpoint): AsyncGenerator {
  try {
    for await (const chunk of response) yield chunk;
  } catch (error) {
    throw unreachable(endpoint, error instanceof Error ? error : new Error(String(error)));
  }
}

/** Whether the failure says that there is no daemon, in contrast to one that does not answer. */
export const isNotListening = (error: unknown): boolean =>
  error instanceof Failure && error.code === "runtime_unavailable" && error.details?.["isGone"] === true;

/** Whether the failure says that this process was not let out, whoever listens there. */
export const isForbidden = (error: unknown): error is Failure =>
  error instanceof Failure && error.code === "runtime_unavailable" && error.details?.["isForbidden"] === true;

export function unreachable(endpoint: Endpoint, cause: Error): Failure {
  const code = "code" in cause ? String(cause.code) : "";
  const isGone = ["ENOENT", "ENOTDIR", "ECONNREFUSED"].includes(code);
  const isForbidden = ["EPERM", "EACCES"].includes(code);
  const isLate = cause.cause instanceof DOMException && cause.cause.name === "TimeoutError";
  const why = isGone ? "no daemon is listening there" : isLate ? "it does not answer" : cause.message;
  return new Failure("runtime_unavailable", `cannot reach ${endpointName(endpoint)}: ${why}`, {
    hint: "Start it with coven daemon start; coven doctor says what is wrong.",
    details: { endpoint: endpointName(endpoint), isGone, ...(isForbidden ? { isForbidden } : {}) },
    cause,
  });
}

/** Whatever a daemon of ours answers is JSON. */
const foreign = (endpoint: Endpoint, answered: string): Failure =>
  new Failure("foreign_daemon", `another program serves ${endpointName(endpoint)}: it answered ${answered}`, {
    hint: "Stop it, or set COVEN_HOME to another folder. It was left alone.",
    details: { endpoint: endpointName(endpoint) },
  });

/** Throws `unsupported_api_version` for a daemon of another contract, `foreign_daemon` for what is no daemon. */
const spoken = z.object({ apiVersion: z.string() });

export function requireContract(answer: unknown, endpoint: Endpoint): void {
  const said = spoken.safeParse(answer).data?.apiVersion;
  if (said === contract) return;
  if (said === undefined) {
    throw new Failure(
      "foreign_daemon",
      `what serves ${endpointName(endpoint)} does not say that it is Coven`,
      {
        hint: "Another program has taken the address. Stop it, or set COVEN_HOME to another folder.",
      },
    );
  }
  throw new Failure(
    "unsupported_api_version",
    `the daemon at ${endpointName(endpoint)} speaks ${said}, and this program ${contract}`,
    {
      hint: "Install both of the same release. Stop the daemon with the release that started it.",
      details: { apiVersion: said, supportedApiVersions: [contract] },
    },
  );
}
