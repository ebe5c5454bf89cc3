/** What an action answered, as text for people. An action without a printer of its own is shown as JSON. */
import type * as z from "zod";
import { answer } from "../capabilities/answer.ts";
import { capabilities } from "../capabilities/capabilities.ts";
import { cast } from "../capabilities/cast.ts";
import { familiars } from "../capabilities/familiars.ts";
import { events } from "../capabilities/events.ts";
import { handoff } from "../capabilities/handoff.ts";
import { health } from "../capabilities/health.ts";
import { listPage } from "../capabilities/list.ts";
import { log } from "../capabilities/log.ts";
import {
  type eventRecord,
  type sessionActivity,
  sessionRecord,
  wakeRecord,
} from "../capabilities/records.ts";
import { register } from "../capabilities/register.ts";
import { sacrifice } from "../capabilities/sacrifice.ts";
import { screen } from "../capabilities/screen.ts";
import { status } from "../capabilities/status.ts";
import { tail } from "../capabilities/tail.ts";
import { unwake } from "../capabilities/unwake.ts";
import { wakes } from "../capabilities/wakes.ts";
import { eventPayloads, isLive } from "../events.ts";
import { createTranscript } from "../text/transcript.ts";
import { shortId } from "./ids.ts";
import { castLines, packetLines } from "./cast-lines.ts";
import { age, columns, counted, fields, inOneLine, oneLine, until } from "./text.ts";

export const printed = (action: string, output: unknown): string => (printers.get(action) ?? asJson)(output);

const asJson = (output: unknown): string => `${JSON.stringify(output, null, 2)}\n`;

const as =
  <T>(schema: z.ZodType<T>, print: (output: T) => string) =>
  (output: unknown): string =>
    print(schema.parse(output));

type SessionRecord = z.output<typeof sessionRecord>;

const did = (participle: string) =>
  as(
    sessionRecord.pick({ id: true, title: true }),
    ({ id, title }) => `${participle} ${id}  ${oneLine(title)}\n`,
  );

const launched = sessionRecord.pick({ id: true, harness: true, title: true });
const told = wakeRecord.pick({ wake: true, session: true, state: true });

const printers: ReadonlyMap<string, (output: unknown) => string> = new Map([
  ["list", as(listPage, (page) => sessionList(page))],
  ["status", as(status.output, (shown) => ("live" in shown ? overview(shown) : oneStatus(shown)))],
  [
    "events",
    as(events.output, ({ events, hasMore }) => eventLines(events) + (hasMore ? moreEvents(events) : "")),
  ],
  ["tail", as(tail.output, ({ text, unfinished = "" }) => ended(text + unfinished))],
  ["screen", as(screen.output, ({ text }) => ended(text))],
  [
    "record",
    as(sessionRecord, (record) => fields(Object.entries(record).map(([name, value]) => [name, cell(value)]))),
  ],
  ["wakes", as(wakes.output, ({ wakes: listed, hasMore }) => wakeTable(listed) + (hasMore ? moreWakes : ""))],
  ["unwake", as(unwake.output, ({ wake, message }) => `took back ${wake}  ${oneLine(message)}\n`)],
  ["answer", as(answer.output, answered)],
  ["kill", did("killed")],
  ["archive", did("archived")],
  ["summon", did("summoned")],
  ["register", as(register.output, ({ session, isNew }) => registered(session, isNew))],
  ["complete", as(sessionRecord, ({ id, status }) => `${id} ${status}\n`)],
  ["cast", as(cast.output, (shown) => castLines(shown, printed))],
  ["cast.run", as(launched, ({ id, harness, title }) => `runs ${id}  ${harness}  ${oneLine(title)}\n`)],
  ["cast.wake", as(told, ({ session, wake, state }) => `told ${session}  wake ${wake} ${state}\n`)],
  ["handoff", as(handoff.output, packetLines)],
  ["familiars", as(familiars.output, roster)],
  ["log", as(log.output, logLines)],
  ["sacrifice", as(sacrifice.output, ({ id, branchKept }) => `sacrificed ${id}\n${keptBranch(branchKept)}`)],
  ["capabilities", as(capabilities.output, catalog)],
  [
    "health",
    as(health.output, ({ daemon, ...rest }) =>
      fields(
        [...Object.entries(rest), ...Object.entries(daemon)].map(([name, value]) => [name, cell(value)]),
      ),
    ),
  ],
]);

