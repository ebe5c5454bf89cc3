/** What a person at a shell is told of a question that a session asks, and of what becomes of it. */
import { expect, it } from "vitest";
import { covenForFile } from "../support/coven.ts";
import { startDaemon } from "../support/daemon.ts";
import { eventual, launchTyped } from "../support/typed-claude.ts";

const { coven } = covenForFile();

async function asking() {
  const daemon = await startDaemon();
  const session = await launchTyped(daemon);
  await eventual(daemon, session.id, "activity", { state: "waiting" });
  await daemon.client.call("input", { session: session.id, keys: ["ctrl-o"] });
  const env = { COVEN_HOME: daemon.home };
  return { session, run: (...args: string[]) => coven(args, { env }) };
}

/** The words behind `coven` in the command that is offered, with a choice. */
const offered = (text: string): string[] =>
  (/coven (answer .*)/.exec(text)?.[1] ?? "no command").replace("<number>", "2").split(" ");

it("the command that watch offers for a question answers it", async () => {
  const { session, run } = await asking();
  const { code, stdout } = await run("watch", session.id, "--until", "attention");
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("  1. Yes\n  2. No\n") });
  const { stdout: said } = await run(...offered(stdout));
  expect(said).toMatch(/^answered; it is (busy|waiting) now\n$/);
  expect(session.noted("answered")).toEqual([["echo 1", "2"]]);
});

it("status shows an open question with its choices, and a command that answers it", async () => {
  const { session, run } = await asking();
  await run("watch", session.id, "--until", "attention");
  const { stdout } = await run("status", session.id);
  expect(stdout).toMatch(/^choices +1\. Yes; 2\. No$/m);
  expect((await run(...offered(stdout))).code).toBe(0);
  expect(session.noted("answered")).toEqual([["echo 1", "2"]]);
});

it("an answer that the question outlives is told as such", async () => {
  const { session, run } = await asking();
  const { stdout } = await run("watch", session.id, "--until", "attention");
  await run("input", session.id, "--key", "ctrl-g");
  expect((await run(...offered(stdout))).stdout).toContain("the question still stands there");
});

it("list --attention says when no session asks anything", async () => {
  expect((await coven(["list", "--attention"])).stdout).toBe("no session asks anything\n");
});
