// TypeScript that a script wants to read, on a Node that runs none.
import { build } from "esbuild";

/** What a piece of TypeScript exports. */
export async function exportsOf(contents) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: process.cwd(), loader: "ts" },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    logLevel: "warning",
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}
