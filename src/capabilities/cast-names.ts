/** Whom a name in a Cast Code means: a familiar, or the sessions that a client has given that name. */
import type { Familiar } from "../runtime/familiars.ts";
import type { SessionRecord } from "../store/sessions.ts";
import { folded, nearestNames } from "./nearest-names.ts";

export type NamedFamiliar = Pick<Familiar, "id" | "label" | "projectRoot">;

export interface Named {
  readonly kind: "named";
  readonly id: string;
  /** Undefined for a name that only sessions have. */
  readonly familiar: NamedFamiliar | undefined;
}

/** Unknown, or ambiguous. */
export interface Misnamed {
  readonly kind: "misnamed";
  readonly message: string;
  /** The names that may have been meant: the nearest, or those that it fits. */
  readonly nearest: readonly string[];
}

interface Names {
  readonly familiars: readonly NamedFamiliar[];
  readonly sessions: readonly Pick<SessionRecord, "familiar_id">[];
}

/** As many as can be read at a glance. */
const namedMax = 10;

/** By id before label, and a familiar before the name of sessions. */
export function whoIs(name: string, { familiars, sessions }: Names): Named | Misnamed {
  const isIt = (text: string | null): boolean => text !== null && folded(text) === folded(name);
  const byId = familiars.filter(({ id }) => isIt(id));
  const fitting = byId.length > 0 ? byId : familiars.filter(({ label }) => isIt(label));
  const [familiar, another] = fitting;
  if (another !== undefined) {
    const ids = fitting.map(({ id }) => id);
    const message = `${name} may be any of ${ids.join(", ")}, which have that label`;
    return { kind: "misnamed", message, nearest: ids };
  }
  if (familiar !== undefined) return { kind: "named", id: familiar.id, familiar };
  const label = sessions.find(({ familiar_id }) => isIt(familiar_id))?.familiar_id;
  if (label) return { kind: "named", id: label, familiar: undefined };
  return unknown(name, { familiars, sessions });
}

/** Names the nearest. */
export function unknown(name: string, { familiars, sessions }: Names): Misnamed {
  const names = [
    ...familiars.flatMap(({ id, label }) => [id, label]),
    ...sessions.flatMap(({ familiar_id }) => familiar_id ?? []),
  ];
  // Of those that are one name the first, which is the familiar's own.
  const different = new Map([...names].reverse().map((each) => [folded(each), each]));
  const nearest = nearestNames(name, [...different.values()].reverse());
  const known = familiars.map(({ id }) => id).slice(0, namedMax);
  const help =
    nearest.length > 0
      ? `perhaps ${nearest.join(" or ")}`
      : known.length > 0
        ? `known are ${known.join(", ")}`
        : "none is known";
  return { kind: "misnamed", message: `there is no familiar ${name}; ${help}`, nearest };
}
