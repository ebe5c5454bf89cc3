/** Text that is piped into a verb, whole. */
import { Failure } from "../errors.ts";

export interface Reader {
  readonly verb: string;
  /** What is said where standard input is a terminal. */
  readonly missing: string;
  readonly hint: string;
}

/** Throws unless it is text, and some. */
export async function standardInput({ verb, missing, hint }: Reader): Promise<string> {
  if (process.stdin.isTTY) throw new Failure("invalid_request", `${verb}: ${missing}`, { hint });
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin)
    chunks.push(Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk)));
  const bytes = Buffer.concat(chunks);
  if (bytes.length === 0) throw new Failure("invalid_request", `${verb}: standard input is empty`, { hint });
  const text = bytes.toString("utf8");
  if (Buffer.from(text).equals(bytes)) return text;
  throw new Failure("invalid_request", `${verb}: standard input is no UTF-8 text`, {
    hint: "Sessions take text; coven input sends other keys by name with --key.",
  });
}
