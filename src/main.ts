/** argv → the verb. Loads only what that verb needs: the host no web server, the CLI neither store nor pty. */
import { failures } from "./errors.ts";
import { locateHome } from "./home.ts";
import manifest from "../package.json" with { type: "json" };

const [verb, ...rest] = process.argv.slice(2);
const program = process.argv[1] ?? "";
const { version } = manifest;

try {
  if (verb === "host") {
    const { serveHost } = await import("./serve-host.ts");
    await serveHost(locateHome(process.env));
  } else if (verb === "daemon" && isServe(rest)) {
    const { serveDaemon } = await import("./serve-daemon.ts");
    process.exitCode = await serveDaemon({ home: locateHome(process.env), version, program, tcp: rest[2] });
  } else if (verb === "mcp" && rest.length === 0) {
    const { serveStdio } = await import("./mcp/stdio.ts");
    await serveStdio({
      version,
      // By pid and start no two processes are the same; a random id would have every start wait for node:crypto.
      client: process.env["CLAUDE_CODE_SESSION_ID"] ?? `${process.pid}-${performance.timeOrigin}`,
      bridge: async () => (await import("./mcp-bridge.ts")).bridgeToDaemon(process.env, program),
    });
    process.exit();
  } else {
    const { runCli } = await import("./cli/cli.ts");
    process.exitCode = await runCli({ argv: process.argv.slice(2), version, program });
  }
} catch (error) {
  // The native modules were built for another Node, which was replaced where it stood.
  if (!(error instanceof Error && "code" in error && error.code === "ERR_DLOPEN_FAILED")) throw error;
  process.stderr.write(
    `coven: wrong_node: built for another Node than this ${process.version}. In the folder of Coven run: npm rebuild && npm run build\n`,
  );
  process.exitCode = failures.wrong_node.exit;
}

/** `daemon serve [--tcp ADDRESS]`, as the CLI spells it when it starts a daemon; every other spelling is its to read. */
function isServe([word, flag, address, ...more]: readonly string[]): boolean {
  if (word !== "serve" || more.length > 0) return false;
  return flag === undefined || (flag === "--tcp" && address !== undefined && !address.startsWith("-"));
}
