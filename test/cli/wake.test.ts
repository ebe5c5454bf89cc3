import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, watch as watchFolder, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { clockTime, localTime } from "../../src/cli/local-time.ts";
import { until } from "../../src/cli/text.ts";
import { z } from "zod";
import { covenForFile, jsonIn, resultOf } from "../support/coven.ts";
import { startDaemon } from "../support/daemon.ts";
import { launch as launchIn, makeProject } from "../support/launch.ts";

const { coven, launch, start, home, project } = covenForFile();

/** Each turn of it is a script. */
const turns = {
  id: "turns",
  executable: "sh",
  install_hint: "It is there.",
  capabilities: { preassigned_session_id: true },
  continuity_args: {
    init_prefix_args: ["-c", 'eval "$3"'],
    session_id_flag: "--id",
    resume_prefix_args: ["-c", 'eval "$2"'],
  },
};

async function ended(prompt = "look"): Promise<string> {
  const { id } = await launch("codex", prompt);
  await coven(["watch", id]);
  return id;
}

const wakesOf = async (session: string) =>
  jsonIn((await coven(["wakes", session, "--all", "--json"])).stdout);

describe("wake", () => {
  it("does not keep who follows a run beyond the end of that run", async () => {
    writeFileSync(join(home, "adapters/turns.json"), JSON.stringify({ adapters: [turns] }), { mode: 0o600 });
    const first = "touch begun; while [ ! -e go ]; do sleep 0.05; done; echo one";
    const begun = watchFolder(project);
    const following = start(["run", "turns", first]);
    const followed = resultOf(following);
    while (!existsSync(join(project, "begun"))) await once(begun, "change");
    begun.close();
    const [session] = z
      .object({ sessions: z.tuple([z.object({ id: z.string() })]) })
      .parse(jsonIn((await coven(["list", "--status", "running", "--json"])).stdout)).sessions;
    await coven(["wake", session.id, "echo two; exit 5"]);
    writeFileSync(join(project, "go"), "");
    const { code, stdout } = await followed;
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("one") });
    expect(stdout).not.toContain("two");
    expect((await coven(["watch", session.id, "--until", "settled"])).code).toBe(5);
  });

  it("prints the wake's id, and says when it will fire", async () => {
    const session = await ended();
    const words = ["--message", "look again", "--delay", "30m"];
    const { code, stdout, stderr } = await coven(["wake", session.slice(0, 8), ...words]);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringMatching(/^coven: due \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, in 30m\n$/),
    });
    expect(stdout).toMatch(/^[0-9a-f-]{36}\n$/);
    expect(await wakesOf(session)).toMatchObject({
      wakes: [{ wake: stdout.trim(), state: "pending", message: "look again", from: null }],
    });
  });

  it("goes on with the conversation of a session that has ended, and is the same behind sessions", async () => {
    const session = await ended();
    const { code, stdout } = await coven(["sessions", "wake", session, "then exit 5", "--json"]);
    expect(code).toBe(0);
    const cursor = String(jsonIn(stdout)["cursor"]);
    expect(await coven(["watch", session, "--cursor", cursor])).toMatchObject({ code: 5 });
    expect(await wakesOf(session)).toMatchObject({ wakes: [{ message: "then exit 5", state: "delivered" }] });
    expect(jsonIn((await coven(["status", session, "--json"])).stdout)).toMatchObject({ runs: 2 });
  });

  it("reads the message from standard input, without the newline at its end", async () => {
    const session = await ended();
    for (const words of [["-"], ["--message", "-"]]) {
      const answer = await coven(["wake", session, ...words, "--delay", "1d", "--json"], {
        input: "go on,\nthen stop\n",
      });
      expect(jsonIn(answer.stdout)).toMatchObject({ session, state: "pending", message: "go on, then stop" });
      expect(answer.stderr).toBe("");
    }
    const long = await coven(["wake", session, "-"], { input: "x".repeat(1_000_000) });
    expect(long).toMatchObject({
      code: 64,
      stderr: expect.stringContaining("message: must be at most 500000 bytes"),
    });
    const blank = await coven(["wake", session, "-"], { input: " \n" });
    expect(blank).toMatchObject({ code: 64, stderr: expect.stringContaining("message: must not be blank") });
  });

  it("wants one message", async () => {
    const session = await ended();
    expect(await coven(["wake", session])).toMatchObject({
      code: 64,
      stderr: expect.stringMatching(
        /^coven: invalid_request: wake: the message is missing\n.*--message "go on"/,
      ),
    });
    expect(await coven(["wake", session, "go on", "--message", "stop"])).toMatchObject({
      code: 64,
      stderr: expect.stringContaining("given twice"),
    });
    expect(await wakesOf(session)).toMatchObject({ wakes: [] });
  });

  it("takes a time without a zone as this machine's own", async () => {
    const session = await ended();
    const day = new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10);
    const dueAt = async (at: string) =>
      jsonIn(
        (await coven(["wake", session, "go on", "--at", at, "--json"], { env: { TZ: "Asia/Tokyo" } })).stdout,
      )["dueAt"];
    expect(await dueAt(`${day}T09:30`)).toBe(`${day}T00:30:00.000Z`);
    expect(await dueAt(`${day} 09:30`)).toBe(`${day}T00:30:00.000Z`);
    expect(await dueAt(`${day}T09:30:00Z`)).toBe(`${day}T09:30:00.000Z`);
    expect(await dueAt(`${day}T09:30:00+02:00`)).toBe(`${day}T07:30:00.000Z`);
  });

  it("says how a time is written when it understands none", async () => {
    const session = await ended();
    const said = {
      code: 64,
      stderr: expect.stringMatching(/^coven: .* is no time\nGive one such as 17:30 or /),
    };
    for (const at of ["tomorrow", "2030-01-31"])
      expect(await coven(["wake", session, "go on", "--at", at])).toMatchObject(said);
  });

  it("wakes once what is asked twice under one intent", async () => {
    const session = await ended();
    const { stdout } = await coven(["wake", session, "go on", "--intent-id", "one"]);
    expect((await coven(["wake", session, "go on", "--intent-id", "one"])).stdout).toBe(stdout);
  });
});

