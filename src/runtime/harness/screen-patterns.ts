/** How the screens of one harness look, as data: every string that is called a pattern is a regular expression. */

export interface ScreenPatterns {
  readonly composer: {
    /** How its first line begins. The first is for prompts; a draft behind another one is told with it. */
    readonly marks: readonly string[];
    /** Pattern of the line above it and the one below. */
    readonly frame?: string;
    /** The terminal's own caret has to be shown in it: a program that draws a caret by itself hides that one. */
    readonly needsCaret: boolean;
    /** Patterns of lines at the caret and below that say it is something else: a search, a form. */
    readonly never: readonly string[];
  };
  readonly busy: {
    /** Pattern of the line above the composer. */
    readonly line: string;
    /** It ends in grey, which what a model has written does not. */
    readonly isDim: boolean;
    /** Patterns of the lines that may stand between that line and the composer. */
    readonly between: readonly string[];
    /** Pattern of a line below the composer. */
    readonly below?: string;
  };
  readonly dialog: DialogPatterns;
  readonly typing: TypingPatterns;
}

export interface DialogPatterns {
  /** What stands before the chosen one of its choices, which are numbered. */
  readonly markers: readonly string[];
  /** Where the caret is while choices are open: at the marker, or not shown. */
  readonly caret: "atMarker" | "hidden";
  /** What is above a dialog: pattern of a line; without it two empty lines. */
  readonly above?: string;
  /** Pattern of a last line, which a dialog has to end with. */
  readonly footer?: string;
  /** Those that ask for text: pattern of a line near their top, and of their last line. */
  readonly forms: readonly { readonly name: string; readonly shows: string; readonly ends: string }[];
  /** A pattern of one of its lines names a dialog; the first that is found counts. */
  readonly names: readonly DialogName[];
  /** The name of all others. */
  readonly otherName: string;
}

export interface DialogName {
  readonly name: string;
  readonly shows: string;
  /** It begins at the line that names it, and has more than one part. */
  readonly beginsThere?: true;
  /** The lines below a choice are about it. Without this they belong to its label. */
  readonly isDescribed?: true;
  /**
   * Pressed for a choice: its number; or arrows and Enter, where the number does nothing. Claude Code must not be given
   * the latter: two arrows and an Enter that came at once did not choose the third, but allowed the command.
   */
  readonly press?: "number" | "arrows";
  /** Choices without a number: pattern whose group is the label, and what is pressed. */
  readonly unnumbered?: { readonly shows: string; readonly keys: string };
}

export interface TypingPatterns {
  readonly pasteStart: string;
  readonly pasteEnd: string;
  readonly submit: string;
  /** Pattern of what stands for a long text. Groups `lines` (its line ends) and `characters`, where they are told. */
  readonly placeholder: string;
}
