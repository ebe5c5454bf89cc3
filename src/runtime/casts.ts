/**
 * Cast Codes as published clients submit them: kept as they came, never parsed. One that names no session goes to a
 * record that stands for the composer itself, which no harness runs and which is made with the first of them.
 */
import { createHash, randomUUID } from "node:crypto";
import { Failure } from "../errors.ts";
import type { Store } from "../store/store.ts";
import { redactText } from "../text/redact.ts";
import type { Growth } from "./growth.ts";

/** The published id of that record. */
export const cockpitId = "__cockpit__";

const cockpit = {
  id: cockpitId,
  project_root: "(cockpit)",
  cwd: "(cockpit)",
  harness: "cockpit",
  title: "Cast Codes",
  launch_mode: "none",
};

/** Most a code may take in the log of a session, bytes of JSON: published clients give up on a longer event. */
const castBytesMax = 60_000;

export interface CastAnswer {
  readonly accepted: true;
  readonly cast_id: string;
  readonly echo: string;
}

/** The part of an intent that a cast needs. */
interface CastIntent {
  readonly key: string;
  readonly begun: string | undefined;
  readonly begin: (session: string) => void;
}

export class Casts {
  readonly #store: Store;
  readonly #growth: Growth;

  constructor(store: Store, growth: Growth) {
    this.#store = store;
    this.#growth = growth;
  }

  /** Throws `session_not_found` for a target that is none, `cast_too_large` for what its readers would not take. */
  async submit(code: string, target: string | null, intent: CastIntent | undefined): Promise<CastAnswer> {
    const session = target ?? cockpitId;
    const payload = {
      cast_id: castIdOf(code, intent),
      code: redactText(code),
      target,
    };
    if (target !== null) requireFits(target, JSON.stringify(payload));
    await this.#store.writeWhenFree(() => {
      const isKnown = this.#store.sessions.find(session) !== undefined;
      if (isKnown && intent?.begun !== undefined) return;
      if (!isKnown) this.#makeCockpit(session, intent);
      intent?.begin(session);
      this.#store.events.append(session, null, "cast", payload);
    });
    this.#growth.tell([session]);
    return {
      accepted: true,
      cast_id: payload.cast_id,
      echo: target === null ? payload.code : `${payload.code} → ${target}`,
    };
  }

  #makeCockpit(session: string, intent: CastIntent | undefined): void {
    if (session === cockpitId && intent?.begun === undefined)
      return this.#store.sessions.create(cockpit, null, "idle");
    throw new Failure("session_not_found", `there is no session ${session} to cast to`, {
      hint: "Name the id of a session, or no target.",
      details: { sessionId: session },
    });
  }
}

/** The same for a cast that is repeated, so that it can be answered again without a second row. */
const castIdOf = (code: string, intent: CastIntent | undefined): string => {
  const digits =
    intent === undefined
      ? randomUUID().replaceAll("-", "")
      : createHash("sha256").update(`${intent.key} ${code}`).digest("hex").slice(0, 32);
  return `cast-${digits}`;
};

function requireFits(session: string, payload: string): void {
  const bytes = Buffer.byteLength(payload);
  if (bytes <= castBytesMax) return;
  throw new Failure(
    "cast_too_large",
    `the code takes ${bytes} bytes of the log, at most ${castBytesMax} fit`,
    {
      hint: "Send long text as input, or without a target.",
      details: { sessionId: session, bytes, bytesMax: castBytesMax },
    },
  );
}
