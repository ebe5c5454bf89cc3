/** Texts with Cast Codes, and what they come to by what is known: a table, both published catalogs included. */
import { describe, expect, it, test } from "vitest";
import {
  type Known,
  type KnownSession,
  actionsMax,
  codesMax,
  planCast,
  unconfirmedMax,
} from "../../src/capabilities/cast-plan.ts";

const session = (id: string, more: Partial<KnownSession> = {}): KnownSession => ({
  id,
  project_root: "/code/here",
  familiar_id: null,
  harness: "claude",
  status: "completed",
  external: false,
  launch_mode: "nonInteractive",
  last_activity_at: "2030-01-01T00:00:00.000Z",
  ...more,
});

const at = (minute: number): { last_activity_at: string } => ({
  last_activity_at: `2030-01-01T00:${String(minute).padStart(2, "0")}:00.000Z`,
});

const sessions = [
  session("sage-old", { familiar_id: "sage", ...at(1) }),
  session("sage-live", { familiar_id: "Sage", status: "running", ...at(2) }),
  session("sage-last", { familiar_id: "sage", status: "failed", ...at(3) }),
  session("echo-away", { familiar_id: "echo", project_root: "/code/echo", ...at(4) }),
  session("labelled", { familiar_id: "rune", ...at(5) }),
  session("lone", { status: "running", ...at(6) }),
  session("there", { project_root: "/code/there", status: "running", ...at(7) }),
  session("outside", { external: true, status: "running", ...at(8) }),
  session("__cockpit__", { launch_mode: "none", status: "idle", ...at(9) }),
];

const familiars = [
  { id: "sage", label: "Sage the Wise" },
  { id: "cody", label: "Cody" },
  { id: "echo", label: "Echo", projectRoot: "/code/echo" },
  { id: "nova-star", label: "Nova Star" },
  { id: "twin-a", label: "Twin" },
  { id: "twin-b", label: "Twin" },
  { id: "resume", label: "Resume" },
];

const known: Known = {
  familiars,
  source: "familiars.json",
  sessions,
  projectRoot: "/code/here",
  all: false,
  target: undefined,
  self: undefined,
  isConfirmed: false,
};

/** `action args` of each, in the order of the text; a focus behind an arrow. */
const planOf = (text: string, more: Partial<Known> = {}): string[] => {
  const { codes, problems } = planCast(text, { ...known, ...more });
  expect(problems).toEqual([]);
  return codes.flatMap(({ actions, focus, note }) => [
    ...actions.map(({ action, args }) =>
      [action, ...Object.values(args), ...(focus === undefined ? [] : ["→", focus])].join(" "),
    ),
    ...(note === undefined ? [] : [note]),
  ]);
};

const run = (familiar: string, task: string, root = "/code/here"): string =>
  `run ${familiar} ${root} ${task}`;

const plans: readonly [string, readonly string[]][] = [
  // What the daemon serves.
  ["~?", ["status"]],
  ["~?sage", ["status sage-live"]],
  ["~>sage", ["status sage-live → sage-live"]],
  ["~delegate:cody review this diff", [run("cody", "review this diff")]],
  ["~broadcast * local only", ["wake sage-live local only", "wake lone local only"]],
  ["~^ resume", ["wake lone Go on where you stopped."]],
  ["~<handoff", ["handoff outside"]],
  // What the guides teach.
  ["~cody: review this diff", [run("cody", "review this diff")]],
  [
    '~* "new constraint: local-only"',
    ["wake sage-live new constraint: local-only", "wake lone new constraint: local-only"],
  ],
  ["~^sage", ["wake sage-last Go on where you stopped."]],
  ["~<echo", ["handoff echo-away"]],
  // Names.
  ["~?SAGE", ["status sage-live"]],
  ['~?"Sage the Wise"', ["status sage-live"]],
  ['~"Nova Star": ship it', [run("nova-star", "ship it")]],
  ["~nova-star: ship it", [run("nova-star", "ship it")]],
  ['~"resume": ship it', [run("resume", "ship it")]],
  ["~?rune", ["status labelled"]],
  ["~>rune", ["status labelled → labelled"]],
  ["~^rune: go on", ["wake labelled go on"]],
  ["~<rune", ["handoff labelled"]],
  ["~?cody", ["cody has no session in /code/here"]],
  // Projects: a familiar's own is where it is at home.
  ["~echo: look", [run("echo", "look", "/code/echo")]],
  ["~>echo", ["status echo-away → echo-away"]],
  ["~^echo: go on", ["wake echo-away go on"]],
  // Messages, and several codes in one text.
  ["~^: the build is done", ["wake lone the build is done"]],
  ["~^ resume: the build is done", ["wake lone the build is done"]],
  ["~^sage: the build is done", ["wake sage-last the build is done"]],
  ["How is ~?sage? And (~cody: look)", ["status sage-live", run("cody", "look")]],
  [
    "~cody: build it\n~echo: test it\n~?",
    [run("cody", "build it"), run("echo", "test it", "/code/echo"), "status"],
  ],
  ["nothing to do in ~/notes", []],
  ["\\~?sage", []],
];

describe("a text", () => {
  it.each(plans)("%s comes to %j", (text, expected) => {
    expect(planOf(text)).toEqual(expected);
  });
});

