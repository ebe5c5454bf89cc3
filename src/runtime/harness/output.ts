import type { TypedEvent } from "../../events.ts";
import { createClaudeParser } from "./claude-output.ts";
import { createCodexParser } from "./codex-output.ts";
import type { OutputFormat } from "./harness.ts";

/**
 * Reads what one harness process prints, one call per line, without its line end. A parser never throws: a line it
 * does not know gives nothing, because the raw output is in the log anyway. It remembers only what one turn needs.
 */
export interface OutputParser {
  /** A line of standard output. */
  readonly line: (text: string) => TypedEvent[];
  /** A line of standard error. It gives no events; what Codex was refused is told there only and joins the result. */
  readonly errorLine: (text: string) => void;
}

export const createOutputParser = (format: OutputFormat): OutputParser => {
  switch (format) {
    case "claude":
      return createClaudeParser();
    case "codex":
      return createCodexParser();
  }
};
