/** What is read from the screens of the real programs, and that the keys of a choice choose it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFailed, onTestFinished } from "vitest";
import * as z from "zod";
import { initialTerminalSize } from "../../src/events.ts";
import { claudeScreens } from "../../src/runtime/harness/claude-screens.ts";
import { codexScreens } from "../../src/runtime/harness/codex-screens.ts";
import { draftShows, submitShows, typedMessage } from "../../src/runtime/harness/message-typing.ts";
import { type ScreenReading, readScreen } from "../../src/runtime/harness/screen-reading.ts";
import { type ScreenView, createScreen } from "../../src/text/screen.ts";
import type { StandInHarness } from "../mock-models/stand-ins.ts";
import { type Lane, type LaneRequest, asked, call, fileIn, gitProject, launch } from "./lane.ts";
import { commandThen } from "./work.ts";

const patterns = { claude: claudeScreens, codex: codexScreens };
type Question = Extract<ScreenReading, { kind: "question" }>;

const printedPage = z.object({ dataBase64: z.string(), nextCursor: z.object({ afterSeq: z.int() }) });

/** Somebody who knows of the program only what its screen shows, and does only what that says. */
async function watcher(harness: StandInHarness, request: Partial<LaneRequest>) {
  const lane = await launch(harness, {
    turns: () => [{ text: "Ready." }],
    prompt: "Begin.",
    ...request,
    args: { launchMode: "interactive", ...request.args },
  });
  const screen = createScreen(initialTerminalSize);
  onTestFinished(screen.dispose);
  let afterSeq = 0;
  onTestFailed(() => console.error(screen.picture().text));
  const look = (): ScreenReading | undefined => readScreen(patterns[harness], screen.view());
  const seesView = async (isWanted: (view: ScreenView) => boolean): Promise<void> => {
    while (!isWanted(screen.view())) {
      const wait = { sessions: [lane.session], until: "output", cursor: String(afterSeq) };
      await lane.daemon.client.call("watch", wait);
      const page = printedPage.parse(await call(lane, "output", { afterSeq }));
      if (page.nextCursor.afterSeq === afterSeq) throw new Error("it ended before that was on its screen");
      ({ afterSeq } = page.nextCursor);
      await screen.write(Buffer.from(page.dataBase64, "base64"));
    }
  };
  const sees = (isWanted: (reading: ScreenReading | undefined) => boolean) =>
    seesView(() => isWanted(look()));
  const question = async (name: string, choices = 1): Promise<Question> => {
    const found: Question[] = [];
    await sees((reading) => {
      if (reading?.kind !== "question" || reading.name !== name) return false;
      return reading.question.choices.length >= choices && found.push(reading) > 0;
    });
    const [last] = found.slice(-1);
    if (last === undefined) throw new Error("nothing was asked");
    return last;
  };
  const type = (data: string): Promise<unknown> => call(lane, "input", { data });
  return {
    lane,
    sees,
    question,
    type,
    /** For a prompt, after an answer: an empty composer shows for a moment before the first prompt is taken. */
    waits: (answer: string): Promise<void> =>
      seesView(({ lines }) => {
        const reading = look();
        const isFree = reading?.kind === "composer" && reading.draft === "" && !reading.isBusy;
        return isFree && lines.some(({ text }) => text.includes(answer));
      }),
    works: () => sees((reading) => reading?.kind !== "question" && reading !== undefined && isBusy(reading)),
    /** Types a message, and presses Enter once it stands there. */
    says: async (text: string): Promise<void> => {
      const { paste, submit } = typedMessage(patterns[harness], text);
      await type(paste);
      await sees(
        (reading) => reading?.kind === "composer" && draftShows(patterns[harness], reading.draft, text),
      );
      await type(submit);
      await seesView((view) => submitShows(patterns[harness], view, text));
    },
    chooses: async ({ question: { choices } }: Question, label: string): Promise<void> => {
      const choice = choices.find((each) => each.label.startsWith(label));
      await type(choice?.keys ?? "");
    },
  };
}

const isBusy = (reading: Exclude<ScreenReading, Question>): boolean =>
  reading.kind === "busy" || reading.isBusy;

