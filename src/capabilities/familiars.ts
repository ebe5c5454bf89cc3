import * as z from "zod";
import { isLive } from "../events.ts";
import { capability } from "./capability.ts";
import { isOf, newestSessions } from "./familiar-sessions.ts";

const familiarRecord = z.object({
  id: z.string(),
  label: z.string(),
  harness: z.string(),
  model: z.string().optional(),
  launchMode: z.string().optional(),
  permission: z.string().optional(),
  instructions: z.string().optional(),
  projectRoot: z.string().optional(),
  /** Sessions of it that are live now, and when one of them, or a former one, did something last. */
  live: z.int(),
  lastActivityAt: z.string().nullable(),
});

export const familiars = capability({
  name: "familiars",
  summary: "The familiars: named personas that run and Cast Codes launch sessions for.",
  effect: "read",
  input: z.strictObject({}),
  output: z.object({
    familiars: z.array(familiarRecord),
    source: z.enum(["familiars.json", "harnesses"]),
    problems: z.array(z.string()).optional(),
  }),
  failures: [],
  right: "anyone",
  tool: false,
  async run(_, context) {
    const { familiars: all, source, problems } = context.familiars.all();
    const sessions = newestSessions(context, { includeArchived: true });
    const records = all.map((familiar) => {
      const own = sessions.filter((session) => isOf(session, familiar.id, source));
      const times = own.map(({ last_activity_at }) => last_activity_at).sort();
      return {
        ...familiar,
        live: own.filter(({ status }) => isLive(status)).length,
        lastActivityAt: times.at(-1) ?? null,
      };
    });
    return { familiars: records, source, ...(problems.length > 0 ? { problems: [...problems] } : {}) };
  },
});
