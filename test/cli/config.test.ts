import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { covenForFile, jsonIn } from "../support/coven.ts";

const { coven, home } = covenForFile();
const file = join(home, "config.json");

/** The file as it stands, and what config makes of it. */
async function configOf(text: string | object) {
  writeFileSync(file, typeof text === "string" ? text : JSON.stringify(text));
  const { code, stdout } = await coven(["config", "--json"]);
  const { settings, problems } = jsonIn(stdout);
  return { code, settings, problems };
}

const age = (value: unknown, source = "config.json") => ({ key: "retention.maxAgeDays", value, source });
const size = (value: unknown, source = "config.json") => ({ key: "retention.maxMegabytes", value, source });

const limits = (depth: unknown = 3) => [
  { key: "limits.depth", value: depth, source: depth === 3 ? "default" : "config.json" },
  { key: "limits.children", value: 8, source: "default" },
  { key: "limits.live", value: 32, source: "default" },
  { key: "limits.ownersLive", value: 1000, source: "default" },
  { key: "limits.wakeChain", value: 100, source: "default" },
];

beforeEach(() => rmSync(file, { force: true, recursive: true }));

describe("config", () => {
  it("shows the defaults where there is no file, and starts nothing", async () => {
    const { code, stdout, stderr } = await coven(["config"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^retention\.maxAgeDays +90 +default$/m);
    expect(stdout).toMatch(/^retention\.maxMegabytes +10000 +default$/m);
    expect((await coven(["daemon", "status"])).code).toBe(3);
  });

  it("shows what the file says and where it says nothing, null being no limit", async () => {
    expect(await configOf({ retention: { maxAgeDays: null } })).toEqual({
      code: 0,
      settings: [age(null), size(10_000, "default"), ...limits()],
      problems: [],
    });
    const { stdout } = await coven(["config"]);
    expect(stdout).toMatch(/^retention\.maxAgeDays +no limit +\S+config\.json$/m);
  });

  it("names everything that is wrong with file, key and reason, and keeps what is right", async () => {
    const retention = { maxAgeDays: "long", maxMegabytes: 500, maxage: 1 };
    const wrong = { retention, limits: { depth: 2, live: 1.5 }, telemetry: {} };
    const { code, settings, problems } = await configOf(wrong);
    expect(code).toBe(1);
    expect(settings).toEqual([age(90, "default"), size(500), ...limits(2)]);
    expect(problems).toEqual([
      `${file}: retention.maxAgeDays: must be days above 0 and at most 36500, or null for no limit`,
      `${file}: retention.maxage: is no setting of Coven`,
      `${file}: limits.live: must be a whole number from 0 to 10000`,
      `${file}: telemetry: is no setting of Coven`,
    ]);
    expect((await coven(["config"])).stderr.match(/^coven: config: /gm)).toHaveLength(4);
  });

  it.each([
    ["{", /not JSON/],
    ["[]", /\(all of it\): /],
    ["null", /\(all of it\): /],
    [{ retention: 7 }, /retention: /],
    [{ retention: { maxAgeDays: 0 } }, /retention\.maxAgeDays: must be days above 0/],
    [{ retention: { maxAgeDays: 1e300 } }, /at most 36500/],
    ['{"__proto__": {"retention": {}}}', /__proto__: is no setting/],
  ])("falls back to the defaults for %j, saying why", async (text, why) => {
    const { code, settings, problems } = await configOf(text);
    expect(code).toBe(1);
    expect(settings).toEqual([age(90, "default"), size(10_000, "default"), ...limits()]);
    expect(problems).toEqual([expect.stringMatching(why)]);
  });

  it("does not show the config of a daemon that an address names", async () => {
    const { code, stderr } = await coven(["config", "--url", "http://127.0.0.1:1"]);
    expect(code).toBe(64);
    expect(stderr).toMatch(/^coven: invalid_request: /);
  });
});
