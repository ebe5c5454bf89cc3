/**
 * `$COVEN_HOME/familiars.json`: `{"familiars": [{"id": "sage", "harness": "claude", …}]}`. What is wrong with one of
 * them is named with file, key and reason, and leaves out that one: a persona that was meant to be held to less must
 * not run with the usual.
 */
import { isAbsolute } from "node:path";
import * as z from "zod";
import { launchModes, permissions } from "./harness/harness.ts";
import { readTrustedFile } from "./harness/trusted-file.ts";

/** Bytes: dozens of familiars with long instructions have a tenth of it. */
const fileBytesMax = 1024 * 1024;

/** Longest instructions, bytes: they go to the harness as an argument, beside the prompt and Coven's own text. */
const instructionBytesMax = 16 * 1024;

/** Longest name, characters. Longer ones cannot be listed, and nobody types them. */
const nameCharactersMax = 64;

const nameError = `must be 1 to ${nameCharactersMax} characters without white space around them or line breaks`;
const name = z
  .string({ error: nameError })
  .refine((text) => text === text.trim() && text !== "" && text.length <= nameCharactersMax, nameError)
  .refine((text) => !/\p{Cc}/u.test(text), nameError);

const oneOf = (values: readonly [string, ...string[]]): string => `must be ${values.join(" or ")}`;

const familiar = z.strictObject({
  id: name,
  label: name.optional(),
  harness: z.string({ error: "must be the id of a harness" }).min(1, "must be the id of a harness"),
  model: z.string().min(1).max(200).optional(),
  launchMode: z.enum(launchModes, { error: oneOf(launchModes) }).optional(),
  permission: z.enum(permissions, { error: oneOf(permissions) }).optional(),
  instructions: z
    .string()
    .refine((text) => text.trim() !== "", "must not be blank")
    .refine(
      (text) => Buffer.byteLength(text) <= instructionBytesMax,
      `must be at most ${instructionBytesMax} bytes`,
    )
    // No program can be given the first of them, and a terminal takes others for keys.
    .refine((text) => !/[^\P{Cc}\n\t]/u.test(text), "must be plain text, without control characters")
    .optional(),
  projectRoot: z
    .string()
    .refine((path) => isAbsolute(path), "must be an absolute path")
    .optional(),
});

export interface Familiar extends z.output<typeof familiar> {
  readonly label: string;
}

export interface FamiliarsFile {
  /** Undefined where there is no file. */
  readonly familiars: readonly Familiar[] | undefined;
  readonly problems: readonly string[];
}

/** The form in which names are compared: `Sage` and `sage` are one. */
export const folded = (text: string): string => text.normalize("NFC").toLowerCase();

/** Reads it anew at every call. Throws nothing. */
export function readFamiliars(file: string): FamiliarsFile {
  const read = readTrustedFile(file, fileBytesMax);
  if (read.kind === "missing") return { familiars: undefined, problems: [] };
  if (read.kind === "refused") return { familiars: [], problems: [read.problem] };
  return parseFamiliars(read.text, file);
}

export function parseFamiliars(text: string, file: string): FamiliarsFile {
  const document = readJson(text);
  if (document instanceof Error)
    return { familiars: [], problems: [`${file}: not JSON: ${document.message}`] };
  const list = z.strictObject({ familiars: z.array(z.unknown()) }).safeParse(document).data?.familiars;
  if (list === undefined)
    return { familiars: [], problems: [`${file}: familiars: the file is {"familiars": [ … ]}`] };
  const familiars = new Map<string, Familiar>();
  const problems: string[] = [];
  for (const [index, entry] of list.entries()) {
    const place = `${file}: familiars[${index}]`;
    const parsed = familiar.safeParse(entry);
    if (!parsed.success) {
      problems.push(...parsed.error.issues.flatMap((issue) => described(place, issue)));
      continue;
    }
    const { id, label = id } = parsed.data;
    const earlier = familiars.get(folded(id));
    if (earlier === undefined) familiars.set(folded(id), { ...parsed.data, label });
    else problems.push(`${place}.id: ${id} is already taken by an earlier one, which keeps it`);
  }
  return { familiars: [...familiars.values()], problems };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function described(place: string, issue: z.core.$ZodIssue): string[] {
  const at = [place, ...issue.path.map(String)].join(".");
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => `${at}.${key}: is nothing that a familiar has`);
  return [`${at}: ${issue.message}`];
}
