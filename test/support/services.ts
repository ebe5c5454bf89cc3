/** What the socket needs of a daemon, where there is none: for what the socket itself does. */
import { Failure } from "../../src/errors.ts";
import type { Services } from "../../src/rpc/services.ts";

const absent = (): never => {
  throw new Failure("runtime_unavailable", "there is no daemon behind this socket");
};

export const stubServices: Services = {
  invoke: async () => absent(),
  identify: () => ({ kind: "owner" }),
  data: () => ({
    follow: absent,
    changes: absent,
    lastSeq: absent,
    cursorAt: absent,
    seqOf: absent,
    eventsPage: absent,
    output: absent,
    requireSession: absent,
    requireLive: absent,
    attach: absent,
  }),
  mcp: { handle: absent, close: async () => undefined },
  stop: async () => absent(),
};
