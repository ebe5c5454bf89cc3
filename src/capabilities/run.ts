import * as z from "zod";
import { Failure } from "../errors.ts";
import { capability } from "./capability.ts";
import { sessionRecord } from "./records.ts";

/** Longest prompt, bytes: what published clients send at most. */
const promptBytesMax = 500_000;

const prompt = z
  .string()
  .refine((text) => text.trim() !== "", "must not be blank")
  .refine((text) => Buffer.byteLength(text) <= promptBytesMax, `must be at most ${promptBytesMax} bytes`);

const label = z.string().min(1).max(64);

export const run = capability({
  name: "run",
  summary: "Launches a coding agent in a project and answers its session; watch it to its end with watch.",
  effect: "write",
  input: z.strictObject({
    harness: z.string().min(1).describe("codex, claude, or one declared by a manifest"),
    projectRoot: z.string().min(1).describe("absolute directory the session may not leave"),
    prompt: prompt.describe("the task, in words"),
    cwd: z.string().min(1).optional().describe("working directory inside the project root"),
    title: z.string().min(1).optional().describe("readable name; the prompt unless given"),
    model: z.string().min(1).max(200).optional().describe("model id, as the harness names it"),
    launchMode: z
      .enum(["interactive", "nonInteractive", "stream"])
      .default("nonInteractive")
      .describe(
        "nonInteractive ends by itself, interactive is the harness's own screen in a pty, stream takes further messages by input until that is ended",
      ),
    permission: z
      .enum(["read-only", "workspace-write", "full"])
      .optional()
      .describe("what the agent may do unasked; workspace-write unless interactive"),
    addDirs: z.array(z.string().min(1)).max(32).default([]).describe("further directories it may use"),
    labels: z.array(label).max(16).default([]).describe("names to find it by"),
    conversationId: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .describe("the caller's name of a conversation; a clean end then leaves the session idle"),
    familiarId: z.string().min(1).max(256).optional().describe("the persona it is launched for"),
    callerFamiliarId: z.string().min(1).max(256).optional().describe("the persona that asked for it"),
    harnessSessionId: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,256}$/)
      .optional()
      .describe("the harness's own conversation: its id, or the id to give a new one"),
    resume: z.boolean().default(false).describe("go on in that conversation of the harness"),
  }),
  output: sessionRecord.extend({ runId: z.string(), cursor: z.string() }),
  failures: ["launch_failed", "payload_too_large", "runtime_unavailable"],
  right: "children",
  tool: {
    title: "Run an agent",
    description:
      "Spawns a coding agent (codex, claude or another harness) as a background session: a subagent with a process and a log of its own. Answers at once with its id and cursor; it costs what that agent uses. It sees nothing of this conversation, so put the whole task into prompt. Next: watch with the id and the cursor.",
    core: true,
    get input(): z.ZodObject {
      return run.input.omit({
        conversationId: true,
        familiarId: true,
        callerFamiliarId: true,
        harnessSessionId: true,
        resume: true,
      });
    },
  },
  positional: ["harness", "prompt"],
  async run(input, { launches, reader, caller, intent }) {
    if (input.resume && input.harnessSessionId === undefined) {
      throw new Failure("invalid_request", "resume: no harnessSessionId says which conversation", {
        hint: "Pass the harness's own conversation id as harnessSessionId.",
      });
    }
    const launch = async () => {
      try {
        return await launches.launch(input, caller.env, intent?.begin);
      } catch (error) {
        intent?.forget();
        throw error;
      }
    };
    const { session, runId, cursorSeq } =
      intent?.begun === undefined ? await launch() : launches.launched(intent.begun);
    return { ...session, runId, cursor: reader.cursorAt(cursorSeq) };
  },
});
