/**
 * What callers have asked under an intent of their own, so that a call that is repeated does nothing twice.
 *
 * A row is written in the transaction of the effect, without a result: whoever finds it so knows what was begun by a
 * call that was never answered. The result follows when there is one.
 */
import type { Ledger } from "./database.ts";
import { now, statement } from "./rows.ts";

/** How long an intent is remembered, ms: a day. */
const rememberedMs = 24 * 60 * 60 * 1000;

export interface IntentKey {
  readonly caller: string;
  readonly action: string;
  readonly id: string;
}

export interface IntentRecord {
  /** Tells other arguments under the same intent. */
  readonly fingerprint: string;
  /** The session that the effect was on or made, where there is one. */
  readonly session_id: string | null;
  /** JSON text of the output; null while there is none, and after its session was sacrificed. */
  readonly result: string | null;
}

export type Intents = ReturnType<typeof openIntents>;

export function openIntents({ db }: Ledger) {
  const find = statement<IntentRecord>(
    db,
    `SELECT fingerprint, session_id, result FROM intents
     WHERE caller = :caller AND action = :action AND id = :id AND created_at > :since`,
  );
  const begin = statement(
    db,
    `INSERT INTO intents (caller, action, id, fingerprint, session_id, created_at)
     VALUES (:caller, :action, :id, :fingerprint, :session, :at)
     ON CONFLICT (caller, action, id) DO UPDATE SET
       fingerprint = excluded.fingerprint, session_id = excluded.session_id, result = NULL, created_at = excluded.created_at`,
  );
  const finish = statement(
    db,
    `INSERT INTO intents (caller, action, id, fingerprint, session_id, result, created_at)
     VALUES (:caller, :action, :id, :fingerprint, :session, :result, :at)
     ON CONFLICT (caller, action, id) DO UPDATE SET
       fingerprint = excluded.fingerprint, result = excluded.result, created_at = excluded.created_at`,
  );
  const forget = statement(
    db,
    "DELETE FROM intents WHERE caller = :caller AND action = :action AND id = :id",
  );
  const forgetResults = statement(
    db,
    `UPDATE intents SET result = NULL
     WHERE session_id = :session OR session_id = (SELECT lane_of FROM sessions WHERE id = :session)`,
  );
  const expire = statement(db, "DELETE FROM intents WHERE created_at <= :since");
  const oldestRemembered = (): string => new Date(Date.now() - rememberedMs).toISOString();

  return {
    find: (key: IntentKey): IntentRecord | undefined => find.get({ ...key, since: oldestRemembered() }),
    begin: (key: IntentKey, fingerprint: string, session: string | null): void => {
      expire.run({ since: oldestRemembered() });
      begin.run({ ...key, fingerprint, session, at: now() });
    },
    finish: (key: IntentKey, fingerprint: string, session: string | null, result: string): void => {
      finish.run({ ...key, fingerprint, session, result, at: now() });
    },
    forget: (key: IntentKey): void => {
      forget.run({ ...key });
    },
    /** What was answered about a session goes with it, and is forgotten while the session is still there; that something was done under the intent stays known. */
    forgetResults: (session: string): void => {
      forgetResults.run({ session });
    },
  };
}
