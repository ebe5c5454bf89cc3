/** The calls that every surface is compared by: of each action at least one that is answered, and one that is refused. */
import { randomUUID } from "node:crypto";
import type { FailureCode } from "../../src/errors.ts";

/** What a row may make for its call. Everything in it is done in the daemon's own process. */
export interface Stage {
  readonly project: string;
  /** A session that has printed `hello` and ended with 3. */
  readonly ended: () => Promise<string>;
  /** A session that waits at its terminal. */
  readonly live: () => Promise<string>;
  readonly archived: (labels?: readonly string[]) => Promise<string>;
  /** A session that asks something at its terminal, and what. */
  readonly asking: () => Promise<{ session: string; question: string }>;
  /** A session that runs outside Coven. */
  readonly outside: () => Promise<string>;
  /** A session that has ended and can be woken. */
  readonly resumable: () => Promise<string>;
  /** A wake that is due tomorrow, and its session. */
  readonly waiting: () => Promise<{ readonly session: string; readonly wake: string }>;
}

export interface Asked {
  readonly input: object;
  /** The same as a person types it. */
  readonly words: readonly string[];
}

export interface Row {
  readonly action: string;
  readonly when: string;
  /** Made anew for each call: what is done to a session is done once. */
  readonly asks: (stage: Stage) => Asked | Promise<Asked>;
  readonly fails?: FailureCode;
  /** It needs an argument that models are not offered. */
  readonly beyondTools?: true;
  /** Why the CLI refuses it with the code alone in common. */
  readonly cliInItsWords?: string;
}

const nobody = "00000000-0000-4000-8000-000000000000";
export const shell = (project: string) => ({ harness: "shell", projectRoot: project, prompt: "read line" });
const ofSession = (verb: string, session: string, ...more: string[]): Asked => ({
  input: { session },
  words: [verb, session, ...more],
});
const waking = (session: string): Asked => ({
  input: { session, message: "go on" },
  words: ["wake", session, "--message", "go on"],
});
const ofWake = (wake: string): Asked => ({ input: { wake }, words: ["unwake", wake] });
const unknownOption = "what is no option is refused where options are parsed";
const nonsense = (verb: string): Pick<Row, "asks" | "fails" | "cliInItsWords" | "when"> => ({
  when: "an argument is given that it has not",
  asks: () => ({ input: { nonsense: 1 }, words: [verb, "--nonsense", "1"] }),
  fails: "invalid_request",
  cliInItsWords: unknownOption,
});
const ofNobody = (verb: string): Pick<Row, "asks" | "fails" | "when"> => ({
  when: "there is no such session",
  asks: () => ofSession(verb, nobody),
  fails: "session_not_found",
});

