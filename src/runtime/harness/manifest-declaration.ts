/** The published form of one adapter in a manifest, keys in snake_case, and what in it contradicts itself. */
import * as z from "zod";
import { builtIns } from "./built-ins.ts";
import { isBareName } from "./find-executable.ts";

const word = z
  .string()
  .min(1)
  .refine((text) => !text.includes("\0"), "must not hold a NUL character");
const words = z.array(word);
const flag = word.regex(/^-\S+$/, "must be one flag, such as --model");
const promptFlag = word.regex(/^--[^\s=]+=?$/, "must be a long flag: the prompt is given as --flag=<prompt>");

const sandbox = z.union(
  [
    z.strictObject({ flag, full: word, read_only: word }),
    z.strictObject({ full_args: words, read_only_args: words }),
  ],
  { error: "must be either {flag, full, read_only} or {full_args, read_only_args}" },
);

const capabilities = z.object({
  stream: z.boolean().default(false),
  preassigned_session_id: z.boolean().default(false),
  think: z.boolean().default(false),
  speed: z.boolean().default(false),
});

const continuity = z.object({
  init_prefix_args: words.optional(),
  resume_prefix_args: words.optional(),
  session_id_flag: flag.nullish(),
  resume_flag: flag.nullish(),
});

const builtInIds = new Set(builtIns.map(({ id }) => id));

export const adapter = z
  .looseObject({
    id: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]*$/, "must begin with a-z or 0-9 and hold only a-z, 0-9 and . _ -")
      .refine(
        (id) => !builtInIds.has(id),
        "is the id of a built-in harness, which a manifest cannot replace",
      ),
    label: word.optional(),
    executable: z
      .string()
      .refine(isBareName, "must be a bare name that is looked up on PATH, without /, \\ or white space"),
    install_hint: word,
    interactive_prompt_prefix_args: words.default([]),
    non_interactive_prompt_prefix_args: words.default([]),
    prompt_flag: promptFlag.nullish(),
    interactive_prompt_flag: promptFlag.nullish(),
    system_prompt_flag: flag.nullish(),
    model_flag: flag.nullish(),
    model_arg_template: word.refine((text) => text.includes("{model}"), "must hold {model}").nullish(),
    model_id_transform: z.enum(["strip_provider", "preserve"]).default("strip_provider"),
    sandbox: sandbox.nullish(),
    add_dir_flag: flag.nullish(),
    capabilities: capabilities.prefault({}),
    stream_args: z.object({ session_id_flag: flag.nullish() }).nullish(),
    continuity_args: continuity.nullish(),
  })
  .superRefine((value, context) => {
    const refuse = (key: string, message: string): void =>
      context.addIssue({ code: "custom", path: key.split("."), message });
    const { capabilities, stream_args, continuity_args } = value;
    if (capabilities.stream && !stream_args) refuse("capabilities.stream", "needs stream_args");
    if (!capabilities.stream && stream_args) refuse("stream_args", "needs capabilities.stream");
    const idFlag = continuity_args?.session_id_flag ?? stream_args?.session_id_flag;
    if (capabilities.preassigned_session_id && !idFlag) {
      refuse(
        "capabilities.preassigned_session_id",
        "needs a session_id_flag in continuity_args or stream_args",
      );
    }
    if (!capabilities.preassigned_session_id && continuity_args?.session_id_flag) {
      refuse("continuity_args.session_id_flag", "needs capabilities.preassigned_session_id");
    }
  });
export type AdapterDeclaration = z.output<typeof adapter>;

/** What describes an adapter in a registry and changes no launch. */
const descriptiveKeys = new Set(["version", "homepage", "description"]);

/** What a manifest asks for and does not get. Keys of newer forms are no reason to refuse an adapter. */
export function notices(declaration: AdapterDeclaration): string[] {
  const { capabilities, stream_args, system_prompt_flag } = declaration;
  const unknown = Object.keys(declaration).filter(
    (key) => !Object.hasOwn(adapter.shape, key) && !descriptiveKeys.has(key),
  );
  return [
    ...(stream_args ? ["stream_args: ignored, launch mode stream is not offered for manifests"] : []),
    ...(system_prompt_flag ? ["system_prompt_flag: ignored, Coven gives no system prompt"] : []),
    ...(capabilities.think ? ["capabilities.think: ignored, not offered"] : []),
    ...(capabilities.speed ? ["capabilities.speed: ignored, not offered"] : []),
    ...unknown.map((key) => `${key}: ignored, not a key of a manifest`),
  ];
}
