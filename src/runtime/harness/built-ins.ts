import { claude } from "./claude.ts";
import { codex } from "./codex.ts";
import type { Harness } from "./harness.ts";

export const builtIns: readonly Harness[] = [codex, claude];
