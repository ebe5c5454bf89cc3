/** The harnesses this daemon can launch: known by adapter, found on PATH at every launch, never anywhere else. */
import { execFile } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../errors.ts";
import type { Environment } from "./environment.ts";
import { findExecutable, whyNotExecutable } from "./harness/find-executable.ts";
import type { Harness } from "./harness/harness.ts";
import { loadHarnesses } from "./harness/harnesses.ts";

/** How long a harness may take to say its version, ms; without an answer it is null. */
const versionMsMax = 3000;

export interface Found {
  readonly harness: Harness;
  readonly file: string;
  readonly version: string | null;
}

export class HarnessCatalog {
  readonly #adaptersDir: string;
  readonly #versions = new Map<string, Promise<string | null>>();
  #loaded: ReturnType<typeof loadHarnesses>;
  #fingerprint: string | undefined;

  constructor(adaptersDir: string) {
    this.#adaptersDir = adaptersDir;
    this.#loaded = loadHarnesses(adaptersDir);
  }

  /** Forgets what was read of manifests and asked of programs. */
  refresh(): void {
    this.#fingerprint = undefined;
    this.#versions.clear();
  }

  get problems(): readonly string[] {
    return this.#current().problems;
  }

  all(): Harness[] {
    return [...this.#current().harnesses.values()];
  }

  /** A manifest counts from the moment it is written. */
  #current(): ReturnType<typeof loadHarnesses> {
    const fingerprint = fingerprintOf(this.#adaptersDir);
    if (fingerprint !== this.#fingerprint) this.#loaded = loadHarnesses(this.#adaptersDir);
    this.#fingerprint = fingerprint;
    return this.#loaded;
  }

  /** Throws `invalid_request` with the known ones. */
  get(id: string): Harness {
    const { harnesses } = this.#current();
    const harness = harnesses.get(id);
    if (harness) return harness;
    const known = [...harnesses.keys()];
    throw new Failure("invalid_request", `unknown harness ${id}; known are ${known.join(", ")}`, {
      hint: `Declare other harnesses by a manifest in ${this.#adaptersDir}.`,
      details: { harness: id, known },
    });
  }

  locate(harness: Harness, env: Environment): string | undefined {
    return findExecutable(harness.executable, env["PATH"] ?? "");
  }

  /** Where the harness is and which version. Throws `launch_failed` when it is not there or could not be executed. */
  async find(id: string, env: Environment): Promise<Found> {
    const harness = this.get(id);
    const file = this.locate(harness, env);
    if (file === undefined) {
      throw new Failure(
        "launch_failed",
        `${harness.executable} of harness ${id} is not on the daemon's PATH`,
        {
          hint: `${harness.installHint} Then compare coven doctor with your shell's PATH.`,
          details: { harness: id, executable: harness.executable },
        },
      );
    }
    const obstacle = whyNotExecutable(file);
    if (obstacle !== undefined) {
      throw new Failure("launch_failed", `${file} cannot be executed: ${obstacle}`, {
        hint: harness.installHint,
        details: { harness: id, path: file },
      });
    }
    return { harness, file, version: await this.version(harness, file, env) };
  }

  /** What the program says of itself. Only built-in harnesses are asked: of others nobody knows what the flag does. */
  version(harness: Harness, file: string, env: Environment): Promise<string | null> {
    if (harness.source !== "built in") return Promise.resolve(null);
    const key = `${file} ${statSync(file).mtimeMs}`;
    const known = this.#versions.get(key);
    if (known) return known;
    const asked = askVersion(file, env);
    this.#versions.set(key, asked);
    // No answer may be the fault of this caller's environment, or of a busy moment.
    void asked.then((version) => version === null && this.#versions.delete(key));
    return asked;
  }
}

const askVersion = (file: string, env: Environment): Promise<string | null> =>
  new Promise((resolve) => {
    const answered = (error: Error | null, stdout: string): void =>
      resolve(error === null ? (/\d+\.\d+\.\d+\S*/.exec(stdout)?.[0] ?? null) : null);
    try {
      execFile(file, ["--version"], { env, timeout: versionMsMax }, answered);
    } catch {
      resolve(null); // an environment too large to start anything with, which the launch will say
    }
  });

/** Changes when a manifest, or who may write to it, does. */
function fingerprintOf(folder: string): string {
  try {
    const files = [folder, ...readdirSync(folder).map((name) => join(folder, name))];
    return files.map((file) => `${file} ${statSync(file).mtimeMs} ${statSync(file).mode}`).join("\n");
  } catch {
    return ""; // no folder, or one that is changing just now: looked at again next time
  }
}
