import { describe, expect, it } from "vitest";
import { parseManifest } from "../../../src/runtime/harness/manifest.ts";
import type { LaunchRequest } from "../../../src/runtime/harness/harness.ts";
import { request, resumed } from "./requests.ts";

const example = { id: "example", executable: "example", install_hint: "Install it." };

const parse = (...adapters: object[]) => parseManifest(JSON.stringify({ adapters }), "/a/x.json");

const harnessOf = (declaration: object) => {
  const { harnesses, problems } = parse({ ...example, ...declaration });
  expect(problems).toEqual([]);
  const [harness] = harnesses;
  if (harness === undefined) throw new Error("no harness was read");
  return harness;
};

const argsOf = (declaration: object, overrides: Partial<LaunchRequest>) =>
  harnessOf(declaration).plan(request(overrides)).args;

describe("a declared harness", () => {
  it("runs in a terminal in every mode, its prompt after what its mode begins with", () => {
    const harness = harnessOf({
      label: "Example",
      interactive_prompt_prefix_args: ["chat"],
      non_interactive_prompt_prefix_args: ["run", "--quiet"],
      system_prompt_flag: null,
    });
    expect(harness).toMatchObject({
      id: "example",
      label: "Example",
      executable: "example",
      modes: ["interactive", "nonInteractive"],
      installHint: "Install it.",
      source: "/a/x.json",
    });
    expect(harness.plan(request({ prompt: "--do it" }))).toEqual({
      args: ["run", "--quiet", "--", "--do it"],
      transport: "pty",
      stdin: undefined,
      format: undefined,
      harnessSessionId: undefined,
    });
    expect(harness.plan(request({ mode: "interactive" })).args).toEqual(["chat", "--", "fix the test"]);
    expect(harness.plan(request({ mode: "interactive", prompt: "" })).args).toEqual(["chat"]);
  });

  it("may be written in camelCase, down to its nested keys", () => {
    const declaration = {
      nonInteractivePromptPrefixArgs: ["exec"],
      promptFlag: "--prompt",
      modelFlag: "--model",
      modelIdTransform: "preserve",
      addDirFlag: "--dir",
      sandbox: { flag: "--mode", full: "all", readOnly: "none" },
    };
    expect(
      argsOf(declaration, { permission: "read-only", model: "a/b", addDirs: ["/x", "/y"], prompt: "-p" }),
    ).toEqual(["--model", "a/b", "--mode", "none", "--dir", "/x", "--dir", "/y", "exec", "--prompt=-p"]);
  });

  it("has a prompt flag of its own for interactive launches, or shares the other", () => {
    const one = { prompt_flag: "--prompt=" };
    const both = { ...one, interactive_prompt_flag: "--interactive" };
    expect(argsOf(one, { mode: "interactive" })).toEqual(["--prompt=fix the test"]);
    expect(argsOf(both, { mode: "interactive" })).toEqual(["--interactive=fix the test"]);
    expect(argsOf(both, {})).toEqual(["--prompt=fix the test"]);
  });

  it("takes its model by a flag or a template, without the provider in front unless it wants it", () => {
    const args = (declaration: object, model: string) => argsOf(declaration, { model }).slice(0, -2);
    expect(args({ model_flag: "-m" }, "openai/gpt/5")).toEqual(["-m", "gpt/5"]);
    expect(args({ model_flag: "-m" }, "gpt")).toEqual(["-m", "gpt"]);
    expect(args({ model_flag: "-m" }, "openai/")).toEqual(["-m", "openai/"]);
    expect(args({ model_flag: "-m" }, "openai//gpt")).toEqual(["-m", "openai//gpt"]);
    expect(args({ model_flag: "-m", model_arg_template: "-c  model={model}" }, "x/y")).toEqual([
      "-c",
      "model=y",
    ]);
  });

  it("maps the two permissions it declares, and leaves workspace-write to its own default", () => {
    const sandbox = { full_args: ["--allow-all"], read_only_args: ["--deny", "write", "--deny", "shell"] };
    const args = (permission: LaunchRequest["permission"]) =>
      argsOf({ sandbox }, { permission, prompt: "go" }).slice(0, -2);
    expect(args("full")).toEqual(["--allow-all"]);
    expect(args("read-only")).toEqual(["--deny", "write", "--deny", "shell"]);
    expect(args("workspace-write")).toEqual([]);
    expect(args(undefined)).toEqual([]);
  });

  it("begins and resumes conversations in the way it declares", () => {
    const declaration = {
      capabilities: { preassigned_session_id: true },
      non_interactive_prompt_prefix_args: ["run"],
      continuity_args: {
        session_id_flag: "--session-id",
        resume_prefix_args: ["again"],
        resume_flag: "--resume",
      },
    };
    const { id } = resumed;
    expect(harnessOf(declaration).plan(request())).toMatchObject({
      args: ["run", "--session-id", id, "--", "fix the test"],
      harnessSessionId: id,
    });
    expect(harnessOf(declaration).plan(request({ conversation: resumed }))).toMatchObject({
      args: ["again", "--resume", id, "--", "fix the test"],
      harnessSessionId: id,
    });
    expect(
      argsOf({ continuity_args: { resume_prefix_args: ["exec", "resume"] } }, { conversation: resumed }),
    ).toEqual(["exec", "resume", id, "--", "fix the test"]);
  });

  it.each([
    ["a model", { model: "m" }, "model_flag"],
    ["a directory", { addDirs: ["/a"] }, "add_dir_flag"],
    ["read-only", { permission: "read-only" }, "sandbox"],
    ["full", { permission: "full" }, "sandbox"],
    ["a conversation to resume", { conversation: resumed }, "continuity_args"],
  ] as const)("refuses %s where it declares nothing for it", (_, overrides, words) => {
    const containsKey: unknown = expect.stringContaining(words);
    expect(() => harnessOf({}).plan(request(overrides))).toThrow(
      expect.objectContaining({ code: "invalid_request", message: containsKey }),
    );
  });

  it("has no mode stream", () => {
    expect(() => harnessOf({}).plan(request({ mode: "stream" }))).toThrow(
      expect.objectContaining({ code: "launch_failed" }),
    );
  });

  it("refuses a prompt that no argument can carry, because a terminal cannot either", () => {
    expect(() => harnessOf({}).plan(request({ prompt: "x".repeat(100_001) }))).toThrow(
      expect.objectContaining({ code: "payload_too_large" }),
    );
  });
});

