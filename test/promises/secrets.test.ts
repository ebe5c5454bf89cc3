/** Secrets never reach the store, whichever way they come in; what only looks like one does. */
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { launch, makeProject } from "../support/launch.ts";
import { innocentText, secretCases } from "../text/secrets.ts";

async function outputOf({ client }: TestDaemon, session: string): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of client.output(session)) pieces.push(piece);
  return Buffer.concat(pieces).toString("utf8");
}

/** Whether the words stand anywhere in the store's files. */
const holds = ({ home }: TestDaemon, words: string): boolean =>
  readdirSync(home).some(
    (name) => name.startsWith("ledger") && readFileSync(join(home, name)).includes(words),
  );

/** Prints the file as it is: the terminal makes no CRLF of its line feeds. */
async function printed(daemon: TestDaemon, text: string): Promise<string> {
  const file = join(makeProject(), "text");
  writeFileSync(file, text);
  const { id } = await launch(daemon, `stty -opost; cat '${file}'`);
  await daemon.client.call("watch", { sessions: [id] });
  return outputOf(daemon, id);
}

test("a source file full of words like password: passes whole", async () => {
  const source = innocentText.repeat(20);
  expect(await printed(await startDaemon(), source)).toBe(source);
});

test("no secret of any known format is stored when a harness prints it", async () => {
  const daemon = await startDaemon();
  const text = secretCases.map((each) => `${each.text}\n\n`).join("");
  const redacted = secretCases.map((each) => `${each.redacted}\n\n`).join("");
  expect(await printed(daemon, text)).toBe(redacted);
});

test("no secret is stored that stands in a prompt, a title or what is typed", async () => {
  const daemon = await startDaemon();
  const key = (letter: string): string => `sk-${letter.repeat(4)}a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0`;
  const prompt = `: ${key("p")}; read line`;
  const more = { title: `use ${key("t")}`, launchMode: "interactive" };
  const { id } = await launch(daemon, prompt, more);
  await daemon.client.call("input", { session: id, data: `${key("i")}\n` });
  await daemon.client.call("watch", { sessions: [id] });
  expect(holds(daemon, "[REDACTED]")).toBe(true);
  for (const letter of ["p", "t", "i"]) expect(holds(daemon, key(letter))).toBe(false);
});
