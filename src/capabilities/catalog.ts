/** The catalog that clients discover: the published groups in their order, then ours, then one record per harness. */
import type { Harness } from "../runtime/harness/harness.ts";
import type { Capability, Context } from "./capability.ts";
import type { CapabilityRecord } from "./records.ts";

export async function catalogOf({
  actions,
  harnesses,
  environments,
  caller,
}: Context): Promise<CapabilityRecord[]> {
  const env = await environments.forCaller(caller.env);
  const control = (name: string): boolean => name.startsWith("coven.");
  const names = [...actions.keys()];
  return [
    group(
      "coven.sessions",
      "Sessions",
      names.filter((name) => !control(name) && !isRitual(actions.get(name))),
    ),
    absent("coven.travel", "Travel"),
    absent("coven.scheduler", "Scheduler"),
    group("coven.control.actions", "Control plane", names.filter(control)),
    {
      ...absent("desktop.automation", "Desktop automation"),
      adapter: "desktop-use",
      policy: "requiresApproval",
    },
    group(
      "coven.rituals",
      "Rituals",
      names.filter((name) => isRitual(actions.get(name))),
    ),
    ...harnesses.all().map((harness) => harnessRecord(harness, harnesses.locate(harness, env))),
  ];
}

const rituals: ReadonlySet<string> = new Set(["archive", "summon", "sacrifice"]);
const isRitual = (action: Capability | undefined): boolean =>
  action !== undefined && rituals.has(action.name);

const group = (id: string, label: string, actions: string[]): CapabilityRecord => ({
  id,
  label,
  adapter: "coven-daemon",
  status: "available",
  policy: "allow",
  actions,
});

/** What the published daemon has and this one does not, so that its clients can see that they must do without. */
const absent = (id: string, label: string): CapabilityRecord => ({
  ...group(id, label, []),
  status: "disabled",
});

function harnessRecord(harness: Harness, path: string | undefined): CapabilityRecord {
  return {
    id: `harness.${harness.id}`,
    label: harness.label,
    adapter: harness.source === "built in" ? "coven-daemon" : harness.source,
    status: path === undefined ? "missingSetup" : "available",
    policy: "allow",
    actions: ["run"],
    modes: harness.modes,
    authOwner: harness.authOwner,
    ...(path === undefined ? { hint: harness.installHint } : { path }),
  };
}