const keptBranch = (branch: string | undefined): string =>
  branch === undefined ? "" : `its branch ${branch} is still there\n`;

/** How many wakes wait for a session, by its id, and whether its queue stands still until somebody says otherwise. */
export type Waiting = ReadonlyMap<string, { readonly count: number; readonly isHeld: boolean }>;
const nothingWaits: Waiting = new Map();

/** Live sessions first, otherwise in the order they came. */
export function sessionList(
  { sessions, nextCursor }: z.output<typeof listPage>,
  waits: Waiting = nothingWaits,
): string {
  if (sessions.length === 0) return "no sessions; coven run <harness> <prompt> launches one\n";
  const rank = ({ status }: SessionRecord): number => (isLive(status) ? 0 : 1);
  const sorted = [...sessions].sort((one, other) => rank(one) - rank(other));
  return (
    rowsOf(
      sorted.map((session) => ({ session, level: 0 })),
      waits,
    ) + nextPage(nextCursor)
  );
}

/** Each session below the one that launched it; one whose launcher is not listed stands by itself. */
export function sessionTree(sessions: readonly SessionRecord[], waits: Waiting): string {
  const listed = new Set(sessions.map(({ id }) => id));
  const below = (parent: string, level: number): Row[] =>
    sessions
      .filter(({ parent_id }) => parent_id === parent)
      .flatMap((session) => [{ session, level }, ...below(session.id, level + 1)]);
  const roots = sessions.filter(({ parent_id }) => parent_id === null || !listed.has(parent_id));
  return rowsOf(
    roots.flatMap((session) => [{ session, level: 0 }, ...below(session.id, 1)]),
    waits,
  );
}

interface Row {
  readonly session: SessionRecord;
  readonly level: number;
}

function rowsOf(sessions: readonly Row[], waits: Waiting): string {
  const rows = sessions.map(({ session, level }) => [
    "  ".repeat(level) + shortId(session.id),
    [standing(session), ...wakesOf(session.id, waits)].join(", "),
    session.harness,
    age(session.created_at),
    oneLine(session.title, 60),
  ]);
  return columns([["ID", "STATUS", "HARNESS", "AGE", "TITLE"], ...rows]);
}

/** Of a live one what it does, where that is known. */
function standing({ status, archived_at, activity }: SessionRecord): string {
  if (archived_at !== null) return `${status} (archived)`;
  const { state } = activity ?? {};
  return state === "waiting" || state === "attention" ? `${status} (${state})` : status;
}

function wakesOf(id: string, waits: Waiting): string[] {
  const waiting = waits.get(id);
  return waiting === undefined ? [] : [counted(waiting.count, "wake") + (waiting.isHeld ? " held" : "")];
}

const nextPage = (cursor: string | null): string =>
  cursor === null ? "" : `older ones: coven list --cursor ${cursor}\n`;

type Status = z.output<typeof status.output>;
type OneStatus = Exclude<Status, { live: number }>;

const overview = ({ live, sessions }: Extract<Status, { live: number }>): string =>
  `${live} live\n${sessions
    .map(({ id, harness, lastActivityAt, title }) => [
      shortId(id),
      harness,
      `${age(lastActivityAt)} ago`,
      oneLine(title, 60),
    ])
    .map((row) => `  ${row.join("  ")}\n`)
    .join("")}`;

