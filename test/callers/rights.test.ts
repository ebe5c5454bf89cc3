/** One matrix: what a run may ask for, of whom. The owner may ask for everything. */
import { expect, it } from "vitest";
import { z } from "zod";
import { capabilities } from "../../src/capabilities/registry.ts";
import { Failure } from "../../src/errors.ts";
import type { Client } from "../../src/rpc/client.ts";
import { startDaemon } from "../support/daemon.ts";
import { makeProject } from "../support/launch.ts";
import { launchRun } from "../support/runs.ts";

/** Whom it is asked of: the run's own session, a child, a child's child, a session beside it, one of another project. */
const others = ["itself", "child", "grandchild", "sibling", "stranger"] as const;
type Other = (typeof others)[number];

const everyone: readonly Other[] = ["itself", "child", "grandchild", "sibling"];
const launchedByIt: readonly Other[] = ["child", "grandchild"];

interface Row {
  readonly of: readonly Other[];
  /** The arguments beside the session; as list where the session is named so. */
  readonly args?: object;
  readonly naming?: (session: string) => object;
}

/** By action: of whom a run may ask it. What may not fails with `not_permitted`, what may with anything else or not. */
const matrix: Readonly<Record<string, Row>> = {
  status: { of: everyone },
  record: { of: everyone },
  watch: { of: everyone, naming: (session) => ({ sessions: [session], until: "output", timeoutMs: 1 }) },
  events: { of: everyone },
  output: { of: everyone },
  tail: { of: everyone },
  log: { of: everyone },
  handoff: { of: everyone },
  screen: { of: everyone },
  changes: { of: everyone },
  // One that wakes none of them before the test is over.
  wake: { of: everyone, args: { message: "go on", delay: "1d" } },
  wakes: { of: everyone },
  input: { of: launchedByIt, args: { data: "x" } },
  answer: { of: launchedByIt, args: { question: "x", choice: 1 } },
  archive: { of: launchedByIt },
  summon: { of: launchedByIt },
  sacrifice: { of: launchedByIt },
  // Last, since it ends them, the grandchild before its parent.
  kill: { of: launchedByIt, args: { graceMs: 0 } },
};

/** Those that name no session: whether a run may ask for them, and with what. */
const unnamed: Readonly<Record<string, { readonly may: boolean; readonly args?: object }>> = {
  list: { may: true },
  capabilities: { may: true },
  health: { may: true },
  api_version: { may: true },
  cast_codes: { may: true },
  familiars: { may: true },
  harness_capabilities: { may: true },
  "coven.capabilities.refresh": { may: true },
  hook: { may: true, args: { harness: "shell", event: {} } },
  prune: { may: false, args: { dryRun: true } },
  register: { may: false, args: { id: "x", projectRoot: "/", harness: "codex" } },
  complete: { may: false, args: { session: "x" } },
  cast: { may: true, args: { code: "~?" } },
};

/** A harness that can be resumed, and so woken. */
const turns = { harness: "turns" };

const asked = z.object({ wake: z.string() });

async function codeOf(client: Client, action: string, args: object): Promise<string> {
  try {
    await client.call(action, args);
    return "done";
  } catch (error) {
    if (error instanceof Failure) return error.code;
    throw error;
  }
}

it("says of every action who may ask for it", () => {
  const said = new Set([...Object.keys(matrix), ...Object.keys(unnamed), "run", "unwake"]);
  expect([...capabilities.keys()].filter((name) => !said.has(name))).toEqual([]);
});

it("lets a run see the sessions of its project, act upon those it launched, and no further", async () => {
  const daemon = await startDaemon();
  const project = makeProject();
  const itself = await launchRun(daemon, daemon.client, project);
  const child = await launchRun(daemon, itself.client, project);
  const grandchild = await launchRun(daemon, child.client, project);
  const sibling = await launchRun(daemon, daemon.client, project);
  const stranger = await launchRun(daemon, daemon.client, makeProject());
  const sessions = { itself, child, grandchild, sibling, stranger };

  for (const [action, { of, args, naming }] of Object.entries(matrix)) {
    if (!capabilities.has(action)) continue;
    const permitted: Other[] = [];
    for (const other of [...others].reverse()) {
      const { id } = sessions[other];
      const input = naming?.(id) ?? { session: id, ...args };
      if ((await codeOf(itself.client, action, input)) !== "not_permitted") permitted.unshift(other);
    }
    expect(permitted, action).toEqual(of);
  }
  for (const [action, { may, args = {} }] of Object.entries(unnamed))
    expect(await codeOf(itself.client, action, args), action).toBe(may ? "done" : "not_permitted");
  // The owner may do to each what nobody else could.
  for (const { id } of [sibling, stranger, itself])
    expect(await codeOf(daemon.client, "kill", { session: id, graceMs: 0 })).toBe("done");
});

it("lets a run take back what it asked for, and what waits for itself and those it launched; others' is not its own", async () => {
  const daemon = await startDaemon();
  const project = makeProject();
  const itself = await launchRun(daemon, daemon.client, project, turns);
  const child = await launchRun(daemon, itself.client, project, turns);
  const sibling = await launchRun(daemon, daemon.client, project, turns);
  const waking = async (by: Client, session: string): Promise<string> =>
    asked.parse(await by.call("wake", { session, message: "go on", delay: "1d" })).wake;
  const takenBack = async (by: Client, session: string): Promise<string> =>
    codeOf(itself.client, "unwake", { wake: await waking(by, session) });

  expect(await takenBack(itself.client, sibling.id)).toBe("done");
  expect(await takenBack(daemon.client, itself.id)).toBe("done");
  expect(await takenBack(sibling.client, itself.id)).toBe("done");
  expect(await takenBack(daemon.client, child.id)).toBe("done");
  expect(await takenBack(daemon.client, sibling.id)).toBe("not_permitted");
  expect(await takenBack(sibling.client, sibling.id)).toBe("not_permitted");
  // What was not taken back still waits.
  expect(await daemon.client.call("status", { session: sibling.id })).toMatchObject({
    wakes: { pending: 2, queued: 0 },
  });
  // It is told who asked, whether that was a session or the owner.
  expect(await daemon.client.call("wakes", { session: sibling.id })).toMatchObject({
    wakes: [{ from: sibling.id }, { from: null }],
  });
});

it("lets a run revive only what it launched", async () => {
  const daemon = await startDaemon();
  const project = makeProject();
  const itself = await launchRun(daemon, daemon.client, project, turns);
  const child = await launchRun(daemon, itself.client, project, turns);
  const sibling = await launchRun(daemon, daemon.client, project, turns);
  const reviving = (session: string) =>
    codeOf(itself.client, "wake", { session, message: "go on", delay: "1d", revive: true });
  expect(await reviving(child.id)).toBe("done");
  expect(await reviving(sibling.id)).toBe("not_permitted");
  expect(await reviving(itself.id)).toBe("not_permitted");
});
