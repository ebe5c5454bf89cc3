/**
 * The table of verbs. An action is a verb by itself (`action-verb.ts`); here stand those that do more than one call,
 * each loaded only when it is asked for.
 */
import type { Verb } from "./verb.ts";

const written: ReadonlyMap<string, () => Promise<readonly Verb[]>> = new Map([
  ["run", async () => [(await import("./verbs/run.ts")).run]],
  ["list", async () => [(await import("./verbs/list.ts")).list]],
  ["watch", async () => [(await import("./verbs/watch.ts")).watch]],
  ["rejoin", async () => [(await import("./verbs/rejoin.ts")).rejoin]],
  ["input", async () => [(await import("./verbs/input.ts")).input]],
  ["wake", async () => [(await import("./verbs/wake.ts")).wake]],
  ["changes", async () => [(await import("./verbs/changes.ts")).changes]],
  ["cast", async () => [(await import("./verbs/cast.ts")).cast]],
  ["output", async () => [(await import("./verbs/output.ts")).output]],
  ["daemon", async () => (await import("./verbs/daemon.ts")).daemonVerbs],
  ["mcp", async () => [(await import("./verbs/mcp-install.ts")).mcpInstall]],
  ["token", async () => [(await import("./verbs/token.ts")).token]],
  ["logs", async () => [(await import("./verbs/logs.ts")).logs]],
  ["prune", async () => [(await import("./verbs/prune.ts")).prune]],
  ["config", async () => [(await import("./verbs/config.ts")).config]],
  ["diagnostics", async () => [(await import("./verbs/diagnostics.ts")).diagnostics]],
  ["doctor", async () => [(await import("./verbs/doctor.ts")).doctor]],
]);

const aliases: ReadonlyMap<string, string> = new Map([["attach", "rejoin"]]);

/** The verb that is meant; all of them where there is none of that name, so that the nearest can be named. */
export async function verbsFor(name: string): Promise<readonly Verb[]> {
  const load = written.get(aliases.get(name) ?? name);
  if (load) return load();
  const found = (await actionVerbs()).filter((verb) => verb.name === name);
  return found.length > 0 ? found : allVerbs();
}

export async function allVerbs(): Promise<readonly Verb[]> {
  const loaded = await Promise.all([...written.values()].map((load) => load()));
  return [sessions, ...loaded.flat(), ...(await actionVerbs())];
}

async function actionVerbs(): Promise<readonly Verb[]> {
  const { actionVerb, actionNames } = await import("./action-verb.ts");
  return actionNames.filter((name) => !written.has(name)).map(actionVerb);
}

/** Taken out of the words before they are parsed (`words.ts`); here for the help. */
const sessions: Verb = {
  name: "sessions",
  summary: "The sessions: the same as list. Before any verb it changes nothing.",
  run: () => Promise.resolve(0),
};
