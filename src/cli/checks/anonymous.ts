/** What is to be shown to others: secrets, the owner's name and the places that tell it are replaced. */
import { realpathSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import type { Home } from "../../home.ts";
import { redactText } from "../../text/redact.ts";

/** Longest text that is kept, characters; entries of a list are not counted, whoever collects them does. */
const charactersMax = 2000;

/** Answers a value of JSON with every text in it made anonymous; what is undefined is left out. */
export function createAnonymiser(home: Home): (value: unknown) => unknown {
  const user = userInfoOrNone();
  const places = [
    ...(home.isDefault ? [] : pathsOf(home.root).map((path) => [path, "$COVEN_HOME"] as const)),
    ...[homedir(), user.homedir].flatMap(pathsOf).map((path) => [path, "~"] as const),
  ];
  const name = user.username === "" ? undefined : wholeWord(user.username);

  const text = (given: string): string => {
    const inPlaces = places.reduce(
      (left, [path, stands]) => left.replaceAll(path, stands),
      redactText(given),
    );
    const anonymous = name === undefined ? inPlaces : inPlaces.replace(name, "<user>");
    return anonymous.length <= charactersMax ? anonymous : `${anonymous.slice(0, charactersMax)}…`;
  };
  const anonymous = (value: unknown): unknown => {
    if (typeof value === "string") return text(value);
    if (Array.isArray(value)) return value.map(anonymous);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, anonymous(inner)]));
  };
  return anonymous;
}

/** The path and what it leads to; the root of everything says nothing of anybody. */
function pathsOf(path: string): string[] {
  if (path.length < 2) return [];
  try {
    return [...new Set([path, realpathSync(path)])];
  } catch {
    return [path]; // not there, and still told
  }
}

const wholeWord = (word: string): RegExp =>
  new RegExp(`(?<![\\w-])${word.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}(?![\\w-])`, "g");

/** A user without an entry of its own, as in some containers, has no name to hide. */
function userInfoOrNone(): { readonly username: string; readonly homedir: string } {
  try {
    return userInfo();
  } catch {
    return { username: "", homedir: "" };
  }
}
