/** The keys of a person who watches a session at a terminal: ctrl-] leaves it running. */
import { readFileSync } from "node:fs";

/** Leaves it with ctrl-], as telnet does; newer keyboard protocols send it as a sequence. */
const detachKeys = ["\u001d", "\u001b[93;5u", "\u001b[27;5;93~"];
const ctrlC = "\u0003";

/** Where ctrl-] stands in what was typed. */
export function leavingKeyIn(bytes: Buffer): number | undefined {
  const text = bytes.toString("latin1");
  const at = Math.min(...detachKeys.map((key) => text.indexOf(key)).filter((index) => index >= 0));
  return Number.isFinite(at) ? at : undefined;
}

/** Reads single keys while text is followed: ctrl-] calls `detach`, ctrl-c is a SIGINT as ever. Answers the way back. */
export function takeKeys(detach: () => void): () => void {
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY || !isForeground()) return () => undefined;
  const onKeys = (bytes: Buffer): void => {
    if (leavingKeyIn(bytes) !== undefined) detach();
    else if (bytes.includes(ctrlC)) process.kill(process.pid, "SIGINT");
  };
  stdin.setRawMode(true);
  stdin.on("data", onKeys);
  return () => {
    stdin.off("data", onKeys);
    stdin.setRawMode(false);
    stdin.pause();
  };
}

/** A job in the background that touches its terminal is stopped. Only Linux tells; elsewhere it is taken to be in front. */
function isForeground(): boolean {
  try {
    const stat = readFileSync("/proc/self/stat", "utf8");
    const [, , , group, , , terminalGroup] = stat.slice(stat.lastIndexOf(")") + 1).split(" ");
    return group === undefined || group === terminalGroup;
  } catch {
    return true;
  }
}
