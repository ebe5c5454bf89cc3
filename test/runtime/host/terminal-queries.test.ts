import { expect, test } from "vitest";
import { createQueryAnswerer } from "../../../src/runtime/host/terminal-queries.ts";

const esc = "\u001b";
const questions = `a${esc}[6nb${esc}[31mc${esc}[0c${esc}[c${esc}[5n${esc}[?6n${esc}[?u${esc}[>c${esc}[?2026$p${esc}]11;?${esc}\\${esc}`;
const answers = `${esc}[1;1R${esc}[?62;c${esc}[?62;c${esc}[0n${esc}[?1;1R${esc}[>1;10;0c${esc}[?2026;0$y`;

test("what a program asks its terminal is answered, and nothing else", () => {
  expect(createQueryAnswerer().answersTo(Buffer.from(questions))).toBe(answers);
});

test("a question is answered once, wherever it is cut", () => {
  for (let cut = 0; cut <= questions.length; cut += 1) {
    const answerer = createQueryAnswerer();
    const parts = [questions.slice(0, cut), questions.slice(cut)];
    expect(parts.map((part) => answerer.answersTo(Buffer.from(part))).join(""), `cut at ${cut}`).toBe(
      answers,
    );
  }
  const byByte = createQueryAnswerer();
  expect(Array.from(questions, (byte) => byByte.answersTo(Buffer.from(byte))).join("")).toBe(answers);
});
