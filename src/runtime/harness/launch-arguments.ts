/** What every adapter checks before a value becomes an argument. No argument ever passes through a shell. */
import { Failure } from "../../errors.ts";
import { type LaunchMode, type LaunchRequest, promptArgumentBytesMax } from "./harness.ts";

const modelPattern = /^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$/;

export function checkedModel(model: string): string {
  if (modelPattern.test(model) && !model.includes("..")) return model;
  throw new Failure("invalid_request", `The model name ${JSON.stringify(model)} is not allowed.`, {
    hint: "A model name starts with a letter or digit and holds only letters, digits and . _ : / @ + - without two dots in a row.",
  });
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Both built-in harnesses name their conversations by UUID; anything else could be read as an option or a search. */
export function checkedConversationId(id: string): string {
  if (uuidPattern.test(id)) return id;
  throw new Failure("invalid_request", `The conversation id ${JSON.stringify(id)} is not a UUID.`);
}

/** For a harness whose own ids may look otherwise; the first character keeps an id from being read as an option. */
export function checkedConversationName(id: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(id)) return id;
  throw new Failure(
    "invalid_request",
    `The conversation id ${JSON.stringify(id)} is not made of letters, digits and . _ - only.`,
  );
}

export function checkedDirectory(directory: string): string {
  if (directory.startsWith("/") && !hasControlCharacter(directory)) return directory;
  throw new Failure("invalid_request", `The directory ${JSON.stringify(directory)} is not an absolute path.`);
}

const hasControlCharacter = (text: string): boolean =>
  Array.from(text).some((character) => character < " " || character === "\u007f");

/** The code is the one that published clients know for a harness without the mode they ask for. */
export function checkMode(harness: string, modes: readonly LaunchMode[], mode: LaunchMode): void {
  if (modes.includes(mode)) return;
  throw new Failure("launch_failed", `${harness} cannot be launched in mode ${mode}.`, {
    hint: `Accepted launch modes: ${modes.join(", ")}.`,
    details: { acceptedModes: modes },
  });
}

/** A prompt that is given where the mode needs one, and that the kernel can carry. */
export function checkPrompt({ mode, prompt }: LaunchRequest): void {
  if (prompt === "" && mode !== "interactive") {
    throw new Failure("invalid_request", `A ${mode} launch needs a prompt, and it is empty.`);
  }
  if (prompt.includes("\0")) {
    throw new Failure("invalid_request", "The prompt holds a NUL character, which no program can be given.");
  }
}

export const fitsArgument = (prompt: string): boolean => Buffer.byteLength(prompt) <= promptArgumentBytesMax;

/** For a harness that can take its prompt as an argument only. */
export function checkPromptFitsArgument(prompt: string, where: string): void {
  if (fitsArgument(prompt)) return;
  const bytes = Buffer.byteLength(prompt);
  throw new Failure(
    "payload_too_large",
    `The prompt has ${bytes} bytes; ${where} takes at most ${promptArgumentBytesMax}.`,
    {
      hint: "Write the text to a file in the project and name the file in the prompt.",
      details: { limitBytes: promptArgumentBytesMax, bytes },
    },
  );
}
