/** Parsing texts with Cast Codes: what a person writes, and as many codes as fit, each also ten times as long. */
import { parseCastText } from "../src/capabilities/cast-code.ts";
import type { Measured } from "./report.ts";
import { median } from "./statistics.ts";

const length = 200;
const charactersPerTurn = 100 * length;

const texts = {
  written: `Look at ~?sage first. ~cody: review this diff (not ~/notes), "as it is", and say what is wrong
~* "new constraint: local-only" ~^"Nova Star": go on with the parser, it is about half done now, ~5 files to go`,
  dense: "~a: b ".repeat(length),
};

export async function castCodes(): Promise<Measured[]> {
  return Object.entries(texts).flatMap(([name, text]) => {
    const once = text.slice(0, length).padEnd(length);
    const [short, long] = parsedInTurns(once, once.repeat(10));
    const what =
      name === "written" ? "200 characters with Cast Codes" : "200 characters of nothing but Cast Codes";
    return [
      { what: `${what}, p50`, value: short, unit: "µs", limit: { of: "value", max: 20 } },
      {
        what: "ten times as long, p50",
        value: long,
        baseline: short,
        unit: "µs",
        // Linear, with room for what a busy machine does to either.
        limit: { of: "ratio", max: 12 },
        note: "baseline: 200 characters",
      },
    ] satisfies Measured[];
  });
}

/** In turns of as many characters each, since a longer turn is more often interrupted; a clock read costs a parse. */
function parsedInTurns(...each: readonly [string, string]): [number, number] {
  const samples = each.map((): number[] => []);
  for (let turn = -50; turn < 500; turn += 1) {
    for (const [index, text] of each.entries()) {
      const parses = charactersPerTurn / text.length;
      const start = performance.now();
      for (let count = 0; count < parses; count += 1) parseCastText(text);
      const microseconds = ((performance.now() - start) * 1000) / parses;
      if (turn >= 0) samples[index]?.push(microseconds);
    }
  }
  const [short = [], long = []] = samples;
  return [median(short), median(long)];
}
