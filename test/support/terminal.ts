/** A person's terminal: a real pty with the CLI in it, and what is on it so far. */
import { spawn } from "node-pty";
import type { Coven } from "./coven.ts";

export interface Terminal {
  /** Everything that was printed. */
  readonly text: () => string;
  /** Resolves once this was printed. */
  readonly shows: (wanted: string) => Promise<void>;
  readonly type: (keys: string) => void;
  readonly resize: (columns: number, rows: number) => void;
  readonly exited: Promise<number>;
}

export function openTerminal({ bin, env, project }: Coven, args: readonly string[]): Terminal {
  const pty = spawn(`${bin}/coven`, [...args], { cols: 100, rows: 30, cwd: project, env: { ...env } });
  let text = "";
  const waiting = new Set<() => void>();
  pty.onData((printed) => {
    text += printed;
    for (const look of [...waiting]) look();
  });
  return {
    text: () => text,
    shows: (wanted) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!text.includes(wanted)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    type: (keys) => pty.write(keys),
    resize: (columns, rows) => pty.resize(columns, rows),
    exited: new Promise((resolve) => pty.onExit(({ exitCode }) => resolve(exitCode))),
  };
}
