/** The files of a handoff packet as git has them: also those that a command wrote, and none that was only tried. */
import { Failure } from "../errors.ts";
import type { Log } from "../log.ts";
import type { FileChange } from "./file-changes.ts";
import { type FileTouched, filesTouchedMax } from "./handoff-packet.ts";
import { type SessionChangesOptions, changesOf } from "./session-changes.ts";

/** Of the answer that is asked for, bytes: its part for paths then holds as many as a packet does, of usual length. */
const bytesMax = filesTouchedMax * 512;

/** Undefined where git cannot say: there is no repository, or it fails. */
export async function touchedFiles(
  options: SessionChangesOptions & { readonly log: Log },
  session: string,
): Promise<readonly FileTouched[] | undefined> {
  try {
    const told = await changesOf(options, { session, maxBytes: bytesMax });
    if (!told.known) return undefined;
    const whose = told.sharedWith.length === 0 ? "" : ", perhaps by another session";
    return told.files.slice(0, filesTouchedMax).map((file) => ({
      path: file.path,
      changedFileArtifactId: null,
      summary: `${described(file)}${whose}`,
    }));
  } catch (error) {
    // A packet without it is better than none; whoever asks for the changes themselves is told.
    if (!(error instanceof Failure) || error.code !== "git_failed") throw error;
    options.log.warn({ err: error, session }, "a packet goes without what git says was changed");
    return undefined;
  }
}

function described({ status, from, insertions, deletions }: FileChange): string {
  const how = from === undefined ? status : `${status} from ${from}`;
  return insertions === null ? how : `${how} +${insertions} -${deletions ?? 0}`;
}