const problems: readonly [string, Partial<Known>, number, RegExp, (readonly string[])?][] = [
  ["~> sage", {}, 2, /^expected a familiar's name/],
  ["~cody:", {}, 6, /^expected a task/],
  ["~sgae: look", {}, 0, /^there is no familiar sgae; perhaps sage$/, ["sage"]],
  ["and ~?nva-star", {}, 4, /no familiar nva-star; perhaps nova-star/, ["nova-star", "Nova Star"]],
  ["~?Nova", {}, 0, /no familiar Nova; perhaps nova-star or Nova Star/, ["nova-star", "Nova Star"]],
  ["~?zzz", {}, 0, /no familiar zzz; known are sage, cody, echo/, []],
  ["~?zzz", { familiars: [], sessions: [] }, 0, /no familiar zzz; none is known/, []],
  ["~Twin: look", {}, 0, /^Twin may be any of twin-a, twin-b/, ["twin-a", "twin-b"]],
  ["~rune: look", {}, 0, /^rune is only a name of sessions/],
  ["~cody: look", { projectRoot: undefined }, 0, /^no project is named for cody/],
  ["~>cody", {}, 0, /^cody has no session in \/code\/here$/],
  ["~^cody", {}, 0, /^cody has no session in \/code\/here$/],
  ["~<cody", { all: true }, 0, /^cody has no session$/],
  ["~^", { sessions: [] }, 0, /^there is no session in \/code\/here to go on with$/],
  ["~^", { sessions: sessions.filter(({ external }) => external) }, 0, /to go on with$/],
  ["~<handoff", { sessions: [] }, 0, /^there is no session in \/code\/here to go on with$/],
  ["~* stop", { sessions: [] }, 0, /^this would reach nobody: no session is live in \/code\/here$/],
  ["~* stop", { projectRoot: undefined }, 0, /^no project is named whose sessions are meant/],
];

describe("a text that cannot be done", () => {
  it.each(problems)(
    "%s is told so, where it is, with the names that may have been meant",
    (text, more, offset, message, nearest) => {
      const plan = planCast(text, { ...known, ...more });
      expect(plan.problems).toEqual([
        {
          offset,
          message: expect.stringMatching(message),
          ...(nearest === undefined ? {} : { nearest }),
        },
      ]);
    },
  );

  it("has all of its problems told at once, in their order", () => {
    const { problems: told, codes } = planCast("~nobody: x ~> sage ~? ~>cody", known);
    expect(told.map(({ offset }) => offset)).toEqual([0, 13, 22]);
    expect(codes.map(({ code }) => code)).toEqual(["~?"]);
  });
});

describe("the sessions that are meant", () => {
  test("are of all projects where that is said, or where no project is", () => {
    expect(planOf("~* stop", { all: true })).toEqual([
      "wake sage-live stop",
      "wake lone stop",
      "wake there stop",
    ]);
    expect(planOf("~^", { all: true })).toEqual(["wake there Go on where you stopped."]);
    expect(planOf("~^", { projectRoot: undefined })).toEqual(["wake there Go on where you stopped."]);
  });

  test("are never the one that casts", () => {
    const self = { id: "lone", familiar_id: "cody" };
    expect(planOf("~* stop", { self })).toEqual(["wake sage-live stop"]);
    expect(planOf("~^", { self })).toEqual(["wake labelled Go on where you stopped."]);
    // Whose familiar it is goes with what it delegates.
    expect(planOf("~sage: look", { self })).toEqual([`${run("sage", "look")} cody`]);
  });

  test("are of the harness where the harnesses are the familiars", () => {
    const harnesses = [
      { id: "claude", label: "Claude Code" },
      { id: "codex", label: "Codex CLI" },
    ];
    const more = { familiars: harnesses, source: "harnesses" } as const;
    expect(planOf("~^claude", more)).toEqual(["wake lone Go on where you stopped."]);
    expect(planOf("~codex: look", more)).toEqual([run("codex", "look")]);
    // A declared familiar is nobody who happens to run the same program.
    expect(planOf("~?cody")).toEqual(["cody has no session in /code/here"]);
  });

  test("are the target of the text, where a handoff names none", () => {
    expect(planOf("~<handoff", { target: "lone" })).toEqual(["handoff lone"]);
    expect(planOf("~<sage", { target: "lone" })).toEqual(["handoff sage-last"]);
  });

  test("are told to more than ten only if that is confirmed", () => {
    const many = Array.from({ length: unconfirmedMax + 1 }, (_, index) =>
      session(`s${index}`, { status: "running" }),
    );
    expect(planCast("~* stop", { ...known, sessions: many }).problems).toEqual([
      {
        offset: 0,
        message: "this would wake 11 sessions, and more than 10 are to be confirmed",
        confirmable: true,
      },
    ]);
    expect(planOf("~* stop", { sessions: many, isConfirmed: true })).toHaveLength(11);
    expect(planOf("~* stop", { sessions: many.slice(1) })).toHaveLength(10);
  });
});

test("codes and actions are bounded", () => {
  const codes = "~? ".repeat(codesMax + 1);
  expect(planCast(codes, known).problems).toEqual([
    { offset: codesMax * 3, message: "33 codes; at most 32 are taken" },
  ]);
  const many = Array.from({ length: actionsMax }, (_, index) => session(`s${index}`, { status: "running" }));
  const told = planCast("~? ~* stop", { ...known, sessions: many, isConfirmed: true }).problems;
  expect(told).toEqual([{ offset: 0, message: "this comes to 257 actions; at most 256 are taken" }]);
});

test("problems are told up to a bound, and counted beyond it", () => {
  const { problems: told } = planCast("~* ".repeat(5000), known);
  expect(told).toHaveLength(33);
  expect(told.at(-1)?.message).toMatch(/^\d{4} more problems from here on$/);
});

test("each code says where it stands and what it is, printed so that it means the same anywhere", () => {
  expect(planCast('so ~cody: look "here"', known).codes).toEqual([
    {
      code: '~cody: "look \\"here\\""',
      kind: "delegate",
      start: 3,
      end: 21,
      actions: [
        { action: "run", args: { familiarId: "cody", projectRoot: "/code/here", prompt: 'look "here"' } },
      ],
    },
  ]);
});
