import { describe, expect, it } from "vitest";
import type { Permission } from "../../src/runtime/harness/harness.ts";
import { childPermission } from "../../src/runtime/lineage.ts";

/** Null is an interactive session that was left to its harness's own default. */
const of = (own: Permission | null, permission?: Permission): Permission =>
  childPermission(
    { id: "parent", project_root: "/project", permission: own },
    { projectRoot: "/project", permission, addDirs: [] },
  );

describe("the permission of a child", () => {
  it.each([
    ["read-only", "read-only"],
    ["workspace-write", "workspace-write"],
    ["full", "workspace-write"],
    [null, "workspace-write"],
  ] as const)("of a parent with %s is %s where none is asked for", (own, expected) => {
    expect(of(own)).toBe(expected);
  });

  it.each([
    ["read-only", ["read-only"]],
    ["workspace-write", ["read-only", "workspace-write"]],
    ["full", ["read-only", "workspace-write", "full"]],
    [null, ["read-only", "workspace-write"]],
  ] as const)("of a parent with %s is at most that", (own, accepted) => {
    for (const permission of ["read-only", "workspace-write", "full"] as const) {
      if (accepted.some((each) => each === permission)) expect(of(own, permission)).toBe(permission);
      else expect(() => of(own, permission)).toThrow(/that of its children at most the same/);
    }
  });
});
