import { expect, test } from "vitest";
import { createQuerySplitter } from "../../src/text/terminal-queries.ts";

const esc = "\u001b";
const asked = [
  "[c",
  "[0c",
  "[>c",
  "[>0c",
  "[=c",
  "Z",
  "[5n",
  "[6n",
  "[?6n",
  "[?996n",
  "[?2026$p",
  "[4$p",
  "[1$w",
  "[x",
  "[>q",
  "[>0q",
  "[?4m",
  "[?1;1;0S",
  "[?u",
  "[14t",
  "[18t",
  "[21t",
  "]10;?\u0007",
  `]11;?${esc}\\`,
  `]4;1;?;2;?${esc}\\`,
  "]52;c;?\u0007",
  "]21;foreground=?\u0007",
  `P$qm${esc}\\`,
  `P+q544e;524742${esc}\\`,
  `_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA${esc}\\`,
];
const shown = [
  "plain é €\r\n",
  `${esc}[1;31mred${esc}[0m${esc}[m`,
  `${esc}[?25l${esc}[?2026h${esc}[2J${esc}[10;4H`,
  `${esc}]0;what is 11;?\u0007`,
  `${esc}]8;;https://example.org/?q=1${esc}\\link${esc}]8;;${esc}\\`,
  `${esc}]11;rgb:00/00/00\u0007${esc}]52;c;aGk=\u0007`,
  `${esc}[>1u${esc}[<u${esc}[>4;2m${esc}[22;0t${esc}[2 q`,
  `${esc}Pq#0;2;0;0;0~-${esc}\\${esc}_Ga=T,f=100;AAAA${esc}\\`,
  `${esc}(B${esc}7${esc}8${esc}=`,
];

function split(parts: readonly Buffer[]) {
  const splitter = createQuerySplitter();
  const given = parts.map((part) => splitter.push(part));
  return {
    queries: given.flatMap(({ queries }) => queries),
    others: Buffer.concat([...given.map(({ others }) => others), splitter.flush()]),
  };
}

test("every query is found and all else stays as it was, wherever it is cut", () => {
  for (const [index, query] of asked.entries()) {
    const [before = "", after = ""] = [shown[index % shown.length], shown[(index + 1) % shown.length]];
    const printed = Buffer.from(`${before}${esc}${query}${after}`);
    const expected = { queries: [query], others: Buffer.from(before + after) };
    for (let cut = 0; cut <= printed.length; cut += 1)
      expect(split([printed.subarray(0, cut), printed.subarray(cut)]), `${query} at ${cut}`).toEqual(
        expected,
      );
    const byByte = Array.from(printed, (byte) => Buffer.from([byte]));
    expect(split(byByte), `${query} by byte`).toEqual(expected);
  }
});

test("bytes that are no text pass unchanged, and an end that never becomes a query is given back", () => {
  const bytes = Buffer.from([0, 0xff, 0xc3, 0x1b, 0x5b, 0x33, 0x31, 0x6d, 0x1b, 0x5d, 0x31, 0x31, 0x3b]);
  expect(split([bytes])).toEqual({ queries: [], others: bytes });
  const splitter = createQuerySplitter();
  expect(splitter.push(bytes).others).toEqual(bytes.subarray(0, 8));
  expect(splitter.isHolding()).toBe(true);
});

test("what is held has a limit, however long a sequence goes on", () => {
  const splitter = createQuerySplitter();
  const long = Buffer.from(`${esc}P+q${"41;".repeat(1000)}`);
  expect(splitter.push(long).others).toEqual(long);
});
