/** The words of the command line before they are parsed: which verb is meant. */

/** Options of every verb that have a value. */
const valued: ReadonlySet<string> = new Set(["--home", "--url", "--token"]);

export interface Words {
  /** `sessions` is taken out: the verb behind it stands for itself, and alone it lists. */
  readonly words: readonly string[];
  readonly verb: string | undefined;
}

export function plainWords(argv: readonly string[]): Words {
  const at = verbPlace(argv);
  const verb = argv[at];
  if (verb === undefined) return { words: argv.length === 0 ? ["--help"] : argv, verb };
  const before = argv.slice(0, at);
  const after = argv.slice(at + 1);
  if (verb === "help") return { words: [...before, ...after, "--help"], verb: after[0] };
  if (verb !== "sessions") return { words: argv, verb };
  const next = after[0];
  if (next === undefined || next.startsWith("-"))
    return { words: [...before, "list", ...after], verb: "list" };
  return { words: [...before, ...after], verb: next };
}

function verbPlace(argv: readonly string[]): number {
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at] ?? "";
    if (valued.has(word)) at += 1;
    else if (!word.startsWith("-")) return at;
  }
  return argv.length;
}
