/** The familiars in the published form, for clients that show a roster: what Coven does not keep is empty there. */
import * as z from "zod";
import { familiars } from "../capabilities/familiars.ts";

const published = z.object({
  id: z.string(),
  name: z.string(),
  display_name: z.string(),
  emoji: z.string(),
  role: z.string(),
  description: z.string(),
  status: z.enum(["active", "offline"]),
  last_seen: z.string(),
  active_sessions: z.int(),
  memory_freshness: z.string(),
});

/** With what Coven keeps of each beside it. */
export const familiarsAnswer = z.array(
  published.extend(
    familiars.output.shape.familiars.element.omit({ id: true, label: true, live: true, lastActivityAt: true })
      .shape,
  ),
);

/** The sign that stands for nothing there. */
const none = "—";

export function familiarsBody(output: unknown): z.output<typeof familiarsAnswer> {
  const { familiars: known } = familiars.output.parse(output);
  return known.map(({ id, label, live, lastActivityAt, ...own }) => ({
    id,
    name: id,
    display_name: label,
    emoji: "",
    role: own.harness,
    description: "",
    status: live > 0 ? "active" : "offline",
    last_seen: lastActivityAt ?? none,
    active_sessions: live,
    memory_freshness: none,
    ...own,
  }));
}
