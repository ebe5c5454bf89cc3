import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createRedactor, redactText } from "../../src/text/redact.ts";
import { innocentText, secretCases } from "./secrets.ts";

const redactPieces = (pieces: readonly Buffer[]): string => {
  const redactor = createRedactor();
  const passed = pieces.map((piece) => redactor.push(piece));
  return Buffer.concat([...passed, redactor.flush()]).toString("latin1");
};

const bytewise = (bytes: Buffer): Buffer[] => Array.from(bytes, (byte) => Buffer.from([byte]));

describe.each(secretCases)("$format", ({ text, redacted }) => {
  const bytes = Buffer.from(text);

  test("is redacted, and nothing around it", () => {
    expect(redactText(text)).toBe(redacted);
    expect(redactPieces([bytes])).toBe(redacted);
  });

  test("is redacted wherever the stream is cut, and byte by byte", () => {
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      expect(redactPieces([bytes.subarray(0, cut), bytes.subarray(cut)]), `cut at ${cut}`).toBe(redacted);
    }
    expect(redactPieces(bytewise(bytes))).toBe(redacted);
  });

  test("stays redacted when it is redacted again", () => {
    expect(redactText(redacted)).toBe(redacted);
  });
});

describe("what is no secret", () => {
  test.each(innocentText.split("\n").filter((line) => line !== ""))("passes unchanged: %s", (line) => {
    expect(redactText(line)).toBe(line);
    expect(redactPieces(bytewise(Buffer.from(`${line}\n`)))).toBe(`${line}\n`);
  });

  test("passes as the same Buffer, without a copy", () => {
    const chunk = Buffer.from("an ordinary line of output\n");
    expect(createRedactor().push(chunk)).toBe(chunk);
  });

  test("passes byte for byte when it is random or no UTF-8 at all", () => {
    const random = randomBytes(300_000);
    expect(redactPieces([random.subarray(0, 99_999), random.subarray(99_999)])).toBe(
      random.toString("latin1"),
    );
    const invalid = Buffer.from([0xff, 0xc3, 0x28, 0x80, 0x00, 0xed, 0xa0, 0x80, 0x0a]);
    expect(redactPieces(bytewise(invalid))).toBe(invalid.toString("latin1"));
  });

  test("keeps its invalid bytes beside a secret", () => {
    const bytes = Buffer.concat([
      Buffer.from([0xff, 0xfe]),
      Buffer.from(" API_KEY=abcdef123456 "),
      Buffer.from([0xc3]),
    ]);
    expect(redactPieces(bytewise(bytes))).toBe("\xff\xfe API_KEY=[REDACTED] \xc3");
  });
});

describe("what is held back", () => {
  test("is the value only: its label passes at once", () => {
    const redactor = createRedactor();
    expect(redactor.push(Buffer.from("api_key=")).toString()).toBe("api_key=");
    expect(redactor.heldBytes).toBe(0);
    expect(redactor.push(Buffer.from("abc12")).toString()).toBe("");
    expect(redactor.heldBytes).toBe(5);
    expect(redactor.push(Buffer.from("3def456 ok")).toString()).toBe("[REDACTED] ok");
    expect(redactor.heldBytes).toBe(0);
  });

  test("is nothing where no secret can begin", () => {
    const redactor = createRedactor();
    for (const text of ["hello", " world:", " 12 = 13", "\n$ ", "token", "password: "]) {
      expect(redactor.push(Buffer.from(text)).toString()).toBe(text);
    }
  });

  test("is the begun prefix of a token", () => {
    const redactor = createRedactor();
    expect(redactor.push(Buffer.from("see gh")).toString()).toBe("see ");
    expect(redactor.push(Buffer.from("ost")).toString()).toBe("ghost");
  });

  test("is bounded, whatever comes", () => {
    for (const start of [
      "password=",
      'password="',
      "sk-",
      "eyJ",
      "Cookie: a=",
      "http://u:",
      "-----BEGIN PRIVATE KEY-----\n",
    ]) {
      const redactor = createRedactor();
      redactor.push(Buffer.from(start));
      for (let count = 0; count < 40; count += 1) {
        redactor.push(Buffer.alloc(1000, "abcdefgh1"));
        expect(redactor.heldBytes, start).toBeLessThan(5000);
      }
    }
  });

  test("is redacted without an end when it is longer than any secret can be told", () => {
    const endless = "password=" + "a1B2c3D4".repeat(5000);
    expect(redactText(`${endless} after`)).toBe("password=[REDACTED] after");
    expect(redactPieces(bytewise(Buffer.from(`${endless} after`)))).toBe("password=[REDACTED] after");
  });

  test("is little of a PEM block, which is redacted as it streams", () => {
    const redactor = createRedactor();
    redactor.push(Buffer.from("-----BEGIN PRIVATE KEY-----\n"));
    expect(redactor.push(Buffer.from("MIIEvQIBADANBgkq")).toString()).toBe("[REDACTED]");
    expect(redactor.push(Buffer.from("hkiG9w0BAQEF\nAAS")).toString()).toBe("");
    expect(redactor.heldBytes).toBe(0);
    expect(redactor.push(Buffer.from("CBKcw\n-----END PRIVATE KEY-----")).toString()).toBe(
      "-----END PRIVATE KEY-----",
    );
  });

  test("of a PEM block that is cut off does not take the rest of its JSON along", () => {
    const text = '{"out":"-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQEF","type":"result"}';
    expect(JSON.parse(redactText(text))).toEqual({
      out: "-----BEGIN PRIVATE KEY-----\n[REDACTED]",
      type: "result",
    });
  });
});

