/** Sessions and wakes by a prefix of their id: a convenience of the CLI alone, every other surface takes whole ids. */
import * as z from "zod";
import { listPage, pageSizeMax } from "../capabilities/list.ts";
import { wakes, wakesMax } from "../capabilities/wakes.ts";
import { Failure } from "../errors.ts";
import { oneLine } from "./text.ts";
import type { Cli } from "./verb.ts";

/** Characters of an id in what people read. */
const shownCharacters = 8;
/** Candidates named when a prefix fits several. */
const namedMax = 10;

export const shortId = (id: string): string => id.slice(0, shownCharacters);

const wholeId = z.uuid();

/** The whole id. Throws `session_not_found` or, naming the candidates, `ambiguous_id`. */
export async function resolveId(cli: Cli, given: string): Promise<string> {
  if (wholeId.safeParse(given).success) return given;
  try {
    await cli.call("record", { session: given });
    return given;
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "session_not_found" || given === "") throw error;
    const found = await sessionsThatBegin(cli, given);
    const [first, second] = found;
    if (first === undefined) throw error;
    if (second === undefined) return first.id;
    throw ambiguous("sessions", given, found);
  }
}

/** The whole id of a wake, among the newest of those that wait, and then of all; what is none is for the action to refuse. */
export async function resolveWake(cli: Cli, given: string): Promise<string> {
  if (wholeId.safeParse(given).success || given === "") return given;
  for (const all of [false, true]) {
    const listed = wakes.output.parse(await cli.call("wakes", { all, limit: wakesMax }));
    const found = listed.wakes.filter(({ wake }) => wake.startsWith(given));
    const [first, second] = found;
    if (second !== undefined) {
      const candidates = found.map(({ wake, state, message }) => ({
        id: wake,
        status: state,
        title: message,
      }));
      throw ambiguous("wakes", given, candidates);
    }
    if (first !== undefined) return first.wake;
  }
  return given;
}

interface Candidate {
  readonly id: string;
  readonly title: string;
  readonly status: string;
}

async function sessionsThatBegin(cli: Cli, prefix: string): Promise<Candidate[]> {
  const found: Candidate[] = [];
  let cursor: string | null | undefined;
  do {
    const args = { includeArchived: true, limit: pageSizeMax, ...(cursor === undefined ? {} : { cursor }) };
    const page = listPage.parse(await cli.call("list", args));
    found.push(...page.sessions.filter(({ id }) => id.startsWith(prefix)));
    cursor = page.nextCursor;
  } while (cursor !== null);
  return found;
}

function ambiguous(what: string, given: string, found: readonly Candidate[]): Failure {
  const candidates = found.slice(0, namedMax).map(({ id, title, status }) => ({ id, title, status }));
  const named = candidates
    .map(({ id, status, title }) => `  ${id}  ${status}  ${oneLine(title, 60)}`)
    .join("\n");
  return new Failure("ambiguous_id", `${found.length} ${what} begin with ${given}:\n${named}`, {
    hint: "Give more characters of the id.",
    details: { given, candidates },
  });
}
