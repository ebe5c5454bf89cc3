/**
 * A failure as a JSON-RPC error. Clients branch on `data.code`, which is the code of the failure on every surface. The
 * number is the specification's where the specification has one, else the failure's HTTP status, which lies outside of
 * what is reserved.
 */
import { randomBytes } from "node:crypto";
import {
  type JSONRPCError,
  JSONRPCErrorCode,
  JSONRPCErrorException,
  type JSONRPCErrorResponse,
  type JSONRPCID,
  createJSONRPCErrorResponse,
} from "json-rpc-2.0";
import { Failure, type FailureCode, type FailureOptions, failures } from "../../errors.ts";
import type { Log } from "../../log.ts";

type Said = Pick<FailureOptions, "hint" | "details">;

/** Faults against the protocol: the message is the specification's own, what is wrong stands in `data`. */
const faults = {
  [JSONRPCErrorCode.ParseError]: { message: "Parse error", code: "invalid_request" },
  [JSONRPCErrorCode.InvalidRequest]: { message: "Invalid Request", code: "invalid_request" },
  [JSONRPCErrorCode.MethodNotFound]: { message: "Method not found", code: "unknown_action" },
} as const;

export function fault(code: keyof typeof faults, why: string, said: Said = {}): JSONRPCErrorException {
  const { message, code: name } = faults[code];
  return new JSONRPCErrorException(message, code, { code: name, message: why, ...said });
}

/** The code of the answer to a call that its caller did not want any more; as no other surface can say that, it is no failure. */
const cancelledCode = 499;

export const cancelled = (): JSONRPCErrorException =>
  new JSONRPCErrorException("the call was cancelled", cancelledCode, {
    code: "cancelled",
    hint: "Call again; a watch goes on from the cursor that it was called with.",
  });

/** Too much at once on one connection. */
export const tooMany = (what: string, most: number, hint: string): Failure =>
  new Failure("limit_exceeded", `${most} ${what} on one connection are the most`, {
    hint,
    details: { limit: most },
  });

export const errorNumber = (code: FailureCode): number =>
  code === "invalid_request"
    ? JSONRPCErrorCode.InvalidParams
    : code === "internal_error"
      ? JSONRPCErrorCode.InternalError
      : failures[code].http;

export function errorAnswer(id: JSONRPCID, error: unknown, log: Log): JSONRPCErrorResponse {
  const encoded = encodeError(error, log);
  return createJSONRPCErrorResponse(id, encoded.code, encoded.message, encoded.data);
}

/** What was thrown, as it is told. What is no failure is a bug: logged, and told by a reference only. */
export function encodeError(error: unknown, log: Log): JSONRPCError {
  if (error instanceof JSONRPCErrorException) return error.toObject();
  if (error instanceof Failure) {
    const { code, message, hint, details } = error;
    return { code: errorNumber(code), message, data: { code, hint, details } };
  }
  const reference = randomBytes(6).toString("hex");
  log.error({ err: error, reference }, "a JSON-RPC call failed unexpectedly");
  return encodeError(
    new Failure("internal_error", `something went wrong inside Coven (reference ${reference})`, {
      hint: "Look for the reference in the daemon's log: coven logs.",
      details: { reference },
    }),
    log,
  );
}
