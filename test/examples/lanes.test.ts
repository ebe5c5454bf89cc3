/** The worked example of the README, every line of it as it stands there. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { type Socket, createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { covenForFile, jsonIn } from "../support/coven.ts";

const { bin, env, folder, home, project, shell } = covenForFile();
const root = fileURLToPath(new URL("../..", import.meta.url));
/** Ten seconds on a quiet machine. */
const exampleMsMax = 90_000;

for (const name of ["claude", "codex"]) {
  rmSync(join(bin, name));
  symlinkSync(join(root, "test/fixtures/harnesses/edits.mjs"), join(bin, name));
}

function exampleLines(): string[] {
  const [, section = ""] = readFileSync(join(root, "README.md"), "utf8").split("\n## A worked example\n");
  const [, block = ""] = /^```sh\n([^]*?)^```$/m.exec(section) ?? [];
  return block.split("\n").filter((line) => line !== "");
}

const shells: ChildProcess[] = [];
afterAll(() => {
  for (const child of shells) child.kill("SIGKILL");
});

/** A shell at which lines are typed one after the other; each answers all that it printed. */
function openShell() {
  const child = spawn("/bin/sh", ["-s"], { cwd: folder, env, stdio: ["pipe", "pipe", "inherit"] });
  shells.push(child);
  const printed = child.stdout.setEncoding("utf8")[Symbol.asyncIterator]();
  child.stdin.write("exec 2>&1\n");
  return async (line: string): Promise<{ code: number; text: string }> => {
    child.stdin.write(`{ ${line}\n} </dev/null; printf '\\036%s\\036' $?\n`);
    let text = "";
    for (;;) {
      text += z.string().parse((await printed.next()).value);
      const [, said, code] = /^([^]*)\x1e(\d+)\x1e$/.exec(text) ?? [];
      if (said !== undefined) return { code: Number(code), text: said };
    }
  };
}

/** Keeps the first turn of every lane from ending until it is opened. */
async function closedGate() {
  const waiting = new Set<Socket>();
  const server = createServer((socket) => waiting.add(socket.on("error", () => undefined)));
  server.listen(join(folder, "gate"));
  await once(server, "listening");
  const open = (): void => {
    server.close();
    for (const socket of waiting) socket.destroy();
  };
  onTestFinished(open);
  return { open };
}

const told = z.object({ conversation: z.string(), prompt: z.string() });
const allTold = () =>
  readFileSync(join(folder, "told"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => told.parse(JSON.parse(line)));

const setup = `git init -q -b main . && git config user.name Somebody && git config user.email somebody@example.org &&
mkdir src && echo 'export const parse = JSON.parse;' > src/parse.js && git add -A && git commit -q -m begin`;

const constraint = "new constraint: no new dependencies";

test(
  "Three lanes in worktrees are told of a constraint, looked at, handed over, merged and cleaned up.",
  async () => {
    expect(await shell(setup)).toMatchObject({ code: 0, stderr: "" });
    const gate = await closedGate();
    const type = openShell();
    const lines = exampleLines();
    expect(lines.length).toBeGreaterThan(15);
    let transcript = "";
    let at = 0;
    /** Types what stands in the block up to the line that begins so, and answers what that one printed. */
    const through = async (start: string): Promise<string> => {
      for (;;) {
        const line = lines[at++];
        if (line === undefined) throw new Error(`the example has no line ${start} here:\n${transcript}`);
        const { code, text } = await type(line);
        transcript += `$ ${line}\n${text}`;
        expect(code, transcript).toBe(0);
        if (line.startsWith(start)) return text;
      }
    };
    const asked = async (line: string): Promise<string[]> =>
      (await type(line)).text.split("\n").filter((each) => each !== "");

    await through("c=");
    const ids = await asked('printf "%s\\n" "$a" "$b" "$c"');
    const [a = "", b = "", c = ""] = ids.map((id) => id.slice(0, 8));
    const branches = [a, b, c].map((id) => `coven/${id}`).sort();
    const allBranches = "git for-each-ref --format='%(refname:short)' refs/heads";
    expect(await asked(allBranches)).toEqual([...branches, "main"]);
    expect(await asked("git worktree list")).toHaveLength(4);

    const cast = await through("coven cast");
    for (const id of ids) expect(cast).toMatch(new RegExp(`told ${id} +wake \\S+ queued`));
    gate.open();
    const settled = await through("coven watch");
    for (const id of [a, b, c])
      expect(settled).toMatch(new RegExp(`^${id} completed .*said: I changed src/parse\\.js\\.$`, "m"));
    // Each conversation had its task, and then the constraint.
    const heard = new Map<string, string[]>();
    for (const { conversation, prompt } of allTold())
      heard.set(conversation, [...(heard.get(conversation) ?? []), prompt]);
    expect([...heard.values()].sort()).toEqual([
      ["speed up src/parse.js by reading ahead", constraint],
      ["speed up src/parse.js with a table", constraint],
      ["speed up src/parse.js with one regular expression", constraint],
    ]);

    const changes = await through("for lane in");
    expect(changes).toBe("src/parse.js  +2 -0\n1 file changed, +2 -0\n".repeat(3));
    const diffs = await Promise.all(
      ["with a table", "with one regular", "by reading"].map(async (way, place) => {
        const { stdout } = await shell(`coven changes ${ids[place] ?? ""} --diff`);
        return stdout.includes(`+// speed up src/parse.js ${way}`) && stdout.includes(`+// ${constraint}`);
      }),
    );
    expect(diffs).toEqual([true, true, true]);

    const packet = await through("coven handoff");
    expect(packet).toMatch(/^goal +speed up src\/parse\.js with a table$/m);
    expect(packet).toMatch(/src\/parse\.js.*modified \+2 -0/);
    expect(packet).toContain(`branch coven/${a}`);
    expect(await through("coven watch")).toContain("The table wants a test.");
    const carried = allTold().at(-1)?.prompt ?? "";
    expect(carried).toMatch(
      /^\[Coven\] Handed over from session .*\n\nYour task:\n\nwhat is missing there\?$/s,
    );
    expect(carried).toContain(`> - ${constraint}`);
    expect(carried).toContain("> - src/parse.js (modified +2 -0)");
    expect(carried).toContain(`branch coven/${a}`);

    expect(await through("git merge")).toContain("src/parse.js | 2 ++");
    expect(readFileSync(join(project, "src/parse.js"), "utf8")).toBe(
      `export const parse = JSON.parse;\n// speed up src/parse.js with a table\n// ${constraint}\n`,
    );
    expect(await asked("git log --format=%s main")).toEqual(["Speed up the parser", "begin"]);

    await through('coven sacrifice "$a"');
    expect(await asked(allBranches)).toEqual([...branches.filter((each) => !each.endsWith(a)), "main"]);
    // What the line says of it.
    expect(await type('coven sacrifice "$b" --yes')).toMatchObject({
      code: 65,
      text: expect.stringContaining("worktree_not_clean"),
    });
    await through('coven sacrifice "$d"');
    expect(at).toBe(lines.length);
    expect(await asked(allBranches)).toEqual(["main"]);
    expect(await asked("git worktree list")).toHaveLength(1);
    expect(await asked("git status --porcelain")).toEqual([]);
    expect(readdirSync(join(home, "worktrees"))).toEqual([]);
    const { stdout } = await shell("coven list --include-archived --json");
    expect(jsonIn(stdout)).toMatchObject({ sessions: [] });
  },
  exampleMsMax,
);
