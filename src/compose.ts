/**
 * The rooms of the daemon, constructed and handed to each other: the only place that does so. What one of them tells
 * another that is made after it goes by way of a function, which is called when all of them are there.
 */
import { dirname, join } from "node:path";
import { loadConfig } from "./config.ts";
import { Failure } from "./errors.ts";
import type { Home } from "./home.ts";
import type { Log } from "./log.ts";
import type { Stopped } from "./rpc/services.ts";
import { Activities } from "./runtime/activities.ts";
import { Answers } from "./runtime/answers.ts";
import { Casts } from "./runtime/casts.ts";
import { Changes } from "./runtime/changes.ts";
import { Environments } from "./runtime/environment.ts";
import { ExternalSessions } from "./runtime/external.ts";
import { Familiars } from "./runtime/familiars.ts";
import { Growth } from "./runtime/growth.ts";
import { Handoffs } from "./runtime/handoffs.ts";
import { Hooks } from "./runtime/hooks.ts";
import { HarnessCatalog } from "./runtime/harness-catalog.ts";
import { scanHarness } from "./runtime/harness-scan.ts";
import { HostPool } from "./runtime/host-pool.ts";
import { InputLeases } from "./runtime/input-leases.ts";
import { Launches } from "./runtime/launches.ts";
import { Leftovers } from "./runtime/leftovers.ts";
import { LiveWakes } from "./runtime/live-delivery.ts";
import { LogReader } from "./runtime/reading.ts";
import { ProjectStates } from "./runtime/project-states.ts";
import { type Bounds, Retention } from "./runtime/retention.ts";
import { Rituals } from "./runtime/rituals.ts";
import type { DaemonIdentity, Runtime } from "./runtime/runtime.ts";
import { Screens } from "./runtime/screens.ts";
import { Settling } from "./runtime/settling.ts";
import { createSights } from "./runtime/sights.ts";
import { changesOf } from "./runtime/session-changes.ts";
import { SessionLooks } from "./runtime/session-looks.ts";
import { SessionWorktrees } from "./runtime/session-worktrees.ts";
import { LiveSessions } from "./runtime/sessions.ts";
import { WakeParents } from "./runtime/wake-parents.ts";
import { WakeQueue } from "./runtime/wake-queue.ts";
import { Wakes } from "./runtime/wakes.ts";
import { Terminals } from "./runtime/terminal.ts";
import { touchedFiles } from "./runtime/touched-files.ts";
import { Watches } from "./runtime/watch.ts";
import type { Store } from "./store/store.ts";
import { refusalOf } from "./store/database.ts";
import type { RunRecord } from "./store/runs.ts";

/** Grace of each session when the daemon is stopped, ms. */
const stopGraceMs = 2000;

export interface Composition {
  readonly home: Home;
  readonly store: Store;
  readonly log: Log;
  readonly version: string;
  /** What is run again, with `host`, as its host. */
  readonly program: string;
  readonly daemon: DaemonIdentity;
}

export interface Composed {
  readonly runtime: Runtime;
  readonly terminals: Terminals;
  /** Reaches the hosts, and learns what became of what they held. */
  readonly recover: () => Promise<void>;
  /** From now on things happen by themselves. */
  readonly begin: () => void;
  /** From now on nothing does; live sessions are ended, or left to their hosts. */
  readonly end: (keep: boolean) => Promise<Stopped>;
  /** Lets go of threads and hosts. */
  readonly close: (keep: boolean) => Promise<void>;
}

