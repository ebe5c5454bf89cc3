import * as z from "zod";
import { Failure } from "../errors.ts";
import { capability } from "./capability.ts";
import { sessionActivity, sessionId } from "./records.ts";

/** Longest text, characters: a line in a form. */
const textCharactersMax = 2000;

export const answer = capability({
  name: "answer",
  summary: "Answers the question that a live session asks in its terminal, if that very one is still open.",
  effect: "write",
  input: z.strictObject({
    session: sessionId.describe("session id"),
    question: z.string().min(1).max(200).describe("question id, as status or watch tells it"),
    choice: z
      .union([z.int().min(1), z.string().min(1).max(textCharactersMax)])
      .optional()
      .describe("number from 1, or label"),
    text: z
      .string()
      .max(textCharactersMax)
      .refine((said) => said.trim() !== "", "must not be blank")
      .optional()
      .describe("where it asks for text"),
  }),
  /** `answered` is false where the question still stands there after a while. */
  output: z.object({ ok: z.literal(true), answered: z.boolean(), activity: sessionActivity.nullable() }),
  failures: [
    "session_not_found",
    "session_not_live",
    "question_gone",
    "input_not_accepted",
    "runtime_unavailable",
  ],
  right: "descendants",
  tool: {
    title: "Answer a session's question",
    description:
      "Answers the open question of a session, such as a permission prompt: watch until attention, or status, tells it with its choices. Nothing is typed if it is gone.",
    input: z.strictObject({
      session: sessionId,
      question: z.string().describe("its id"),
      choice: z.union([z.int(), z.string()]).optional().describe("number from 1, or label"),
      text: z.string().optional().describe("where it asks for text"),
    }),
  },
  positional: ["session", "question", "choice"],
  async run({ session, question, choice, text }, { answers, caller, intent }) {
    const reply = choice !== undefined ? { choice } : text !== undefined ? { text } : undefined;
    if (reply === undefined || (choice !== undefined && text !== undefined)) {
      throw new Failure("invalid_request", "answer: exactly one of choice and text is needed", {
        hint: "Pass the number or the label of a choice, or a text where the question asks for one.",
        details: { sessionId: session, question },
      });
    }
    const known = intent && {
      key: intent.key,
      isBegun: intent.begun !== undefined,
      announce: () => intent.announce(session),
    };
    const done = await answers.answer({ session, question, reply, signal: caller.signal }, known);
    return { ok: true as const, ...done };
  },
});
