import * as z from "zod";
import { requireSameProject } from "./authority.ts";
import { Failure } from "../errors.ts";
import { type Context, capability } from "./capability.ts";
import { unknown } from "./cast-names.ts";
import { sessionRecord } from "./records.ts";
import { askedFor, runInput } from "./run-input.ts";
import { shortened } from "./shortened.ts";

export const launchedSession = sessionRecord.extend({ runId: z.string(), cursor: z.string() });
const lane = launchedSession.pick({ id: true, runId: true, harness: true, title: true, status: true });
/** Of several, what tells them apart; their records are for list. */
export const launchedLanes = z.object({ sessions: z.array(lane), cursor: z.string() });

/** Longest title of a lane, bytes: the caller knows the prompt that it may be. */
const laneTitleBytesMax = 60;
/** Longest title that is made of a prompt behind a handoff, bytes. */
const promptTitleBytesMax = 200;

/** What a handoff is put in front of; its title stays that of the task. */
interface Carrier {
  readonly prompt: string;
  readonly title?: string | undefined;
}

export const run = capability({
  name: "run",
  summary: "Launches a coding agent in a project and answers its session; watch it to its end with watch.",
  effect: "write",
  input: runInput,
  output: z.union([launchedSession, launchedLanes]),
  failures: ["launch_failed", "payload_too_large", "limit_exceeded", "runtime_unavailable", "worktree_taken"],
  right: "children",
  tool: {
    title: "Run an agent",
    description:
      "Spawns a coding agent (codex, claude or another harness) as a background session: a subagent in a process of its own. Answers at once with id and cursor. It sees nothing of this conversation: put the whole task into prompt. Next: watch with the ids and the cursor.",
    core: true,
    get input(): z.ZodObject {
      return run.input
        .omit({
          conversationId: true,
          familiarId: true,
          callerFamiliarId: true,
          harnessSessionId: true,
          resume: true,
          addDirs: true,
        })
        .extend({ projectRoot: runInput.shape.projectRoot.unwrap() });
    },
    output: launchedSession
      .pick({ id: true, runId: true, harness: true, title: true, status: true, cwd: true, permission: true })
      .partial()
      .extend({ sessions: z.array(lane).optional(), cursor: z.string() }),
  },
  positional: ["harness", "prompt"],
  async run(input, { launches, familiars, sessions, handoffs, reader, caller, intent }) {
    const { identity, env } = caller;
    const parent = identity.kind === "owner" ? undefined : identity.session;
    const run = identity.kind === "owner" ? undefined : identity.run;
    const launcher = { env, parent, run, remember: intent?.begin };
    const familiar = input.familiarId === undefined ? undefined : familiars.find(input.familiarId);
    if (familiar === undefined) requireHarness(input, familiars);
    const asked = askedFor(input, familiar);
    const { handoff } = input;
    if (handoff !== undefined) requireSameProject(identity, handoff, sessions);
    const carrying = async <L extends Carrier>(launch: L): Promise<L> => {
      if (handoff === undefined) return launch;
      const title = launch.title ?? shortened(launch.prompt.trim(), promptTitleBytesMax);
      return { ...launch, title, prompt: await handoffs.carried(handoff, launch.prompt) };
    };
    // What failed for good may be tried again under the same intent.
    const unlessFailed = async <T>(launch: Promise<T>): Promise<T> => {
      try {
        return await launch;
      } catch (error) {
        intent?.forget();
        throw error;
      }
    };
    const begun = intent?.begun;
    if (asked.kind === "one") {
      const one =
        begun === undefined
          ? await unlessFailed(launches.launch(await carrying(asked.launch), launcher))
          : launches.launched(begun);
      return { ...one.session, runId: one.runId, cursor: reader.cursorAt(one.cursorSeq) };
    }
    const lanes =
      begun === undefined
        ? await unlessFailed(launches.launchLanes(await Promise.all(asked.lanes.map(carrying)), launcher))
        : launches.launchedLanes(begun);
    return {
      sessions: lanes.map(({ session: record, runId }) => ({
        ...record,
        title: shortened(record.title, laneTitleBytesMax),
        runId,
      })),
      cursor: reader.cursorAt(Math.min(...lanes.map(({ cursorSeq }) => cursorSeq))),
    };
  },
});

/** A name that nobody has declared is kept as it is; only it cannot say what is to be launched. */
function requireHarness(
  { familiarId, harness, lanes }: z.output<typeof runInput>,
  familiars: Context["familiars"],
): void {
  if (familiarId === undefined || harness !== undefined || lanes?.every((lane) => lane.harness)) return;
  const { message, nearest } = unknown(familiarId, { familiars: familiars.all().familiars, sessions: [] });
  throw new Failure("invalid_request", `run: harness is missing: ${message}`, {
    hint: "Name a harness, or a familiar that has one: familiars lists them.",
    details: { familiarId, nearest },
  });
}
