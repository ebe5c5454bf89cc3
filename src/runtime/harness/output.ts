import { createClaudeParser } from "./claude-output.ts";
import { createCodexParser } from "./codex-output.ts";
import type { OutputFormat, OutputParser } from "./harness.ts";

export const createOutputParser = (format: OutputFormat): OutputParser => {
  switch (format) {
    case "claude":
      return createClaudeParser();
    case "codex":
      return createCodexParser();
  }
};
