/** Which sessions are a familiar's, among the newest. */
import type { SessionStatus } from "../events.ts";
import type { KnownFamiliars } from "../runtime/familiars.ts";
import type { SessionRecord } from "../store/sessions.ts";
import { listedProject } from "./authority.ts";
import type { Context } from "./capability.ts";
import { folded } from "./nearest-names.ts";

/** Sessions that are looked at, the newest: who is meant by a name has been heard of lately. */
const sessionsMax = 1000;

interface Wanted {
  readonly projectRoot?: string | undefined;
  readonly includeArchived: boolean;
  readonly status?: SessionStatus;
}

/** Of one project or of all; of a run always of its own. */
export const newestSessions = (
  context: Context,
  { projectRoot, includeArchived, status }: Wanted,
): SessionRecord[] =>
  context.listSessions({
    projectRoot: listedProject(context, projectRoot),
    includeArchived,
    status,
    label: undefined,
    parent: undefined,
    attention: false,
    limit: sessionsMax,
    before: undefined,
  });

/** Launched for that familiar; where the harnesses are the familiars, also launched for none. */
export const isOf = (
  { familiar_id, harness }: Pick<SessionRecord, "familiar_id" | "harness">,
  familiar: string,
  source: KnownFamiliars["source"],
): boolean =>
  familiar_id === null
    ? source === "harnesses" && folded(harness) === folded(familiar)
    : folded(familiar_id) === folded(familiar);
