/**
 * Sets one key of one table in a TOML text and leaves every other character as it is. It reads no more of TOML than
 * it takes to know where tables, keys and values begin and end; what is written in a way that a key could only be set
 * twice, or that cannot be read, is refused.
 */

/** Why the text is not changed. */
export class TomlRefusal extends Error {}

interface Table {
  readonly path: readonly string[];
  readonly isArray: boolean;
  /** Behind the line of its header, or of its last key. */
  readonly end: number;
}

interface Entry {
  readonly table: readonly string[];
  /** With the table's. */
  readonly path: readonly string[];
  readonly valueAt: number;
  readonly valueEnd: number;
}

/** `value` gets what stands there, as it is written. */
export interface TomlKey {
  readonly table: readonly string[];
  readonly key: string;
  readonly value: (written: string | undefined) => string;
}

export function setTomlKey(text: string, { table, key, value }: TomlKey): string {
  const { tables, entries } = scan(text);
  const twice =
    entries.some((entry) => isAnotherWay(entry, table)) || tables.some((each) => isList(each, table));
  if (twice) throw new TomlRefusal(`it has [${table.join(".")}] written in another way`);
  const entry = entries.find((each) => same(each.table, table) && same(each.path, [...table, key]));
  if (entry) {
    const { valueAt, valueEnd } = entry;
    return text.slice(0, valueAt) + value(text.slice(valueAt, valueEnd)) + text.slice(valueEnd);
  }
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  const line = `${key} = ${value(undefined)}${newline}`;
  const found = tables.find(({ path }) => same(path, table));
  if (found) return insert(text, found.end, line, newline);
  const header = `[${table.map(bare).join(".")}]${newline}`;
  // Beside its relatives, at the end where it has none.
  const near = tables.filter(({ path }) => path.length > 1 && startsWith(path, table.slice(0, 2))).at(-1);
  const place = near?.end ?? text.length;
  const gap = text.slice(0, place).trim() === "" ? "" : newline;
  return insert(text, place, gap + header + line, newline);
}

export const hasTomlKey = (text: string, table: readonly string[], key: string): boolean =>
  scan(text).entries.some(({ path }) => same(path, [...table, key]));

function insert(text: string, at: number, lines: string, newline: string): string {
  const before = text.slice(0, at);
  return (before === "" || before.endsWith("\n") ? before : before + newline) + lines + text.slice(at);
}

const bare = (part: string): string => (/^[\w-]+$/.test(part) ? part : JSON.stringify(part));

/** Inside an inline table, or by dotted keys from further up: a header for it would be a second definition. */
const isAnotherWay = ({ table: where, path }: Entry, table: readonly string[]): boolean =>
  startsWith(table, path) || (startsWith(path, table) && !startsWith(where, table));

const isList = ({ path, isArray }: Table, table: readonly string[]): boolean =>
  isArray && startsWith(table, path);

const startsWith = (path: readonly string[], start: readonly string[]): boolean =>
  start.length <= path.length && start.every((part, index) => part === path[index]);

const same = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && startsWith(one, other);

function scan(text: string): { tables: Table[]; entries: Entry[] } {
  const tables: Table[] = [];
  const entries: Entry[] = [];
  let table: readonly string[] = [];
  let at = 0;
  const refuse = (): never => {
    throw new TomlRefusal(`line ${text.slice(0, at).split("\n").length} cannot be read as TOML`);
  };
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const [found] = pattern.exec(text) ?? [];
    if (found !== undefined) at += found.length;
    return found;
  };
  const takePath = (): string[] => {
    const parts: string[] = [];
    do {
      take(/[ \t]*/y);
      parts.push(partOf(take(/[\w-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y) ?? refuse()));
      take(/[ \t]*/y);
    } while (take(/\./y) !== undefined);
    return parts;
  };
  const endLine = (): void => {
    take(/[ \t]*(?:#[^\n]*)?/y);
    if (at < text.length && take(/\r?\n/y) === undefined) refuse();
  };
  const takeValue = (): void => {
    let depth = 0;
    while (at < text.length) {
      if (take(strings) !== undefined) continue;
      if (take(/[[{]/y) !== undefined) depth += 1;
      else if (take(/[\]}]/y) !== undefined) depth -= 1;
      else if (depth === 0 && /[\n#]/.test(text[at] ?? "")) return;
      else if (take(/#[^\n]*|[^"'[\]{}#\n]+|\n/y) === undefined) refuse();
      if (depth < 0) refuse();
    }
    if (depth > 0) refuse();
  };
  while (at < text.length) {
    if (take(/\s+|#[^\n]*/y) !== undefined) continue;
    const open = take(/\[\[?/y);
    if (open !== undefined) {
      table = takePath();
      if (take(open === "[" ? /\]/y : /\]\]/y) === undefined) refuse();
      endLine();
      tables.push({ path: table, isArray: open === "[[", end: at });
      continue;
    }
    const path = [...table, ...takePath()];
    if (take(/=[ \t]*/y) === undefined) refuse();
    const valueAt = at;
    takeValue();
    const valueEnd = valueAt + text.slice(valueAt, at).trimEnd().length;
    if (valueEnd === valueAt) refuse();
    endLine();
    entries.push({ table, path, valueAt, valueEnd });
    const last = tables.pop();
    if (last) tables.push({ ...last, end: at });
  }
  return { tables, entries };
}

/** Of several lines first, whose quotes begin as those of one line do. */
const strings =
  /"""(?:[^\\]|\\[^])*?"{3,5}(?!")|'''[^]*?'{3,5}(?!')|"(?!"")(?:[^"\\\n]|\\.)*"|'(?!'')[^'\n]*'/y;

/** A key as it is meant: escapes of one that is quoted are those of JSON, as far as anybody uses them. */
function partOf(written: string): string {
  if (written.startsWith("'")) return written.slice(1, -1);
  if (!written.startsWith('"')) return written;
  try {
    return String(JSON.parse(written));
  } catch {
    return written; // an escape that JSON has not: no key of ours in any case
  }
}
