/**
 * A unified diff read as git prints it and kept within bounds: of each file so much, and so much in all. What is
 * beyond is never held, so that the diff of a generated file of 10 MB costs no more than what is shown of it.
 */
export interface PatchSection {
  /** latin1, whole lines. */
  readonly text: string;
  readonly isTruncated: boolean;
}

export interface PatchReader {
  /** Answers whether more is wanted. */
  readonly push: (output: string) => boolean;
  /** One per `diff --git`, in git's order; those that there was no room for are not among them. */
  readonly sections: () => readonly PatchSection[];
}

/** Contents stand behind a space, a sign or a backslash, so that this is never one of their lines. */
const sectionStart = "diff --git ";

export function readPatch({
  fileBytesMax,
  bytesMax,
}: {
  fileBytesMax: number;
  bytesMax: number;
}): PatchReader {
  const sections: { text: string; isTruncated: boolean }[] = [];
  let left = bytesMax;
  /** The begun line, cut once it could not be shown any more. */
  let line = "";
  let isCut = false;

  const take = (): boolean => {
    if (line.startsWith(sectionStart)) {
      if (left <= 0) return false;
      sections.push({ text: "", isTruncated: false });
    }
    const section = sections.at(-1);
    if (section !== undefined && !section.isTruncated) {
      if (isCut || line.length > Math.min(left, fileBytesMax - section.text.length))
        section.isTruncated = true;
      else {
        section.text += line;
        left -= line.length;
      }
    }
    line = "";
    isCut = false;
    return true;
  };

  return {
    push(output) {
      for (let at = 0; at < output.length;) {
        const end = output.indexOf("\n", at) + 1;
        const part = output.slice(at, end === 0 ? undefined : end);
        if (line.length + part.length > fileBytesMax) isCut = true;
        if (line.length <= fileBytesMax) line += isCut ? part.slice(0, sectionStart.length) : part;
        if (end === 0) return true;
        if (!take()) return false;
        at = end;
      }
      return true;
    },
    sections() {
      if (line !== "") take();
      return sections;
    },
  };
}
