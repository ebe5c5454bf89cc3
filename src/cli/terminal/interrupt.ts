import { exitCodes } from "../exit-codes.ts";
import { shortId } from "../ids.ts";

/** Ctrl-c leaves the follower, not the session: whoever wants its end has to say so. */
export async function sayingOnInterrupt<T>(session: string, follow: () => Promise<T>): Promise<T> {
  const leave = (): void => {
    const id = shortId(session);
    process.stderr.write(
      `\nsession ${id} goes on; coven watch ${id} waits for it, coven kill ${id} ends it\n`,
    );
    process.exit(exitCodes.interrupted);
  };
  process.once("SIGINT", leave);
  try {
    return await follow();
  } finally {
    process.off("SIGINT", leave);
  }
}