describe("a manifest with a fault", () => {
  it.each([
    ["id", { id: "Big" }],
    ["id", { id: ".x" }],
    ["id", { id: "claude" }],
    ["id", { id: "codex" }],
    ["executable", { executable: "/bin/sh" }],
    ["executable", { executable: "..\\sh" }],
    ["executable", { executable: "sh -c" }],
    ["executable", { executable: "-x" }],
    ["install_hint", { install_hint: undefined }],
    ["interactive_prompt_prefix_args[1]", { interactive_prompt_prefix_args: ["a", 1] }],
    ["prompt_flag", { prompt_flag: "-p" }],
    ["model_flag", { model_flag: "--model x" }],
    ["model_arg_template", { model_arg_template: "--model" }],
    ["model_id_transform", { model_id_transform: "upper" }],
    ["sandbox", { sandbox: { flag: "--mode", full: "all", full_args: [], read_only_args: [] } }],
    ["sandbox", { sandbox: { flag: "--mode" } }],
    ["capabilities.stream", { capabilities: { stream: true } }],
    ["stream_args", { stream_args: { prefix_args: [] } }],
    ["capabilities.preassigned_session_id", { capabilities: { preassigned_session_id: true } }],
    ["continuity_args.session_id_flag", { continuity_args: { session_id_flag: "--id" } }],
  ])("names the file and the key %s, and the other adapters go on working", (key, fault) => {
    const { harnesses, problems } = parse({ ...example, ...fault }, { ...example, id: "other" });
    expect(harnesses.map(({ id }) => id)).toEqual(["other"]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^\/a\/x\.json: adapters\[0\]\./);
    expect(problems[0]).toContain(`adapters[0].${key}: `);
  });

  it.each(["", "{", "[]", '{"adapters":{}}', "null"])("is a problem, not an exception: %j", (text) => {
    const { harnesses, problems } = parseManifest(text, "/a/x.json");
    expect(harnesses).toEqual([]);
    expect(problems).toEqual([expect.stringMatching(/^\/a\/x\.json: /)]);
  });

  it("is named where an adapter is no object", () => {
    expect(parseManifest('{"adapters":[1]}', "/a/x.json").problems).toEqual([
      expect.stringMatching(/^\/a\/x\.json: adapters\[0\]: /),
    ]);
  });
});

it("says what of a manifest is ignored, and loads it all the same", () => {
  const { harnesses, problems } = parse({
    ...example,
    capabilities: { stream: true, think: true },
    stream_args: { prefix_args: ["-p"] },
    system_prompt_flag: "--system-prompt",
    of_tomorrow: 1,
    version: "1.0.0",
  });
  expect(harnesses).toHaveLength(1);
  expect(problems.map((problem) => problem.replace("/a/x.json: adapters[0].", "").split(":")[0])).toEqual([
    "stream_args",
    "system_prompt_flag",
    "capabilities.think",
    "of_tomorrow",
  ]);
});
