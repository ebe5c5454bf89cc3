/**
 * Finds where secrets may stand. One regular expression, `TRIGGER`, runs over everything; it stops at a single
 * byte (`-`, `_`, `=`, `:`, …) whose left side is the end of a label or of a token's prefix, which ordinary text
 * has hardly ever. Only there `judge` looks at what follows.
 *
 * No run of one format can contain the start of another run that is as long, so the work stays linear even on
 * text made of near-misses.
 */
import { judgeLabelled, LABEL_TRIGGER, USERINFO } from "./secret-labels.ts";
import { judgePem, PEM_TRIGGER } from "./secret-pem.ts";
import { judgeToken, PREFIXES } from "./secret-tokens.ts";
import type { Verdict } from "./secret-verdict.ts";

const TRIGGER_BYTES = ["-", "_", "I", "J"];
/** Branches by its first byte: a byte that is no trigger costs one comparison. */
export const TRIGGER = new RegExp(
  [
    ...TRIGGER_BYTES.map((byte) => {
      const endings = PREFIXES.filter((prefix) => prefix.endsWith(byte));
      return `${byte}(?<=${(byte === "-" ? [...endings, PEM_TRIGGER] : endings).join("|")})`;
    }),
    `[=:](?<=${LABEL_TRIGGER})`,
    `:(?<=${USERINFO})`,
  ].join("|"),
  "g",
);

/** What stands at a trigger. `isAll`: no more text will come, or none can be waited for. */
export const judge = (text: string, at: number, isAll: boolean): Verdict => {
  const place = { text, at, isAll };
  const sign = text[at - 1];
  if (sign === "=" || sign === ":") return judgeLabelled(place, sign);
  return judgeToken(place) ?? (sign === "-" ? judgePem(place) : undefined);
};
