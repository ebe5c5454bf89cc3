/** Sessions that ask for things themselves: lanes that leave their token behind, and clients that show it. */
import { existsSync, readFileSync, watch as watchFolder } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { z } from "zod";
import { type Client, createClient } from "../../src/rpc/client.ts";
import type { TestDaemon } from "./daemon.ts";

export interface Run {
  readonly id: string;
  readonly project: string;
  readonly token: string;
  /** Asks as this run. */
  readonly client: Client;
}

const launched = z.object({ id: z.string() });

/** Lives until it is killed; what it was given in its environment stands in a file. */
const leavesToken = (file: string): string =>
  `printf %s "$COVEN_TOKEN" > ${file}.part; mv ${file}.part ${file}; exec sleep 1000`;

/** Launches a live session, as the owner or as the run that the client speaks for. */
export async function launchRun(
  { socket }: Pick<TestDaemon, "socket">,
  by: Client,
  project: string,
  more: object = {},
): Promise<Run> {
  const file = `token-${Math.random().toString(36).slice(2)}`;
  const prompt = leavesToken(join(project, file));
  const { id } = launched.parse(
    await by.call("run", { harness: "shell", projectRoot: project, prompt, title: "lives", ...more }),
  );
  const watcher = watchFolder(project);
  onTestFinished(() => watcher.close());
  while (!existsSync(join(project, file))) await once(watcher, "change");
  const token = readFileSync(join(project, file), "utf8");
  return { id, project, token, client: createClient({ kind: "socket", path: socket, token }, "test") };
}