describe("a flush", () => {
  const pushed = (redactor: ReturnType<typeof createRedactor>, text: string) =>
    redactor.push(Buffer.from(text)).toString();

  test("passes what is held and has not the shape of a secret", () => {
    const redactor = createRedactor();
    expect(pushed(redactor, "token: getTo")).toBe("token: ");
    expect(redactor.flush().toString()).toBe("getTo");
    expect(redactor.heldBytes).toBe(0);
    expect(pushed(redactor, "ken()\n")).toBe("ken()\n");
  });

  test("redacts what already has the shape, and what follows of the same secret does not leak", () => {
    const redactor = createRedactor();
    expect(pushed(redactor, "sk-ant-api03-abcdefgh1234")).toBe("");
    expect(redactor.flush().toString()).toBe("[REDACTED]");
    expect(pushed(redactor, "moreOfIt")).toBe("");
    expect(pushed(redactor, "5678 done API_KEY=abcdef123456 ")).toBe(" done API_KEY=[REDACTED] ");
  });

  test("in the middle of a value still lets the label be found for the rest", () => {
    const redactor = createRedactor();
    pushed(redactor, "API_KEY=abcd");
    expect(redactor.flush().toString()).toBe("abcd");
    expect(pushed(redactor, "ef123456 ok")).toBe("[REDACTED] ok");
  });

  test("at every position lets no more through than had passed by then", () => {
    const secret = `ghp_${"a1B2c3D4".repeat(5)}`;
    for (let cut = 0; cut <= secret.length; cut += 1) {
      const redactor = createRedactor();
      const first = pushed(redactor, `x ${secret.slice(0, cut)}`) + redactor.flush().toString();
      const second = pushed(redactor, `${secret.slice(cut)} y`) + redactor.flush().toString();
      expect([`x ${secret.slice(0, cut)}[REDACTED] y`, "x [REDACTED] y"]).toContain(first + second);
    }
  });

  test("of nothing is nothing", () => {
    const redactor = createRedactor();
    expect(redactor.flush()).toHaveLength(0);
    pushed(redactor, "plain");
    expect(redactor.flush()).toHaveLength(0);
  });
});

test("many secrets and near-misses in one stream are told apart the same way however it is cut", () => {
  const pieces = [
    ...secretCases.map(({ text }) => text),
    ...innocentText.split("\n"),
    "sk-",
    "password=",
    "eyJ",
    "x".repeat(70),
  ];
  let state = 7;
  const random = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below;
  for (let round = 0; round < 300; round += 1) {
    const text = Array.from({ length: 12 }, () => {
      const piece = pieces[random(pieces.length)] ?? "";
      return random(3) === 0 ? piece.slice(0, random(piece.length + 1)) : piece;
    }).join("");
    const bytes = Buffer.from(text, "latin1");
    const cuts: Buffer[] = [];
    for (let from = 0; from < bytes.length;) {
      const length = 1 + random(random(2) === 0 ? 6 : 200);
      cuts.push(bytes.subarray(from, from + length));
      from += length;
    }
    expect(redactPieces(cuts)).toBe(redactText(text));
  }
});

test("a word too long to be a label is none in a stream either, when its start is long gone", () => {
  const text = `${"x".repeat(300)}password=${"a1B2c3D4".repeat(100)} end`;
  expect(redactText(text)).toBe(text);
  expect(redactPieces(bytewise(Buffer.from(text)))).toBe(text);
});

test("text of nothing but near-misses takes a time that grows with its length only", () => {
  const starts = [
    "sk-",
    " sk-",
    "password=",
    'password="',
    "token:",
    "cookie:a=",
    "cookie: a={",
    "eyJabcd.",
    "://:",
    "?token=",
  ];
  for (const start of [
    ...starts,
    "-----BEGIN PRIVATE KEY-----\n",
    "key\\\\\\",
    "-",
    "=",
    "authorization: ",
  ]) {
    const text = start.repeat(2_000_000 / start.length);
    const began = performance.now();
    redactText(text);
    // Quadratic work on 2 MB would take minutes.
    expect(performance.now() - began, start).toBeLessThan(5000);
  }
});
