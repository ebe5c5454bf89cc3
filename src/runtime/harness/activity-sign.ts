/** What one sign of a live harness says of what it is doing: a hook, an event of its structured output, its screen. */

/** How an open question may be answered: what it is called, and what a person would press for it. */
export interface Choice {
  readonly label: string;
  /** What a terminal sends for the keys. */
  readonly keys: string;
}

export interface OpenQuestion {
  /** What is asked, as a person reads it. */
  readonly text: string;
  /** Empty where they are not known. */
  readonly choices: readonly Choice[];
}

export interface ActivitySign {
  readonly state: "busy" | "waiting" | "attention";
  /** Where it comes from, for whoever doubts it: `hook Stop`, `screen: permission prompt`. */
  readonly evidence: string;
  /** Only with `attention`, where it is known. */
  readonly question?: OpenQuestion;
}
