/** What cannot be asked of wakes: refused with its code and a text that helps, whichever way it comes in, and without a trace. */
import { expect, test } from "vitest";
import { z } from "zod";
import { capabilities } from "../../src/capabilities/registry.ts";
import type { FailureCode } from "../../src/errors.ts";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { launch } from "../support/launch.ts";
import { send } from "../support/socket.ts";
import { type Answered, surfaces } from "../support/surfaces.ts";

const nobody = "00000000-0000-4000-8000-000000000000";
const asked = z.object({ wake: z.string(), cursor: z.string() });
const refused = z.object({ error: z.object({ code: z.string(), message: z.string() }).loose() });

interface Refusal {
  readonly what: string;
  readonly action: "wake" | "wakes" | "unwake";
  readonly input: object;
  /** Behind the verb; the same as the input, unless a command line cannot say it. */
  readonly words?: readonly string[];
  readonly code: FailureCode;
  readonly message: RegExp;
  /** Where a surface says it otherwise, by its name. */
  readonly unlike?: RegExp;
}

interface Sessions {
  readonly ended: string;
  readonly delivered: string;
  readonly cancelled: string;
  readonly archived: string;
  readonly sacrificed: string;
  readonly outside: string;
  readonly shell: string;
  readonly killed: string;
}

const yesterday = new Date(Date.now() - 86_400_000).toISOString();
const inTwoYears = new Date(Date.now() + 2 * 366 * 86_400_000).toISOString();

function refusals(sessions: Sessions): Refusal[] {
  const session = sessions.ended;
  const wakes = (
    what: string,
    more: object,
    words: readonly string[] | undefined,
    message: RegExp,
  ): Refusal => ({
    what,
    action: "wake",
    input: { session, message: "go on", ...more },
    ...(words === undefined ? {} : { words: [session, "--message", "go on", ...words] }),
    code: "invalid_request",
    message,
  });
  const delays = (delay: string, message: RegExp): Refusal =>
    wakes(`delay ${JSON.stringify(delay)}`, { delay }, ["--delay", delay], message);
  const times = (at: string, message: RegExp): Refusal => wakes(`at ${at}`, { at }, ["--at", at], message);
  const says = (what: string, message: unknown, text: RegExp): Refusal => ({
    ...wakes(what, { message }, undefined, text),
  });
  const of = (what: string, id: string, code: FailureCode, message: RegExp): Refusal => ({
    what,
    action: "wake",
    input: { session: id, message: "go on" },
    words: [id, "--message", "go on"],
    code,
    message,
  });
  const takes = (what: string, wake: string, code: FailureCode, message: RegExp): Refusal => ({
    what,
    action: "unwake",
    input: { wake },
    words: [wake],
    code,
    message,
  });
  return [
    delays("0s", /delay: "0s" is no time at all; give one such as 30s/),
    delays("-5m", /"-5m" is not understood; give one such as 30s, 5m/),
    delays("5", /"5" is not understood/),
    delays("1.5h", /"1\.5h" is not understood; .*1h30m/),
    delays("soon", /"soon" is not understood/),
    delays("367d", /"367d" is more than a year/),
    delays("9".repeat(90) + "d", /is more than a year/),
    wakes("delay that is empty", { delay: "" }, undefined, /delay: "" is not understood/),
    wakes("delay as a number", { delay: 30 }, undefined, /delay: .*string/),
    times(yesterday, /at: \S+ is past; it is \S+ now/),
    times(inTwoYears, /is more than a year from now/),
    // The command line takes other forms as well, and names those.
    times("tomorrow", /at: "tomorrow" is no (?:date and time with a zone; give one such as \d{4}-|time$)/m),
    times("2027-02-30T09:00:00Z", /is no (?:date and time with a zone|time$)/m),
    wakes("at without a zone", { at: "2027-01-31T09:00:00" }, undefined, /no date and time with a zone/),
    wakes(
      "both times",
      { delay: "1h", at: inTwoYears },
      ["--delay", "1h", "--at", inTwoYears],
      /delay and at exclude/,
    ),
    {
      ...wakes("no time to expire", { expiresIn: "0s" }, ["--expires-in", "0s"], /no time at all/),
      unlike: /MCP/,
    },
    {
      ...wakes(
        "expiring before it is due",
        { delay: "2h", expiresIn: "1h" },
        ["--delay", "2h", "--expires-in", "1h"],
        /expire before it is due/,
      ),
      unlike: /MCP/,
    },
    wakes("when it is not told", { when: "later" }, ["--when", "later"], /idle.*now/),
    { ...wakes("no argument of it", { mesage: "x" }, ["--mesage", "x"], /mesage/) },
    says("no message", undefined, /message is missing/),
    says("empty message", "", /message: must not be blank/),
    says("blank message", " \n\t", /message: must not be blank/),
    says("message that is no text", { text: "x" }, /message: .*string/),
    says("message of a megabyte", "x".repeat(1_000_000), /message: must be at most 500000 bytes/),
    of("no such session", nobody, "session_not_found", /000000000000/),
    of("archived", sessions.archived, "session_archived", /is archived/),
    of("sacrificed", sessions.sacrificed, "session_not_found", new RegExp(sessions.sacrificed)),
    of("of another program", sessions.outside, "not_resumable", /Coven/),
    of("of a harness that resumes nothing", sessions.shell, "not_resumable", /shell/i),
    of("killed", sessions.killed, "revive_required", /was killed/),
    {
      what: "list of nobody",
      action: "wakes",
      input: { session: nobody },
      words: [nobody],
      code: "session_not_found",
      message: /000000000000/,
    },
    { ...takes("no such wake", nobody, "wake_not_found", /no wake/) },
    { ...takes("no wake's id", "x y", "wake_not_found", /no wake x/) },
    takes("delivered", sessions.delivered, "wake_over", /was delivered/),
    takes("taken back before", sessions.cancelled, "wake_over", /is cancelled/),
  ];
}

