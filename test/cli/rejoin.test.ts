import { describe, expect, it } from "vitest";
import { covenForFile } from "../support/coven.ts";
import { openTerminal } from "../support/terminal.ts";

const made = covenForFile();
const { coven, launch, project } = made;

describe("rejoin in a terminal", () => {
  it("replays, forwards keys and window sizes, and leaves the session running on ctrl-]", async () => {
    const { id } = await launch("codex", "--mode", "interactive", "look");
    const terminal = openTerminal(made, ["rejoin", id.slice(0, 8)]);
    await terminal.shows("screen 80x24");
    // The size of this terminal is given to the session as soon as it is attached.
    await terminal.shows("window 100x30");
    terminal.type("a");
    await terminal.shows('keys "a"');
    terminal.resize(120, 40);
    await terminal.shows("window 120x40");
    terminal.type("b\u001d");
    expect(await terminal.exited).toBe(0);
    expect(terminal.text()).toContain("goes on");
    expect((await coven(["status", id])).stdout).toMatch(/^active +yes$/m);
    await coven(["watch", id, "--match", 'keys "b"', "--cursor", "0"]);
    await coven(["kill", id]);
  });

  it("gives the terminal back at the end: screen left, cursor shown, and exits as the run did", async () => {
    const { id } = await launch("codex", "--mode", "interactive", "look");
    const terminal = openTerminal(made, ["attach", id]);
    await terminal.shows("window 100x30");
    terminal.type("q");
    expect(await terminal.exited).toBe(7);
    const last = terminal.text().slice(terminal.text().lastIndexOf("\u001b[?1049h"));
    expect(last).toContain("\u001b[?1049l");
    expect(last).toContain("\u001b[?25h");
    expect(last).toContain("failed (exit 7)");
  });

  it("is what run does there", async () => {
    const terminal = openTerminal(made, ["run", "codex", "look"]);
    // As its screen's first size or as the next one: it may be there sooner than this terminal is attached.
    await terminal.shows("100x30");
    terminal.type("q");
    expect(await terminal.exited).toBe(7);
  });

  it("stays over a restart of the daemon, showing nothing twice", async () => {
    const { id } = await launch("codex", "--mode", "interactive", "look");
    const terminal = openTerminal(made, ["rejoin", id]);
    await terminal.shows("window 100x30");
    terminal.type("a");
    await terminal.shows('keys "a"');
    await coven(["daemon", "restart"]);
    await coven(["input", id, "z"]);
    await terminal.shows('keys "z"');
    expect(terminal.text().split('keys "a"')).toHaveLength(2);
    await coven(["kill", id]);
    expect(await terminal.exited).toBe(73);
  });

  it("says that the daemon is away, keeps the keys for it, and still leaves afterwards", async () => {
    const { id } = await launch("codex", "--mode", "interactive", "look");
    const terminal = openTerminal(made, ["rejoin", id]);
    await terminal.shows("window 100x30");
    await coven(["daemon", "stop", "--keep"]);
    await terminal.shows("coven: the daemon is away; waiting for it, ctrl-] leaves");
    terminal.type("h");
    await coven(["daemon", "start"]);
    await terminal.shows('keys "h"');
    terminal.type("\u001d");
    expect(await terminal.exited).toBe(0);
    await coven(["kill", id]);
  });

  it("leaves at once while the daemon is away", async () => {
    const { id } = await launch("codex", "--mode", "interactive", "look");
    const terminal = openTerminal(made, ["rejoin", id]);
    await terminal.shows("window 100x30");
    await coven(["daemon", "stop", "--keep"]);
    terminal.type("\u001d");
    expect(await terminal.exited).toBe(0);
    expect(terminal.text()).toContain("goes on");
    await coven(["kill", id]);
  });

  it("looks on while another terminal is at the keys, says so, and takes them when asked to", async () => {
    const { id } = await launch("codex", "--mode", "interactive", "look");
    const first = openTerminal(made, ["rejoin", id]);
    await first.shows("window 100x30");
    const second = openTerminal(made, ["rejoin", id]);
    await second.shows(`coven rejoin --take ${id.slice(0, 8)} takes them`);
    second.type("x");
    await second.shows("\u0007");
    second.type("\u001d");
    expect(await second.exited).toBe(0);
    const third = openTerminal(made, ["rejoin", "--take", id]);
    await third.shows("screen 80x24");
    await first.shows("coven: another terminal is at the keys");
    third.type("t");
    await Promise.all([first.shows('keys "t"'), third.shows('keys "t"')]);
    expect(first.text()).not.toContain('keys "x"');
    const fourth = openTerminal(made, ["rejoin", "--view", id]);
    await fourth.shows('keys "t"');
    expect(fourth.text()).not.toContain("another terminal");
    third.type("q");
    expect(await Promise.all([first.exited, third.exited, fourth.exited])).toEqual([7, 7, 7]);
  });

  it("leaves a structured session running on ctrl-], and exits 130 on ctrl-c", async () => {
    const terminal = openTerminal(made, ["run", "codex", "stay", "--mode", "nonInteractive"]);
    await terminal.shows(`done in ${project}`);
    terminal.type("\u001d");
    expect(await terminal.exited).toBe(0);
    const [, id = ""] = /session (\w{8}) goes on/.exec(terminal.text()) ?? [];
    const again = openTerminal(made, ["rejoin", id]);
    await again.shows(`done in ${project}`);
    again.type("\u0003");
    expect(await again.exited).toBe(130);
    expect((await coven(["status", id])).stdout).toMatch(/^active +yes$/m);
    const last = openTerminal(made, ["rejoin", id]);
    await last.shows(`done in ${project}`);
    await coven(["kill", id]);
    expect(await last.exited).toBe(73);
    expect(last.text()).toContain(`coven: session ${id} killed`);
  });
});

describe("rejoin without a terminal", () => {
  it("prints a terminal session's bytes as they were and exits as the run did", async () => {
    const { id } = await launch("codex", "--mode", "interactive", "look");
    const rejoined = coven(["rejoin", id]);
    await coven(["watch", id, "--match", "screen", "--cursor", "0"]);
    await coven(["input", id, "q"]);
    const { code, stdout } = await rejoined;
    expect(code).toBe(7);
    expect(stdout).toBe('\u001b[?1049h\u001b[32mscreen 80x24\u001b[0m\r\nkeys "q"\r\n');
  });

  it("reads a structured session like a conversation", async () => {
    const { id } = await launch("claude", "look");
    const { code, stdout } = await coven(["rejoin", id]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "> look\nI looked at it.\n" });
  });

  it("replays a session that ended long ago", async () => {
    const { id } = await launch("codex", "exit 6");
    await coven(["watch", id]);
    expect(await coven(["rejoin", id])).toMatchObject({ code: 6, stdout: `> exit 6\ndone in ${project}\n` });
  });
});
