/** A terminal in memory, as it is drawn. */
import { expect, onTestFinished, test } from "vitest";
import { type Screen, type ScreenView, createScreen } from "../../src/text/screen.ts";

function open(): Screen {
  const screen = createScreen({ columns: 20, rows: 3 });
  onTestFinished(screen.dispose);
  return screen;
}

async function viewOf(printed: string): Promise<ScreenView> {
  const screen = open();
  await screen.write(Buffer.from(printed));
  return screen.view();
}

test("tells what is dim and what is inverse, counted in the line's own text", async () => {
  const { lines } = await viewOf(
    "❯ \x1b[7mT\x1b[27;2mry this\x1b[m\r\n漢字 \x1b[2mgrey\x1b[m 😀 \x1b[7m \x1b[m",
  );
  expect(lines).toEqual([
    { text: "❯ Try this", dim: [[3, 10]], inverse: [[2, 3]] },
    { text: "漢字 grey 😀", dim: [[3, 7]], inverse: [] },
    { text: "", dim: [], inverse: [] },
  ]);
});

test("tells where the caret is, and whether it is shown", async () => {
  expect((await viewOf("ab")).caret).toEqual({ row: 1, column: 3, isVisible: true });
  expect((await viewOf("ab\x1b[?25l")).caret).toEqual({ row: 1, column: 3, isVisible: false });
  expect((await viewOf("\x1b[?25lab\r\n\x1b[?2004;25h")).caret).toEqual({
    row: 2,
    column: 1,
    isVisible: true,
  });
});

test("tells that a program is in the middle of drawing", async () => {
  expect((await viewOf("\x1b[?2026hhalf")).isHalfDrawn).toBe(true);
  expect((await viewOf("\x1b[?2026hhalf\x1b[?2026l")).isHalfDrawn).toBe(false);
});

test.each(["•", "›", "❯", "é", "─", "😀"])("loses no %s that is printed in parts", async (character) => {
  const bytes = Buffer.from(`a${character}b`);
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const screen = open();
    await screen.write(bytes.subarray(0, cut));
    await screen.write(bytes.subarray(cut));
    expect(screen.picture().text).toBe(`a${character}b`);
  }
  const screen = open();
  for (const byte of bytes) await screen.write(Buffer.from([byte]));
  expect(screen.picture().text).toBe(`a${character}b`);
});

test("shows bytes that are no characters, and what follows them", async () => {
  const screen = open();
  await screen.write(Buffer.from([0x61, 0xe2, 0x80]));
  await screen.write(Buffer.from([0x62, 0xff]));
  await screen.write(Buffer.from("c"));
  expect(screen.picture().text).toMatch(/^a.*b.*c$/u);
});
