/** What a launch takes: one session, or several lanes that share what is said of all. */
import * as z from "zod";
import { Failure } from "../errors.ts";
import type { Familiar } from "../runtime/familiars.ts";
import { sessionId } from "./records.ts";

/** Longest prompt, bytes: what published clients send at most. */
const promptBytesMax = 500_000;

const prompt = z
  .string()
  .refine((text) => text.trim() !== "", "must not be blank")
  .refine((text) => Buffer.byteLength(text) <= promptBytesMax, `must be at most ${promptBytesMax} bytes`);

const label = z.string().min(1).max(64);

/** Most lanes in one call: as many as sessions may have live at once. */
const lanesMax = 32;

const harness = z
  .string()
  .min(1)
  .optional()
  .describe("codex, claude or another; needed unless each lane names one");
const cwd = z.string().min(1).optional();
const title = z.string().min(1).optional();
const model = z.string().min(1).max(200).optional();
const permission = z.enum(["read-only", "workspace-write", "full"]).optional();

const lane = z.strictObject({
  prompt,
  harness: z.string().min(1).optional(),
  title,
  model,
  permission,
  cwd,
  worktree: z.boolean().optional(),
});

export const runInput = z.strictObject({
  harness,
  projectRoot: z.string().min(1).describe("absolute directory the session may not leave").optional(),
  prompt: prompt.optional().describe("the task; needed unless there are lanes"),
  lanes: z
    .array(lane)
    .min(1)
    .max(lanesMax)
    .optional()
    .describe("several sessions at once, in place of prompt; what one leaves out is as beside lanes"),
  cwd: cwd.describe("working directory inside the project root"),
  title: title.describe("readable name; the prompt unless given"),
  model: model.describe("model id"),
  launchMode: z
    .enum(["interactive", "nonInteractive", "stream"])
    .optional()
    .describe(
      "nonInteractive (default) ends by itself; interactive: its terminal screen; stream takes messages by input until that is ended",
    ),
  permission: permission.describe("what it may do unasked; workspace-write unless interactive"),
  addDirs: z.array(z.string().min(1)).max(32).default([]).describe("further directories it may use"),
  labels: z.array(label).max(16).default([]).describe("names to find it by"),
  conversationId: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe("the caller's name of a conversation; a clean end then leaves the session idle"),
  familiarId: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe(
      "the familiar it is launched for: of a known one it takes what is not said (harness, model, mode, permission, project) and the instructions; any other name is kept as it is",
    ),
  callerFamiliarId: z.string().min(1).max(256).optional().describe("the persona that asked for it"),
  harnessSessionId: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,256}$/)
    .optional()
    .describe("the harness's own conversation: its id, or the id to give a new one"),
  resume: z.boolean().default(false).describe("go on in that conversation of the harness"),
  tools: z.boolean().default(false).describe("gives it Coven's tools, to run and watch agents itself"),
  worktree: z.boolean().default(false).describe("its own git worktree and branch"),
  handoff: sessionId.optional().describe("session to take over from"),
  wakeParent: z.boolean().default(false).describe("wakes you, if you are a session, when it ends"),
});

type Input = z.output<typeof runInput>;
type Common = Omit<Input, "lanes">;
type Needed = Required<{ [N in "harness" | "prompt" | "projectRoot" | "launchMode"]: NonNullable<Input[N]> }>;
type Launch = Omit<Common, keyof Needed> & Needed;
type Asked = { kind: "one"; launch: Launch } | { kind: "lanes"; lanes: Launch[] };

/**
 * One session, or several that share what is said of all; what is not said is as the familiar has it. Throws
 * `invalid_request` for what does not go together.
 */
export function askedFor({ lanes, ...common }: Input, familiar?: Familiar): Asked {
  if (common.resume && common.harnessSessionId === undefined) {
    throw wrong("resume: no harnessSessionId says which conversation", {
      hint: "Pass the harness's own conversation id as harnessSessionId.",
    });
  }
  if (lanes === undefined) return { kind: "one", launch: complete(asFamiliar(common, familiar), "") };
  const single = (["prompt", "title", "conversationId", "harnessSessionId"] as const).filter(
    (name) => common[name] !== undefined,
  );
  if (single.length > 0) {
    throw wrong(`${single.join(", ")} cannot be the same for all lanes`, {
      hint: "Say prompt and title in each lane; conversations are for one session.",
    });
  }
  return {
    kind: "lanes",
    lanes: lanes.map((each, index) =>
      complete(
        asFamiliar({ ...common, ...given(each), worktree: each.worktree ?? common.worktree }, familiar),
        `lanes.${index}.`,
      ),
    ),
  };
}

function asFamiliar(launch: Common, familiar: Familiar | undefined): Common {
  if (familiar === undefined) return launch;
  const harness = launch.harness ?? familiar.harness;
  // Models and modes are a harness's own.
  const own = harness === familiar.harness ? familiar : undefined;
  return {
    ...launch,
    familiarId: familiar.id,
    harness,
    model: launch.model ?? own?.model,
    launchMode: launch.launchMode ?? own?.launchMode,
    permission: launch.permission ?? familiar.permission,
    projectRoot: launch.projectRoot ?? familiar.projectRoot,
  };
}

function complete(launch: Common, place: string): Launch {
  const { harness: name, prompt: task, projectRoot, launchMode = "nonInteractive" } = launch;
  if (projectRoot === undefined) {
    throw wrong("projectRoot is missing", {
      hint: "Pass the absolute directory that the session may not leave.",
    });
  }
  if (name !== undefined && task !== undefined)
    return { ...launch, harness: name, prompt: task, projectRoot, launchMode };
  const missing = name === undefined ? "harness" : "prompt";
  throw wrong(`${place}${missing} is missing`, {
    hint: "Pass harness and prompt for one session, or lanes: a list of {harness, prompt}, for several.",
  });
}

/** What a lane leaves out is as for all. */
const given = (each: z.output<typeof lane>): Partial<z.output<typeof lane>> =>
  Object.fromEntries(Object.entries(each).filter(([, value]) => value !== undefined));

const wrong = (what: string, options: { hint: string }): Failure =>
  new Failure("invalid_request", `run: ${what}`, options);
