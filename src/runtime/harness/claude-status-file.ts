/**
 * The file in which a process of Claude Code says what it does, for its own listing of agents: `idle`, `busy`, `shell`,
 * or `waiting` with `waitingFor`. Measured with 2.1.197: it changes within 50 ms of the screen, also where no hook
 * tells (a prompt that is answered, an interrupted turn), and is gone with the process; before the first composer it
 * has no status. It is an internal file, so it is one sign among others.
 */
import { homedir } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import type { ActivitySign } from "./activity-sign.ts";

/** Where the process of that id has it, when it runs with these variables. */
export function claudeStatusFile(env: Readonly<Record<string, string | undefined>>, pid: number): string {
  const folder = env["CLAUDE_CONFIG_DIR"] || join(env["HOME"] || homedir(), ".claude");
  return join(folder, "sessions", `${pid}.json`);
}

const statusFile = z.object({ status: z.string(), waitingFor: z.string().optional().catch(undefined) });

/** Undefined where it says nothing, or is only half written. */
export function signOfClaudeStatus(text: string): ActivitySign | undefined {
  const file = statusFile.safeParse(jsonIn(text)).data;
  switch (file?.status) {
    case "busy":
    case "shell":
      return { state: "busy", evidence: `status file: ${file.status}` };
    case "idle":
      return { state: "waiting", evidence: "status file: idle" };
    case "waiting":
      return { state: "attention", evidence: `status file: ${file.waitingFor ?? "waiting"}` };
    case undefined:
    default:
      return undefined;
  }
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // it is written while it is read
  }
}
