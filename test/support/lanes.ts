/** Lanes as the promises are tested with: on either transport, read back byte for byte, and looked at from outside. */
import { createHash, type Hash } from "node:crypto";
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { z } from "zod";
import type { ProcessIdentity } from "../../src/runtime/host/process-info.ts";
import { identify } from "../../src/runtime/host/processes.ts";
import type { TestDaemon } from "./daemon.ts";
import { makeProject } from "./launch.ts";

export const transports = ["pty", "pipes"] as const;
export type Transport = (typeof transports)[number];

const launched = z.object({ id: z.string(), runId: z.string(), cursor: z.string(), status: z.string() });

/** Runs a script as a harness: in a terminal, or on pipes, where a stand-in for Codex runs its prompt. */
export async function launchOn(transport: Transport, { client }: Pick<TestDaemon, "client">, script: string) {
  const harness = transport === "pty" ? "shell" : "codex";
  const launchMode = transport === "pty" ? "interactive" : "nonInteractive";
  const args = { harness, launchMode, projectRoot: makeProject(), prompt: script };
  return launched.parse(await client.call("run", args, { env: { PATH: `${standIns()}:/usr/bin:/bin` } }));
}

/** A folder with a `codex` in it that runs its prompt as a script. */
function standIns(): string {
  const folder = mkdtempSync(join(tmpdir(), "coven-programs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, "codex");
  writeFileSync(
    program,
    '#!/bin/sh\n[ "$1" = --version ] && exec echo codex-cli 0.169.0\nfor prompt; do :; done\nexec sh -c "$prompt"\n',
  );
  chmodSync(program, 0o755);
  return folder;
}

/** The process of a live session. */
export async function processOf({ client }: Pick<TestDaemon, "client">, session: string) {
  const { pid } = z.object({ pid: z.int() }).parse(await client.call("status", { session }));
  return identified(pid);
}

export function identified(pid: number): ProcessIdentity {
  const identity = identify(pid);
  if (identity === undefined) throw new Error(`process ${pid} is gone`);
  return identity;
}

export const hostsOf = (home: string): number[] =>
  readdirSync(home).flatMap((name) => {
    const pid = /^host-(\d+)\.sock$/.exec(name)?.[1];
    return pid === undefined ? [] : [Number(pid)];
  });

export function hostOf(home: string): number {
  const [pid] = hostsOf(home);
  if (pid === undefined) throw new Error(`no host serves ${home}`);
  return pid;
}

/** Everything a session printed, by /output. */
export async function outputOf({ client }: Pick<TestDaemon, "client">, session: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of client.output(session)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function outputDigest(daemon: Pick<TestDaemon, "client">, session: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of daemon.client.output(session)) hash.update(chunk);
  return hash.digest("hex");
}

const page = z.object({
  events: z.array(z.object({ kind: z.string(), payload_json: z.string() })),
  nextCursor: z.object({ afterSeq: z.int() }).nullable(),
  hasMore: z.boolean(),
});
const outputPayload = z.object({ data: z.string(), stream: z.string().optional() });

/** The same by pages of /events. */
export async function eventsDigest(daemon: Pick<TestDaemon, "client">, session: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const events of pagesOf(daemon, session)) for (const event of events) addOutput(hash, event);
  return hash.digest("hex");
}

/** Every event of a session, however many pages they are. */
export async function allEventsOf(daemon: Pick<TestDaemon, "client">, session: string) {
  const all: { kind: string; payload_json: string }[] = [];
  for await (const events of pagesOf(daemon, session)) all.push(...events);
  return all;
}

async function* pagesOf({ client }: Pick<TestDaemon, "client">, session: string) {
  for (let afterSeq = 0; ;) {
    const { events, nextCursor, hasMore } = page.parse(await client.call("events", { session, afterSeq }));
    yield events;
    if (!hasMore || nextCursor === null) return;
    afterSeq = nextCursor.afterSeq;
  }
}

export function addOutput(hash: Hash, { kind, payload_json }: { kind: string; payload_json: string }): void {
  if (kind === "output") hash.update(outputPayload.parse(JSON.parse(payload_json)).data);
}

export const digestOf = (...pieces: Buffer[]): string => {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
};

/** Numbered lines, so that no two pieces of it are alike, in a file of that many megabytes. */
export function numberedFile(megabytes: number): { path: string; bytes: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), "coven-numbers-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const bytes = Buffer.alloc(megabytes * 1_000_000, "\u001b[32mok\u001b[0m compiled in 12 ms\n".padStart(64));
  for (let at = 0, line = 0; at + 12 <= bytes.length; at += 64, line += 1)
    bytes.write(`#${String(line).padStart(9, "0")} `, at, "latin1");
  const path = join(folder, "numbers.txt");
  writeFileSync(path, bytes);
  return { path, bytes };
}
