/** Errors of the protocol, for what no tool can answer. */

import { shown, shownWithin } from "../errors.ts";

/** An error with a code is answered as it is. */
export const protocolError = (code: number, message: string, data?: unknown): Error =>
  Object.assign(new Error(shown(message)), {
    code,
    ...(data === undefined ? {} : { data: shownWithin(data) }),
  });

export const invalidParams = (message: string, data?: unknown): Error => protocolError(-32602, message, data);
