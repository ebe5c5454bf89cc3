import { defineConfig } from "vitest/config";

/** The tests with the real programs; `npm run test:real` installs those first. */
export default defineConfig({
  test: {
    include: ["test/real/**/*.test.ts"],
    // A harness takes seconds to start on a small machine, several of them at once take much longer.
    maxWorkers: 1,
    fileParallelism: false,
    // On a crowded machine a program now and then drops a key that is pressed before it listens.
    retry: 1,
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
