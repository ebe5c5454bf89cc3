/** Hands the bridge of `coven mcp` what it needs of the daemon: where it is, and how it is started. */
import { locate } from "./rpc/endpoint.ts";
import { type Bridge, createBridge } from "./mcp/bridge.ts";

export function bridgeToDaemon(environment: NodeJS.ProcessEnv, program: string): Bridge {
  const env = withoutUndefined(environment);
  const { home, endpoint, isOwn } = locate({}, env);
  const startDaemon = async (): Promise<unknown> => {
    const { startDaemon: start } = await import("./cli/daemon-process.ts");
    return start({ home, program, env });
  };
  return createBridge({ endpoint, startDaemon: isOwn ? startDaemon : undefined, env });
}

const withoutUndefined = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])),
  );