export const rows: readonly Row[] = [
  {
    action: "run",
    when: "one session is launched",
    asks: ({ project }) => ({
      input: { ...shell(project), title: "surfaces", labels: ["a", "b"] },
      words: ["run", "shell", "read line", "--project", project, "--title", "surfaces"].concat([
        "--label",
        "a",
        "--label",
        "b",
        "--detach",
      ]),
    }),
  },
  {
    action: "run",
    when: "lanes are launched",
    asks: ({ project }) => ({
      input: { projectRoot: project, lanes: [1, 2].map(() => ({ harness: "shell", prompt: "read line" })) },
      words: ["run", "--project", project, "--lane", "shell: read line", "--lane", "shell: read line"],
    }),
  },
  {
    action: "run",
    when: "a worktree of no repository is wanted",
    asks: ({ project }) => ({
      input: { ...shell(project), worktree: true },
      words: ["run", "shell", "read line", "--project", project, "--worktree", "--detach"],
    }),
    fails: "invalid_request",
  },
  {
    action: "run",
    when: "the harness is not known",
    asks: ({ project }) => ({
      input: { ...shell(project), harness: "nonesuch" },
      words: ["run", "nonesuch", "read line", "--project", project, "--detach"],
    }),
    fails: "invalid_request",
  },
  {
    action: "list",
    when: "archived ones of a label are wanted",
    asks: async (stage) => {
      const label = randomUUID();
      await stage.archived([label]);
      const input = { projectRoot: stage.project, label, includeArchived: true, limit: 3, detail: "full" };
      const words = [
        "--project",
        stage.project,
        "--label",
        label,
        "--all",
        "--limit",
        "3",
        "--detail",
        "full",
      ];
      return { input, words: ["list", ...words] };
    },
    beyondTools: true,
  },
  {
    action: "list",
    when: "those of a label are wanted, and there are none",
    asks: (stage) => {
      const label = randomUUID();
      const input = { projectRoot: stage.project, label, limit: 3, detail: "full" };
      const words = ["--project", stage.project, "--label", label, "--limit", "3", "--detail", "full"];
      return { input, words: ["list", ...words] };
    },
  },
  {
    action: "list",
    when: "the cursor is none",
    asks: () => ({ input: { cursor: "x!" }, words: ["list", "--cursor", "x!"] }),
    fails: "invalid_request",
  },
  { action: "status", when: "it has ended", asks: async (stage) => ofSession("status", await stage.ended()) },
  { action: "status", when: "it is live", asks: async (stage) => ofSession("status", await stage.live()) },
  {
    action: "status",
    when: "a wake waits for its time",
    asks: async (stage) => ofSession("status", (await stage.waiting()).session),
  },
  { action: "status", when: "no session is named", asks: () => ({ input: {}, words: ["status"] }) },
  { action: "status", ...ofNobody("status") },
  { action: "record", when: "it has ended", asks: async (stage) => ofSession("record", await stage.ended()) },
  { action: "record", ...ofNobody("record") },
  {
    action: "watch",
    when: "one has ended and the other goes on",
    asks: async (stage) => {
      const sessions = [await stage.ended(), await stage.live()];
      return { input: { sessions, count: "any" }, words: ["watch", ...sessions, "--any"] };
    },
  },
  {
    action: "watch",
    when: "the time is over",
    asks: async (stage) => {
      const session = await stage.live();
      return {
        input: { sessions: [session], timeoutMs: 20 },
        words: ["watch", session, "--timeout", "20ms"],
      };
    },
  },
  {
    action: "watch",
    when: "there is no such session",
    asks: () => ({ input: { sessions: [nobody] }, words: ["watch", nobody] }),
    fails: "session_not_found",
  },
  {
    action: "events",
    when: "a page is wanted",
    asks: async (stage) => {
      const session = await stage.ended();
      return { input: { session, limit: 3 }, words: ["events", session, "--limit", "3"] };
    },
  },
  { action: "events", ...ofNobody("events") },
  { action: "output", when: "it has ended", asks: async (stage) => ofSession("output", await stage.ended()) },
  { action: "output", ...ofNobody("output") },
  { action: "tail", when: "it has ended", asks: async (stage) => ofSession("tail", await stage.ended()) },
  {
    action: "tail",
    when: "the cursor is from another store",
    asks: async (stage) => {
      const [session, cursor] = [await stage.ended(), "00ff00ff-1"];
      return { input: { session, cursor }, words: ["tail", session, "--cursor", cursor] };
    },
    fails: "invalid_request",
  },
  { action: "screen", when: "it has ended", asks: async (stage) => ofSession("screen", await stage.ended()) },
  { action: "screen", ...ofNobody("screen") },
  {
    action: "changes",
    when: "it has ended, in no repository",
    asks: async (stage) => ofSession("changes", await stage.ended()),
  },
  { action: "changes", ...ofNobody("changes") },
  {
    action: "input",
    when: "it is live",
    asks: async (stage) => {
      const session = await stage.live();
      return {
        input: { session, data: "hello", keys: ["enter"] },
        words: ["input", session, "hello", "--key", "enter"],
      };
    },
  },
  {
    action: "input",
    when: "it has ended",
    asks: async (stage) => {
      const session = await stage.ended();
      return { input: { session, data: "hello" }, words: ["input", session, "hello"] };
    },
    fails: "session_not_live",
  },
  {
    action: "answer",
    when: "its question is open",
    asks: async (stage) => {
      const { session, question } = await stage.asking();
      return { input: { session, question, choice: "No" }, words: ["answer", session, question, "No"] };
    },
  },
  {
    action: "answer",
    when: "it asks nothing",
    asks: async (stage) => {
      const session = await stage.live();
      return {
        input: { session, question: "x", text: "hello" },
        words: ["answer", session, "x", "--text", "hello"],
      };
    },
    fails: "question_gone",
  },
  {
    action: "wake",
    when: "it is to be told something tomorrow",
    asks: async (stage) => {
      const session = await stage.resumable();
      return {
        input: { session, message: "go on", delay: "1d" },
        words: ["wake", session, "--message", "go on", "--delay", "1d"],
      };
    },
  },
  {
    action: "wake",
    when: "its harness cannot be resumed",
    asks: async (stage) => waking(await stage.ended()),
    fails: "not_resumable",
  },
  {
    action: "wake",
    when: "there is no such session",
    asks: () => waking(nobody),
    fails: "session_not_found",
  },
  {
    action: "wakes",
    when: "one waits for its time",
    asks: async (stage) => ofSession("wakes", (await stage.waiting()).session),
  },
  { action: "wakes", ...ofNobody("wakes") },
  {
    action: "unwake",
    when: "it waits for its time",
    asks: async (stage) => ofWake((await stage.waiting()).wake),
  },
  { action: "unwake", when: "there is no such wake", asks: () => ofWake(nobody), fails: "wake_not_found" },
  { action: "kill", when: "it is live", asks: async (stage) => ofSession("kill", await stage.live()) },
  {
    action: "kill",
    when: "it has ended",
    asks: async (stage) => ofSession("kill", await stage.ended()),
    fails: "session_not_live",
  },
  {
    action: "archive",
    when: "it has ended",
    asks: async (stage) => ofSession("archive", await stage.ended()),
  },
  {
    action: "archive",
    when: "it is live",
    asks: async (stage) => ofSession("archive", await stage.live()),
    fails: "session_live",
  },
  {
    action: "summon",
    when: "it is archived",
    asks: async (stage) => ofSession("summon", await stage.archived()),
  },
  { action: "summon", ...ofNobody("summon") },
  {
    action: "sacrifice",
    when: "it is confirmed",
    asks: async (stage) => {
      const session = await stage.ended();
      return { input: { session, confirm: true }, words: ["sacrifice", session, "--yes"] };
    },
  },
  {
    action: "sacrifice",
    when: "it is not confirmed",
    asks: async (stage) => ofSession("sacrifice", await stage.ended()),
    fails: "confirmation_required",
  },
  {
    action: "prune",
    when: "it is only tried",
    asks: () => ({
      input: { dryRun: true, olderThanMs: 86_400_000 },
      words: ["prune", "--dry-run", "--older-than", "1d"],
    }),
  },
  { action: "prune", ...nonsense("prune") },
  { action: "capabilities", when: "asked", asks: () => ({ input: {}, words: ["capabilities"] }) },
  { action: "capabilities", ...nonsense("capabilities") },
  { action: "health", when: "asked", asks: () => ({ input: {}, words: ["health"] }) },
  { action: "health", ...nonsense("health") },
  {
    action: "coven.capabilities.refresh",
    when: "asked",
    asks: () => ({ input: {}, words: ["coven.capabilities.refresh"] }),
  },
  { action: "coven.capabilities.refresh", ...nonsense("coven.capabilities.refresh") },
  { action: "api_version", when: "asked", asks: () => ({ input: {}, words: ["api_version"] }) },
  { action: "api_version", ...nonsense("api_version") },
  {
    action: "harness_capabilities",
    when: "one is named",
    asks: () => ({ input: { harness: "shell" }, words: ["harness_capabilities", "shell"] }),
  },
  {
    action: "harness_capabilities",
    when: "there is no such harness",
    asks: () => ({ input: { harness: "nonesuch" }, words: ["harness_capabilities", "nonesuch"] }),
    fails: "harness_not_found",
  },
  {
    action: "register",
    when: "it is new",
    asks: ({ project }) => registered(randomUUID(), project),
  },
  {
    action: "register",
    when: "the id is that of a session of Coven's own",
    asks: async (stage) => registered(await stage.ended(), stage.project),
    fails: "session_id_conflict",
  },
  {
    action: "complete",
    when: "it runs outside Coven",
    asks: async (stage) => {
      const session = await stage.outside();
      return { input: { session, exitCode: 3 }, words: ["complete", session, "--exit-code", "3"] };
    },
  },
  {
    action: "complete",
    when: "it is one of Coven's own",
    asks: async (stage) => ofSession("complete", await stage.ended()),
    fails: "not_external_session",
  },
  { action: "log", when: "it has ended", asks: async (stage) => ofSession("log", await stage.ended()) },
  { action: "log", ...ofNobody("log") },
  {
    action: "hook",
    when: "the owner asks, who is no run",
    asks: () => ({ input: { harness: "claude", event: {} }, words: ["hook", "claude"] }),
    fails: "not_permitted",
  },
  { action: "familiars", when: "asked", asks: () => ({ input: {}, words: ["familiars"] }) },
  { action: "familiars", ...nonsense("familiars") },
  {
    action: "handoff",
    when: "it has ended",
    asks: async (stage) => ofSession("handoff", await stage.ended()),
  },
  { action: "handoff", ...ofNobody("handoff") },
  {
    action: "cast",
    when: "it asks for the status of all",
    asks: () => ({ input: { code: "~?" }, words: ["cast", "~?"] }),
  },
  {
    action: "cast",
    when: "it is for a familiar that is not known",
    asks: ({ project }) => ({
      input: { code: "~shel: read line", projectRoot: project },
      words: ["cast", "~shel: read line", "--project", project],
    }),
    fails: "invalid_request",
  },
  {
    action: "cast",
    when: "it is only planned",
    asks: ({ project }) => ({
      input: { code: "~shell: read line", projectRoot: project, dryRun: true },
      words: ["cast", "~shell: read line", "--project", project, "--dry-run"],
    }),
    beyondTools: true,
  },
  {
    action: "cast",
    when: "there is no such session",
    asks: () => ({ input: { code: "~?", target: nobody }, words: ["cast", "~?", "--target", nobody] }),
    fails: "session_not_found",
    beyondTools: true,
  },
  { action: "cast_codes", when: "asked", asks: () => ({ input: {}, words: ["cast_codes"] }) },
  { action: "cast_codes", ...nonsense("cast_codes") },
];

export const registered = (id: string, project: string): Asked => ({
  input: { id, projectRoot: project, harness: "another", title: "outside" },
  words: ["register", "--id", id, "--project", project, "--harness", "another", "--title", "outside"],
});
