/** The table of actions: whatever is in it is published on every surface. */
import type * as z from "zod";
import { answer } from "./answer.ts";
import { apiVersion } from "./api-version.ts";
import { archive } from "./archive.ts";
import { capabilities as discover } from "./capabilities.ts";
import type { Capability } from "./capability.ts";
import { changes } from "./changes.ts";
import { castCodes } from "./cast-codes.ts";
import { cast } from "./cast.ts";
import { complete } from "./complete.ts";
import { events } from "./events.ts";
import { familiars } from "./familiars.ts";
import { handoff } from "./handoff.ts";
import { harnessCapabilities } from "./harness-capabilities.ts";
import { health } from "./health.ts";
import { hook } from "./hook.ts";
import { input } from "./input.ts";
import { kill } from "./kill.ts";
import { list } from "./list.ts";
import { log } from "./log.ts";
import { output } from "./output.ts";
import { prune } from "./prune.ts";
import { record } from "./record.ts";
import { refresh } from "./refresh.ts";
import { register } from "./register.ts";
import { run } from "./run.ts";
import { sacrifice } from "./sacrifice.ts";
import { screen } from "./screen.ts";
import { status } from "./status.ts";
import { summon } from "./summon.ts";
import { tail } from "./tail.ts";
import { unwake } from "./unwake.ts";
import { wake } from "./wake.ts";
import { wakes } from "./wakes.ts";
import { watch } from "./watch.ts";

const table = [
  run,
  list,
  status,
  record,
  watch,
  events,
  output,
  tail,
  screen,
  changes,
  input,
  wake,
  wakes,
  unwake,
  answer,
  handoff,
  kill,
  archive,
  summon,
  sacrifice,
  prune,
  discover,
  health,
  refresh,
  apiVersion,
  harnessCapabilities,
  register,
  complete,
  log,
  hook,
  familiars,
  cast,
  castCodes,
] as const;

type Record = (typeof table)[number];

/** What each action takes and answers, by its name: the types of a client. */
export type Actions = {
  readonly [R in Record as R["name"]]: {
    readonly input: z.input<R["input"]>;
    readonly output: z.output<R["output"]>;
  };
};

const all: readonly Capability[] = table;

/** By name; a `Map`, because callers choose the name. */
export const capabilities: ReadonlyMap<string, Capability> = new Map(
  all.map((record) => [record.name, record]),
);
