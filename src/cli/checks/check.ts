/** One thing that doctor has looked at, and what to do about it. */
import { Failure } from "../../errors.ts";

export interface Check {
  readonly name: string;
  readonly outcome: "pass" | "warn" | "fail";
  readonly found: string;
  readonly hint?: string;
}

export const pass = (name: string, found: string): Check => ({ name, outcome: "pass", found });

export const warn = (name: string, found: string, hint: string): Check => ({
  name,
  outcome: "warn",
  found,
  hint,
});

export const fail = (name: string, found: string, hint: string): Check => ({
  name,
  outcome: "fail",
  found,
  hint,
});

export const failed = (name: string, error: unknown): Check =>
  error instanceof Failure
    ? fail(name, `${error.code}: ${error.message}`, error.hint ?? "See coven logs.")
    : fail(name, String(error), "See coven logs.");
