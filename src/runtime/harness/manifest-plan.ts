import { Failure } from "../../errors.ts";
import {
  checkMode,
  checkPrompt,
  checkPromptFitsArgument,
  checkedConversationName,
  checkedDirectory,
  checkedModel,
} from "./launch-arguments.ts";
import type { LaunchPlan, LaunchRequest } from "./harness.ts";
import type { AdapterDeclaration } from "./manifest-declaration.ts";

/**
 * The argv of a declared harness, in the published order: model, sandbox, directories, what the mode or conversation
 * begins with, and the prompt last, behind `--` or glued to its flag, so that a prompt that begins with a dash stays
 * one. What the manifest has no words for is refused, not left out.
 */
export function createManifestPlan(
  declaration: AdapterDeclaration,
  label: string,
): (request: LaunchRequest) => LaunchPlan {
  return (asked) => {
    const request = withInstructions(asked);
    checkMode(label, ["interactive", "nonInteractive"], request.mode);
    checkPrompt(request);
    if (request.toolServer !== undefined) throw noTools(label);
    checkPromptFitsArgument(request.prompt, label);
    const { args, harnessSessionId } = opening(declaration, label, request);
    return {
      args: [
        ...modelArgs(declaration, label, request),
        ...sandboxArgs(declaration, label, request),
        ...addDirArgs(declaration, label, request),
        ...args,
        ...promptArgs(declaration, request),
      ],
      transport: "pty",
      stdin: undefined,
      format: undefined,
      harnessSessionId,
    };
  };
}

/** Nothing is known of a system prompt, so they stand before the task, once in a conversation. */
function withInstructions(request: LaunchRequest): LaunchRequest {
  const { instructions, prompt, conversation } = request;
  if (instructions === undefined || conversation.kind === "resume") return request;
  return { ...request, prompt: prompt === "" ? instructions : `${instructions}\n\n${prompt}` };
}

const cannot = (label: string, what: string, key: string): Failure =>
  new Failure("invalid_request", `${label} cannot ${what}: its manifest has no ${key}.`);

const noTools = (label: string): Failure =>
  new Failure("invalid_request", `${label} cannot be given Coven's tools: only claude and codex can.`, {
    hint: "Launch it without tools; it may call coven on its command line, as COVEN_BIN in its environment.",
  });

function modelArgs(declaration: AdapterDeclaration, label: string, { model }: LaunchRequest): string[] {
  if (model === undefined) return [];
  const { model_arg_template, model_flag, model_id_transform } = declaration;
  const checked = checkedModel(model);
  const name = model_id_transform === "preserve" ? checked : withoutProvider(checked);
  if (model_arg_template) {
    return model_arg_template
      .split(/\s+/)
      .filter((token) => token !== "")
      .map((token) => token.replaceAll("{model}", name));
  }
  if (model_flag) return [model_flag, name];
  throw cannot(label, "be given a model", "model_flag or model_arg_template");
}

/** `openai/gpt` → `gpt`; what would leave nothing, or a path, stays as it is. */
const withoutProvider = (model: string): string => /^[^/]*\/(?!\/)(.+)$/.exec(model)?.[1] ?? model;

/** Manifests know two policies. `workspace-write` lies between them and is left to the harness's own default. */
function sandboxArgs(
  { sandbox }: AdapterDeclaration,
  label: string,
  { permission }: LaunchRequest,
): readonly string[] {
  if (permission === undefined || permission === "workspace-write") return [];
  if (!sandbox) throw cannot(label, `be held to the permission ${permission}`, "sandbox");
  if ("flag" in sandbox) {
    return [sandbox.flag, permission === "full" ? sandbox.full : sandbox.read_only];
  }
  return permission === "full" ? sandbox.full_args : sandbox.read_only_args;
}

function addDirArgs(
  { add_dir_flag }: AdapterDeclaration,
  label: string,
  { addDirs }: LaunchRequest,
): string[] {
  if (addDirs.length === 0) return [];
  if (!add_dir_flag) throw cannot(label, "be given further directories", "add_dir_flag");
  return addDirs.flatMap((directory) => [add_dir_flag, checkedDirectory(directory)]);
}

interface Opening {
  readonly args: readonly string[];
  readonly harnessSessionId: string | undefined;
}

export const canResume = ({ continuity_args: continuity }: AdapterDeclaration): boolean =>
  Boolean(continuity?.resume_flag ?? continuity?.resume_prefix_args);

/** Continuity is declared for one-shot runs; an interactive harness begins a conversation of its own. */
function opening(
  declaration: AdapterDeclaration,
  label: string,
  { mode, conversation }: LaunchRequest,
): Opening {
  const { continuity_args: continuity, non_interactive_prompt_prefix_args: oneShot } = declaration;
  if (conversation.kind === "resume") {
    if (mode === "interactive" || !canResume(declaration)) {
      throw cannot(label, `resume a conversation in mode ${mode}`, "continuity_args for it");
    }
    const id = checkedConversationName(conversation.id);
    const args = continuity?.resume_prefix_args ?? oneShot;
    return {
      args: [...args, ...(continuity?.resume_flag ? [continuity.resume_flag] : []), id],
      harnessSessionId: id,
    };
  }
  if (mode === "interactive") {
    return { args: declaration.interactive_prompt_prefix_args, harnessSessionId: undefined };
  }
  if (!continuity?.session_id_flag) return { args: oneShot, harnessSessionId: undefined };
  const id = checkedConversationName(conversation.id);
  return {
    args: [...(continuity.init_prefix_args ?? oneShot), continuity.session_id_flag, id],
    harnessSessionId: id,
  };
}

function promptArgs(declaration: AdapterDeclaration, { mode, prompt }: LaunchRequest): string[] {
  if (prompt === "") return [];
  const { prompt_flag, interactive_prompt_flag } = declaration;
  const flag = mode === "interactive" ? (interactive_prompt_flag ?? prompt_flag) : prompt_flag;
  return flag ? [`${flag.replace(/=$/, "")}=${prompt}`] : ["--", prompt];
}