const long = Array.from({ length: 60 }, (_, row) => `Line ${row} of what is to be done.`).join("\n");
const work = "echo done > done.txt";

const isDone = ({ project }: Lane): boolean => existsSync(join(project, "done.txt"));

it("claude waits for a prompt, is given one of many lines, asks for permission, and is allowed", async () => {
  const turns = (): object[] => [
    { text: "Ready." },
    { text: "First-answer." },
    ...commandThen("claude", work, "Second-answer."),
  ];
  const { lane, waits, says, question, chooses } = await watcher("claude", { turns });
  await waits("Ready.");
  await says("Say something\nin two lines.");
  await waits("First-answer.");
  await says(long);
  const asks = await question("permission prompt", 3);
  expect(asks.question.text).toContain(work);
  expect(asks.question.text).toContain("Do you want to proceed?");
  expect(isDone(lane)).toBe(false);
  await chooses(asks, "Yes");
  await waits("Second-answer.");
  expect(fileIn(lane, "done.txt")).toBe("done\n");
});

it("claude asks whether it may trust a project that it has not seen, and for the warning of its full permission", async () => {
  const args = { projectRoot: gitProject(), permission: "full" };
  const { question, chooses, waits } = await watcher("claude", { args, env: { IS_SANDBOX: "1" } });
  const trust = await question("trust", 2);
  expect(trust.question.text).toContain(args.projectRoot);
  await chooses(trust, "Yes, I trust");
  const warning = await question("bypass warning", 2);
  await chooses(warning, "Yes, I accept");
  await waits("Ready.");
});

it("claude asks what its model wants to know, and tells it what was chosen", async () => {
  const options = [
    { label: "Red", description: "Warm" },
    { label: "Blue", description: "Cold" },
  ];
  const questions = [{ question: "Which colour?", header: "Colour", multiSelect: false, options }];
  const turns = (): object[] => [{ tool: "AskUserQuestion", input: { questions } }, { text: "So be it." }];
  const { lane, question, chooses, waits } = await watcher("claude", { turns, prompt: "Ask me." });
  const asks = await question("question", 4);
  expect(asks.question.text).toContain("Which colour?\n\nRed: Warm\nBlue: Cold");
  await chooses(asks, "Blue");
  await waits("So be it.");
  expect(asked(lane).results.at(-1)).toContain("Blue");
});

it.each(["claude", "codex"] as const)("%s works, also with a draft in its composer", async (harness) => {
  const turns = (): object[] => [{ text: "Much later.", delay_ms: 60_000 }];
  const { works, type, sees } = await watcher(harness, { turns, prompt: "Take your time." });
  await works();
  await type("half a line");
  await sees((reading) => reading?.kind === "composer" && reading.draft === "half a line" && reading.isBusy);
});

it("codex waits for a prompt, is given one of many lines, and asks before it runs a command", async () => {
  const input = { cmd: work, sandbox_permissions: "require_escalated", justification: "May I?" };
  const turns = (): object[] => [
    { text: "Ready." },
    { text: "First-answer." },
    { tool: "exec_command", input },
    { text: "Second-answer." },
  ];
  const args = { permission: "read-only" };
  const { lane, waits, says, question, chooses } = await watcher("codex", { turns, args });
  await waits("Ready.");
  await says("Say something\nin two lines.");
  await waits("First-answer.");
  await says(long);
  const asks = await question("command approval", 3);
  expect(asks.question.text).toContain(`Reason: May I?\n\n$ ${work}`);
  expect(isDone(lane)).toBe(false);
  await chooses(asks, "Yes, proceed");
  await waits("Second-answer.");
  expect(fileIn(lane, "done.txt")).toBe("done\n");
});

it("codex asks whether it may trust a project that it has not seen", async () => {
  const args = { projectRoot: gitProject() };
  const { question, chooses, waits } = await watcher("codex", { args });
  const trust = await question("trust", 2);
  expect(trust.question.text).toContain(args.projectRoot);
  await chooses(trust, "Trust and continue");
  await waits("Ready.");
});