export function compose({ home, store, log, version, program, daemon }: Composition): Composed {
  const growth = new Growth();
  const limits = () => loadConfig(home).config.limits;
  const harnesses = new HarnessCatalog(home.adapters);
  const familiars = new Familiars(home.familiars, harnesses);
  const environments = new Environments(process.env);
  environments.prepare();
  for (const problem of harnesses.problems) log.warn({ code: "manifest_problem" }, problem);
  for (const problem of familiars.all().problems) log.warn({ code: "familiars_problem" }, problem);
  const hosts = new HostPool({
    home,
    store,
    log,
    program,
    env: environments.own,
    grown: (sessions) => growth.tell(sessions),
    lost: (pid) => void leftovers.orphanLostRuns((run) => run.host_pid === pid),
  });
  const leftovers = new Leftovers({ store, growth, hosts, log });
  const leases = new InputLeases();
  const sessions = new LiveSessions({ store, growth, hosts, harnesses, leftovers, leases, log });
  const changes = new Changes({ root: home.projects, env: environments.own });
  const states = new ProjectStates({ store, changes, growth, log });
  const worktrees = new SessionWorktrees({ store, folder: home.worktrees, env: environments.own, log });
  const launches = new Launches({
    store,
    worktrees,
    states,
    growth,
    hosts,
    harnesses,
    familiars,
    environments,
    sessions,
    leftovers,
    home: home.root,
    bin: join(dirname(program), "../bin/coven"),
    limits,
    tells: (session) => parents.follow(session),
    launched: (session) => activities.follow(session),
  });
  const reader = new LogReader(store, growth);
  const workerFile = join(dirname(program), "serve-screens.js");
  const screens = new Screens({ store, sessions, reader, workerFile });
  const sights = createSights({ store, harnesses, environments, screens });
  const activities = new Activities({ store, growth, sights, log });
  const terminals = new Terminals(sessions, reader, growth);
  const looks = new SessionLooks({ screens, harnesses, growth });
  const live = new LiveWakes({
    store,
    growth,
    sessions,
    leases,
    looks,
    terminals,
    activities,
    again: (session) => queue.advance(session),
    log,
  });
  const queue = new WakeQueue({ store, growth, launches, leftovers, live, limits, log });
  activities.onChange((session) => queue.advance(session));
  const settling = new Settling(store);
  const parents = new WakeParents({ store, growth, queue, limits, log });
  const wakes = new Wakes({ store, growth, sessions, harnesses, environments, queue, limits });
  for (const problem of loadConfig(home).problems) log.warn({ code: "config_problem" }, problem);
  const retention = new Retention({
    store,
    log,
    bounds: () => boundsOf(home),
    pruned: (session) => states.forget(session),
  });
  const runtime: Runtime = {
    version,
    daemon,
    harnesses,
    familiars,
    environments,
    sessions,
    launches,
    rituals: new Rituals({ store, growth, sessions, worktrees, states }),
    leftovers,
    external: new ExternalSessions(store, growth),
    casts: new Casts(store, growth),
    watches: new Watches({ store, growth, sessions, settling }),
    wakes,
    answers: new Answers({ sessions, looks, leases, activities }),
    reader,
    handoffs: new Handoffs({
      store,
      sessions,
      reader,
      changed: ({ id }) => touchedFiles({ store, sessions, states, changes, log }, id),
    }),
    screens,
    growth,
    activities,
    hooks: new Hooks({
      store,
      growth,
      harnesses,
      log,
      listener: (session, run, { sign, about }) => {
        if (sign) activities.heard(session, run, sign, about);
      },
    }),
    intents: store.intents,
    storeRefusal: refusalOf,
    retention,
    scanHarness: (id) => scanHarness(id, environments.own),
    changesOf: (asked) => changesOf({ store, sessions, states, changes }, asked),
    listSessions: store.sessions.list,
    liveCount: store.sessions.liveCount,
    storeState: () => hosts.storeState(),
  };
  let isUnlaunched: (run: RunRecord) => boolean = () => false;

  return {
    runtime,
    terminals,
    async recover() {
      await hosts.open();
      const held = await hosts.held();
      // Of the run of a wake that its host does not hold, or gave back when it left, nothing has happened yet.
      isUnlaunched = (run) =>
        run.wake_id !== null &&
        run.pid === null &&
        !held(run) &&
        (run.host_pid === null || hosts.get(run.host_pid) !== undefined);
      await leftovers.orphanLostRuns((run) => !held(run) && !isUnlaunched(run));
    },
    begin() {
      retention.start();
      parents.start();
      queue.start(isUnlaunched);
      activities.start();
      states.start();
      void worktrees.sweep();
    },
    async end(keep) {
      await parents.close();
      activities.close();
      live.close();
      await queue.close();
      const launched = launches.close();
      await retention.close();
      if (!keep) await launched;
      const result = keep ? { ended: [], survived: [] } : await sessions.orphanAll(stopGraceMs);
      if (!keep) await leftovers.settled();
      await states.close();
      return result;
    },
    async close(keep) {
      if (!keep) await hosts.dismiss();
      await screens.close();
      await hosts.close();
    },
  };
}

const dayMs = 24 * 60 * 60 * 1000;

/** As the owner's settings say now. What cannot be read of config.json may have been meant to keep everything: nothing is removed then. */
function boundsOf(home: Home): Bounds {
  const { config, isWhole, problems } = loadConfig(home);
  if (!isWhole) {
    throw new Failure("invalid_request", `how much is kept is not certain: ${problems.join("; ")}`, {
      hint: "Mend it (coven config shows what holds), or say both bounds: --older-than and --max-size.",
      details: { problems },
    });
  }
  const { maxAgeDays, maxMegabytes } = config.retention;
  return {
    maxAgeMs: maxAgeDays === null ? null : maxAgeDays * dayMs,
    maxBytes: maxMegabytes === null ? null : maxMegabytes * 1_000_000,
  };
}