describe("wakes", () => {
  it("shows in a line each how they stand, and unwake takes one back by the first characters of its id", async () => {
    const session = await ended();
    expect((await coven(["wakes", session])).stdout).toMatch(/^no wakes; coven wake /);
    const { stdout: id } = await coven(["wake", session, "look\tagain", "--delay", "90m"]);
    const short = id.slice(0, 8);
    const { stdout } = await coven(["wakes", session.slice(0, 8)]);
    const [head = "", line = ""] = stdout.split("\n");
    expect(head.split(/\s{2,}/)).toEqual(["ID", "SESSION", "STATE", "WHEN", "FROM", "MESSAGE"]);
    expect(line.split(/\s{2,}/)).toEqual([
      short,
      session.slice(0, 8),
      "pending",
      "in 1h 30m",
      "owner",
      "look again",
    ]);
    expect((await coven(["status", session])).stdout).toMatch(/^wakes +1 pending$/m);
    expect((await coven(["list"])).stdout).toMatch(
      new RegExp(`^${session.slice(0, 8)} +completed, 1 wake +`, "m"),
    );
    expect((await coven(["list", "--tree"])).stdout).toContain("completed, 1 wake");

    expect(await coven(["unwake", short])).toMatchObject({
      code: 0,
      stdout: `took back ${id.trim()}  look again\n`,
    });
    expect((await coven(["wakes", session, "--all"])).stdout).toMatch(/cancelled: unwake +\d+s ago +owner/);
    expect(await coven(["unwake", short])).toMatchObject({
      code: 65,
      stderr: expect.stringContaining("wake_over"),
    });
    expect((await coven(["list"])).stdout).not.toMatch(new RegExp(`^${session.slice(0, 8)} .*wake`, "m"));
    expect(await coven(["unwake", "nonesuch"])).toMatchObject({
      code: 66,
      stderr: expect.stringMatching(/^coven: wake_not_found: there is no wake nonesuch\n/),
    });
  });

  it("says why a queue is held, and what makes it go on", async () => {
    const daemon = await startDaemon();
    const env = { COVEN_HOME: daemon.home };
    const projectRoot = makeProject();
    const gate = join(projectRoot, "gate");
    execFileSync("mkfifo", [gate]);
    const { id, cursor } = await launchIn(daemon, "read line < gate; exit 4", {
      harness: "turns",
      projectRoot,
    });
    const queued = await coven(["wake", id, "--message", "echo on"], { env });
    expect(queued.stderr).toBe(
      `coven: queued: session ${id.slice(0, 8)} is told when it has done what it does now\n`,
    );
    appendFileSync(gate, "\n");
    await daemon.client.call("watch", { sessions: [id], cursor });
    expect((await coven(["wakes"], { env })).stdout).toMatch(
      / queued, held: run failed +\d+s ago +owner +echo on\n/,
    );
    expect((await coven(["status", id], { env })).stdout).toMatch(
      /^wakes +1 queued, held: its last run failed; another wake makes it go on$/m,
    );
    expect((await coven(["list"], { env })).stdout).toMatch(/^[0-9a-f]{8} +failed, 1 wake held +/m);
    expect((await coven(["watch", id, "--until", "settled"], { env })).stdout).toMatch(
      / 1 wake held: its last run failed; another wake makes it go on\n/,
    );
  });
});

describe("run", () => {
  it("with --wake-parent wants a session that launches it", async () => {
    expect(await coven(["run", "codex", "look", "--wake-parent", "--detach"])).toMatchObject({
      code: 64,
      stderr: expect.stringContaining("wakeParent: the owner launches this"),
    });
  });
});

describe("times", () => {
  it("of day alone are the next that the clock shows", () => {
    const now = new Date(2027, 0, 31, 12, 0, 0);
    expect(localTime("17:30", now)).toBe(new Date(2027, 0, 31, 17, 30).toISOString());
    expect(localTime("09:00", now)).toBe(new Date(2027, 1, 1, 9, 0).toISOString());
    expect(localTime("12:00", now)).toBe(new Date(2027, 1, 1, 12, 0).toISOString());
  });

  it("are told as the clock shows them", () => {
    expect(clockTime(new Date(2027, 0, 31, 7, 5, 9).toISOString())).toBe("2027-01-31 07:05:09");
  });

  it("that are none are left as they are", () => {
    for (const text of ["tomorrow", "25:00", "2027-02-30T09:00", "2027-01-31", ""])
      expect(localTime(text)).toBe(text);
  });

  it("to come are told in their two largest units", () => {
    const now = Date.parse("2027-01-31T09:00:00Z");
    const cases = {
      0: "0s",
      1000: "1s",
      90_000: "1m 30s",
      1_798_500: "30m",
      7_140_000: "1h 59m",
      86_399_000: "1d",
      90_000_000: "1d 1h",
    };
    for (const [ms, text] of Object.entries(cases))
      expect(until(new Date(now + Number(ms)).toISOString(), now)).toBe(text);
    expect(until("2026-01-01T00:00:00Z", now)).toBe("0s");
  });
});