const oneStatus = (shown: OneStatus): string =>
  fields([
    ["id", shown.id],
    ["title", oneLine(shown.title)],
    ["status", shown.archived ? `${shown.status} (archived)` : shown.status],
    ["active", shown.active ? "yes" : "no"],
    [
      "activity",
      shown.activity &&
        `${shown.activity.state} for ${age(shown.activity.since)} (${oneLine(shown.activity.evidence, 80)})`,
    ],
    ["asks", shown.activity?.question && oneLine(shown.activity.question.text, 200)],
    ["choices", shown.activity?.question && numbered(shown.activity.question.choices).join("; ")],
    ["answer with", shown.activity?.question && answerLine(shown.id, shown.activity.question)],
    ["exit code", shown.exitCode],
    ["signal", shown.signal],
    ["reason", shown.reason],
    ["harness", shown.harness],
    ["mode", shown.launchMode],
    ["permission", shown.permission],
    ["model", shown.model],
    ["project", shown.projectRoot],
    ["cwd", shown.cwd === shown.projectRoot ? null : shown.cwd],
    ["worktree", shown.worktree && `${shown.worktree.path} (branch ${shown.worktree.branch})`],
    ["pid", shown.pid],
    ["runs", shown.runs],
    ["wakes", shown.wakes && waiting(shown.wakes)],
    ["launched by", shown.parent],
    [
      "has launched",
      shown.children
        ?.map(({ id, status, title }) => `${shortId(id)} ${status} ${oneLine(title, 30)}`)
        .join("; "),
    ],
    ["launched", `${shown.createdAt} (${age(shown.createdAt)} ago)`],
    ["last activity", `${shown.lastActivityAt} (${age(shown.lastActivityAt)} ago)`],
    ["ended", shown.endedAt],
    ["usage", shown.usage && `${shown.usage.inputTokens} tokens in, ${shown.usage.outputTokens} out`],
    ["cost", shown.costUsd === undefined ? null : `${shown.costUsd.toFixed(4)} USD`],
    ["denied", shown.denied?.map(({ tool, input }) => oneLine(`${tool} ${input ?? ""}`)).join("; ")],
    ["error", shown.error && oneLine(shown.error, 200)],
    ["said last", shown.lastMessage && oneLine(shown.lastMessage, 500)],
  ]);

type Question = NonNullable<z.output<typeof sessionActivity>["question"]>;

/** The choices of a question under the numbers that `answer` takes. */
export const numbered = (choices: readonly string[]): string[] =>
  choices.map((choice, index) => `${index + 1}. ${choice}`);

/** The command that answers an open question. */
export const answerLine = (session: string, { id, choices }: Question): string =>
  `coven answer ${shortId(session)} ${id} ${choices.length > 0 ? "<number>" : "--text <text>"}`;

function answered({ answered: isGone, activity }: z.output<typeof answer.output>): string {
  if (!isGone) return "typed, and the question still stands there: look at it with coven screen\n";
  return activity === null ? "answered; the session has ended\n" : `answered; it is ${activity.state} now\n`;
}

type Wake = z.output<typeof wakeRecord>;

/** Why a queue does not go on by itself, and what makes it. */
export const held: Readonly<Record<NonNullable<Wake["held"]>, string>> = {
  run_failed: "its last run failed; another wake makes it go on",
  revive_required: "it was killed or lost; a wake with --revive makes it go on",
};

function wakeTable(listed: readonly Wake[]): string {
  if (listed.length === 0) return 'no wakes; coven wake <session> --message "…" asks for one\n';
  const rows = listed.map((wake) => [
    shortId(wake.wake),
    shortId(wake.session),
    stateOf(wake),
    timeOf(wake),
    wake.from === null ? "owner" : shortId(wake.from),
    oneLine(wake.message, 60),
  ]);
  return columns([["ID", "SESSION", "STATE", "WHEN", "FROM", "MESSAGE"], ...rows]);
}

function stateOf({ state, held: why, reason }: Wake): string {
  if (why !== undefined) return `${state}, held: ${why.replaceAll("_", " ")}`;
  return reason === undefined ? state : `${state}: ${oneLine(reason, 40)}`;
}

