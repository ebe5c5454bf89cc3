/** The file of the familiars in a home. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export const familiarsFile = ({ home }: { readonly home: string }): string => join(home, "familiars.json");

export function writeFamiliars(place: { readonly home: string }, ...familiars: readonly object[]): void {
  writeFileSync(familiarsFile(place), JSON.stringify({ familiars }), { mode: 0o600 });
}
