/** Sessions whose harness is a program that draws and reads a terminal as Claude Code does (typed-claude.mjs). */
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { z } from "zod";
import type { TestDaemon } from "./daemon.ts";
import { makeProject } from "./launch.ts";

const program = fileURLToPath(new URL("../fixtures/harnesses/typed-claude.mjs", import.meta.url));

export interface TypedSession {
  readonly id: string;
  readonly run: string;
  readonly cursor: string;
  /** What the program has noted in one of its files, oldest first. */
  readonly noted: (file: "submitted" | "answered" | "pasted" | "prompts" | "token") => unknown[];
  /** Everything it has read, with what was open then. */
  readonly read: () => { readonly open: string; readonly text: string }[];
}

const launched = z.object({ id: z.string(), runId: z.string(), cursor: z.string() });

export async function launchTyped(
  { client }: Pick<TestDaemon, "client">,
  prompt = "begin",
): Promise<TypedSession> {
  const folder = mkdtempSync(join(tmpdir(), "coven-typed-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  symlinkSync(program, join(folder, "claude"));
  const project = makeProject();
  const answer = await client.call(
    "run",
    { harness: "claude", projectRoot: project, prompt, launchMode: "interactive" },
    { env: { PATH: [folder, dirname(process.execPath), "/usr/bin", "/bin"].join(delimiter) } },
  );
  const { id, runId, cursor } = launched.parse(answer);
  const noted = (file: string): unknown[] => {
    const path = join(project, file);
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    return text.split("\n").flatMap((line) => (line === "" ? [] : [jsonOf(line)]));
  };
  return { id, run: runId, cursor, noted, read: () => z.array(reading).parse(noted("read")) };
}

const jsonOf = (line: string): unknown => JSON.parse(line);
const reading = z.object({ open: z.string(), text: z.string() });

/** Resolves with the first event of the kind, from the session's beginning on, that is as wanted. */
export async function eventual(
  { client }: Pick<TestDaemon, "client">,
  session: string,
  kind: string,
  wanted: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>>> {
  for await (const event of client.events(session, 0)) {
    if (event.kind !== kind) continue;
    const payload = z.looseObject({}).parse(JSON.parse(event.payload_json));
    if (Object.entries(wanted).every(([name, value]) => payload[name] === value)) return payload;
  }
  throw new Error(`no ${kind} event with ${JSON.stringify(wanted)}`);
}
