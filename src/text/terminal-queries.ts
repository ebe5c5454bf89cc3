/**
 * What a program asks its terminal, found in what it prints: status and position, attributes, modes, colours, sizes,
 * capabilities, keyboard protocol, clipboard, graphics. A terminal that is shown a query answers it, as if typed, so
 * that only one may ever see it, and none that comes later.
 */

const terminator = String.raw`(?:\u0007|\u001b\\)`;

/** What follows the escape. */
const forms = [
  // DA1, DA2, DA3, and DECID, their forerunner
  String.raw`\[[>=]?\d*c`,
  "Z",
  // DSR, also of private modes
  String.raw`\[\??\d+n`,
  // DECRQM, DECRQPSR, DECREQTPARM
  String.raw`\[\??\d+\$p`,
  String.raw`\[\d\$w`,
  String.raw`\[[01]?x`,
  // XTVERSION, XTQMODKEYS, XTSMGRAPHICS, kitty's keyboard
  String.raw`\[>\d*q`,
  String.raw`\[\?\d+m`,
  String.raw`\[\?\d+;[14](?:;\d+)*S`,
  String.raw`\[\?u`,
  // Window and cell sizes, titles
  String.raw`\[(?:1[1345689]|2[01])(?:;\d)?t`,
  // Colours, clipboard
  String.raw`\](?:[45](?:;\d+;\?)+|1\d(?:;\?)+|21(?:;\w+=\?)+|52;\w*;\?)${terminator}`,
  // XTGETTCAP, DECRQSS
  String.raw`P[+$]q[^\u001b]*\u001b\\`,
  // Kitty's graphics, asked whether they are understood
  String.raw`_G[^\u001b]*a=q[^\u001b]*\u001b\\`,
];
const queries = new RegExp(String.raw`\u001b(?:${forms.join("|")})`, "g");

/** An end that may become a query with what follows. */
const unfinished =
  /\u001b(?:\[[?>=]?[\d;]*\$?|\][\w;?=]*\u001b?|P(?:[+$](?:q[^\u001b]*\u001b?)?)?|_(?:G[^\u001b]*\u001b?)?)?$/;

/** Longest query that is known for one when it is cut in two, bytes: XTGETTCAP may name a dozen capabilities. */
const queryBytesMax = 512;

export interface QuerySplit {
  /** The queries without their escape. */
  readonly queries: readonly string[];
  readonly others: Buffer;
}

export interface QuerySplitter {
  /** Splits what was printed; an end that may become a query is held until more comes. */
  readonly push: (bytes: Buffer) => QuerySplit;
  /** What is held, which is held no longer. */
  readonly flush: () => Buffer;
  readonly isHolding: () => boolean;
}

export function createQuerySplitter(): QuerySplitter {
  let held = "";
  return {
    push(bytes) {
      if (held === "" && !bytes.includes(0x1b)) return { queries: [], others: bytes };
      // Each byte is one character, so that what is no query comes out as it went in.
      const text = held + bytes.toString("latin1");
      held = unfinished.exec(text.slice(-queryBytesMax))?.[0] ?? "";
      const whole = held === "" ? text : text.slice(0, -held.length);
      const found: string[] = [];
      const others = whole.replace(queries, (query) => {
        found.push(query.slice(1));
        return "";
      });
      return { queries: found, others: Buffer.from(others, "latin1") };
    },
    flush() {
      const rest = Buffer.from(held, "latin1");
      held = "";
      return rest;
    },
    isHolding: () => held !== "",
  };
}