async function stage(daemon: TestDaemon): Promise<Sessions> {
  const { client } = daemon;
  const over = async (prompt: string, more: object = {}): Promise<string> => {
    const { id, cursor } = await launch(daemon, prompt, more);
    await client.call("watch", { sessions: [id], cursor });
    return id;
  };
  const turns = (): Promise<string> => over("echo first", { harness: "turns" });
  const done = async (action: string, session: Promise<string>, more: object = {}): Promise<string> => {
    const id = await session;
    await client.call(action, { session: id, ...more });
    return id;
  };
  const woken = await turns();
  const { wake: delivered, cursor } = asked.parse(
    await client.call("wake", { session: woken, message: "echo second" }),
  );
  await client.call("watch", { sessions: [woken], cursor });
  const { wake: cancelled } = asked.parse(
    await client.call("wake", { session: woken, message: "echo third", delay: "1d" }),
  );
  await client.call("unwake", { wake: cancelled });
  const outside = "11111111-0000-4000-8000-000000000000";
  await client.call("register", { id: outside, projectRoot: "/", harness: "another" });
  const live = launch(daemon, "read line", { harness: "turns" }).then(({ id }) => id);
  return {
    ended: await turns(),
    delivered,
    cancelled,
    archived: await done("archive", turns()),
    sacrificed: await done("sacrifice", turns(), { confirm: true }),
    outside,
    shell: await over("exit 0"),
    killed: await done("kill", live, { graceMs: 0 }),
  };
}

test("what cannot be asked of wakes is refused on every surface, and leaves nothing behind", async () => {
  const daemon = await startDaemon();
  const sessions = await stage(daemon);
  const wakesNow = () => daemon.client.call("wakes", { all: true });
  const before = await wakesNow();
  const place = {
    home: daemon.home,
    socket: daemon.socket,
    invoke: () => Promise.reject(new Error("the daemon is another process")),
  };
  for (const { name, open } of surfaces) {
    const call = await open(place);
    for (const { what, action, input, words, code, message, unlike } of refusals(sessions)) {
      if (name === "the CLI" && words === undefined) continue;
      const record = capabilities.get(action) ?? expect.fail(action);
      const answer = await call({ action: record, input, words: [action, ...(words ?? [])] });
      const where = `${what}, by ${name}`;
      expect.soft(answer, where).toMatchObject({ failure: { code } });
      if (unlike?.test(name) !== true) expect.soft(saidIn(answer), where).toMatch(message);
      expect.soft(saidIn(answer).length, where).toBeLessThan(400);
    }
  }
  for (const { what, action, input, code, message } of refusals(sessions)) {
    const { status, body } = await asRoute(daemon, action, { ...input });
    const { error } = refused.parse(body);
    expect
      .soft({ code: error.code, status: status >= 400 }, `${what}, by REST`)
      .toEqual({ code, status: true });
    expect.soft(error.message, `${what}, by REST`).toMatch(message);
  }
  expect(await wakesNow()).toEqual(before);
  expect(await daemon.client.call("status", { session: sessions.ended })).toMatchObject({ runs: 1 });
}, 120_000);

const saidIn = (answer: Answered): string => ("failure" in answer ? answer.failure.message : "");

/** There a wake is named with its session; one that is unknown, with any. */
function asRoute({ socket, client }: TestDaemon, action: string, input: Record<string, unknown>) {
  const { session, wake, ...body } = input;
  if (action === "unwake") return takenBack({ socket, client }, String(wake));
  const path = `/api/v1/sessions/${String(session)}/wakes`;
  return action === "wake" ? send(socket, "POST", path, { body }) : send(socket, "GET", path);
}

const all = z.object({ wakes: z.array(z.object({ wake: z.string(), session: z.string() })) });

async function takenBack({ socket, client }: Pick<TestDaemon, "socket" | "client">, wake: string) {
  const { wakes } = all.parse(await client.call("wakes", { all: true }));
  const session = wakes.find((each) => each.wake === wake)?.session ?? wakes[0]?.session ?? "";
  return send(socket, "DELETE", `/api/v1/sessions/${session}/wakes/${encodeURIComponent(wake)}`);
}