/** When it comes, or how long ago it came; what never will, how long ago it was asked for. */
function timeOf({ state, dueAt, deliveredAt, createdAt }: Wake): string {
  if (state === "pending") return `in ${until(dueAt)}`;
  return `${age(deliveredAt ?? (state === "queued" ? dueAt : createdAt))} ago`;
}

const moreWakes = "there are more: coven wakes --limit 1000, or name a session\n";

const waiting = ({ pending, queued, held: why }: NonNullable<OneStatus["wakes"]>): string =>
  [
    ...(pending > 0 ? [`${pending} pending`] : []),
    ...(queued > 0 ? [`${queued} queued${why === undefined ? "" : `, held: ${held[why]}`}`] : []),
  ].join(", ");

type EventRecord = z.output<typeof eventRecord>;

const eventLines = (records: readonly EventRecord[]): string =>
  records
    .map(
      ({ seq, created_at, kind, payload_json }) =>
        `${seq}  ${created_at}  ${kind.padEnd(8)}  ${gist(kind, payload_json)}\n`,
    )
    .join("");

/** What an event says in one line: as the transcript has it, its payload otherwise. */
function gist(kind: string, payload_json: string): string {
  const text = endings.get(kind)?.(JSON.parse(payload_json)) ?? transcriptOf(kind, payload_json);
  return oneLine(text.trim() === "" ? payload_json : text, 160);
}

const endings: ReadonlyMap<string, (payload: unknown) => string> = new Map([
  ["input", as(eventPayloads.input, ({ data }) => JSON.stringify(data))],
  ["status", as(eventPayloads.status, ({ from, to, reason = "" }) => `${from ?? "new"} → ${to} ${reason}`)],
  [
    "exit",
    as(eventPayloads.exit, ({ status, exitCode, signal, reason }) =>
      [status, exitCode, signal, reason].filter((part) => part !== undefined && part !== null).join(" "),
    ),
  ],
]);

function transcriptOf(kind: string, payload_json: string): string {
  const transcript = createTranscript();
  return transcript.push({ kind, payload_json }) + transcript.flush();
}

function logLines(lines: z.output<typeof log.output>): string {
  return columns(lines.map(({ ts, level, message }) => [ts, level, oneLine(message, 240)]));
}

const registered = ({ id, title }: SessionRecord, isNew: boolean): string =>
  `${isNew ? "registered" : "is registered"} ${id}  ${oneLine(title)}\n`;

const moreEvents = (records: readonly EventRecord[]): string =>
  `there are more: --after-seq ${records.at(-1)?.seq ?? 0}\n`;

function catalog({ capabilities: records, problems = [] }: z.output<typeof capabilities.output>): string {
  const rows = records.map(({ id, status, label, authOwner = "", path, hint, actions }) => [
    id,
    status,
    label,
    authOwner,
    path ?? hint ?? actions.join(" "),
  ]);
  return (
    columns([["ID", "STATUS", "LABEL", "LOGIN", ""], ...rows]) +
    problems.map((problem) => `problem: ${inOneLine(problem)}\n`).join("")
  );
}

function roster({ familiars: known, source, problems = [] }: z.output<typeof familiars.output>): string {
  const rows = known.map(({ id, label, harness, model = "", launchMode = "", live, ...rest }) => [
    id,
    label === id ? "" : label,
    [harness, model, launchMode, rest.permission ?? ""].filter((part) => part !== "").join(" "),
    live === 0 ? "" : `${live} live`,
    rest.projectRoot ?? "",
  ]);
  const head = rows.length === 0 ? "" : columns([["ID", "LABEL", "RUNS", "LIVE", "PROJECT"], ...rows]);
  const note = source === "harnesses" ? "without familiars.json the harnesses are the familiars\n" : "";
  return head + note + problems.map((problem) => `problem: ${inOneLine(problem)}\n`).join("");
}

const cell = (value: unknown): string =>
  value === null ? "" : typeof value === "string" ? oneLine(value, 200) : JSON.stringify(value);

/** With a line end where there is text. */
export const ended = (text: string): string => (text === "" || text.endsWith("\n") ? text : `${text}\n`);
