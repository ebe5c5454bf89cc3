/**
 * The shape of the store, as numbered steps. A step that has shipped is never edited; while an older host may live,
 * steps only add. `user_version` says how many have run.
 */
export const migrations: readonly string[] = [
  // 1: sessions, their runs, the log, the hosts that own processes
  `
  CREATE TABLE store (
    id TEXT NOT NULL
  ) STRICT;

  CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    project_root TEXT NOT NULL,
    cwd TEXT NOT NULL,
    harness TEXT NOT NULL,
    title TEXT NOT NULL,
    status TEXT NOT NULL,
    exit_code INTEGER,
    launch_mode TEXT NOT NULL,
    permission TEXT,
    model TEXT,
    add_dirs TEXT NOT NULL,
    labels TEXT NOT NULL,
    visibility TEXT NOT NULL DEFAULT 'private',
    conversation_id TEXT,
    harness_session_id TEXT,
    familiar_id TEXT,
    external INTEGER NOT NULL DEFAULT 0,
    transcript_path TEXT,
    archived_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    last_activity_at TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sessions_newest ON sessions (created_at DESC, id DESC);
  CREATE INDEX sessions_live ON sessions (status) WHERE status IN ('created', 'running');

  CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    host_pid INTEGER,
    pid INTEGER,
    pid_started_at TEXT,
    exit_code INTEGER,
    signal TEXT,
    reason TEXT,
    result TEXT,
    last_message TEXT,
    created_at TEXT NOT NULL,
    ended_at TEXT,
    UNIQUE (session_id, number)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    run_id TEXT,
    kind TEXT NOT NULL,
    payload TEXT,
    bytes BLOB,
    created_at TEXT NOT NULL
  ) STRICT;
  CREATE INDEX events_of_session ON events (session_id, seq);

  CREATE TABLE hosts (
    pid INTEGER PRIMARY KEY,
    started_at TEXT NOT NULL,
    socket TEXT NOT NULL,
    protocol INTEGER NOT NULL
  ) STRICT;
  `,
  // 2: what callers have asked under an intent, so that a repeated call does nothing twice; moves by session; what runs left
  `
  CREATE TABLE intents (
    caller TEXT NOT NULL,
    action TEXT NOT NULL,
    id TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    session_id TEXT,
    result TEXT,
    created_at TEXT NOT NULL,
    PRIMARY KEY (caller, action, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX intents_oldest ON intents (created_at);
  CREATE INDEX intents_of_session ON intents (session_id);

  -- A watch asks after every growth whether its session has moved, which must not cost a look at all it printed.
  CREATE INDEX events_of_state ON events (session_id, seq) WHERE kind = 'status';

  ALTER TABLE runs ADD COLUMN left_behind TEXT;
  ALTER TABLE sessions ADD COLUMN caller_familiar_id TEXT;
  `,
  // 3: which run asks, by its token; who launched whom; which sessions one call launched
  `
  ALTER TABLE runs ADD COLUMN token_hash TEXT;
  CREATE UNIQUE INDEX runs_of_token ON runs (token_hash) WHERE token_hash IS NOT NULL;

  ALTER TABLE sessions ADD COLUMN parent_id TEXT;
  ALTER TABLE sessions ADD COLUMN depth INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE sessions ADD COLUMN lane_of TEXT;
  ALTER TABLE sessions ADD COLUMN lane INTEGER;
  ALTER TABLE sessions ADD COLUMN tools INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX sessions_of_parent ON sessions (parent_id, created_at) WHERE parent_id IS NOT NULL;
  CREATE INDEX sessions_of_call ON sessions (lane_of, lane) WHERE lane_of IS NOT NULL;
  `,
  // 4: follow-ups that wait for their time or their turn, the run that each of them started; what a live session does
  `
  CREATE TABLE wakes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    reason TEXT,
    message TEXT,
    preview TEXT NOT NULL,
    urgency TEXT NOT NULL,
    due_at TEXT NOT NULL,
    expires_at TEXT,
    late_ms INTEGER,
    model TEXT,
    revive INTEGER NOT NULL,
    from_session TEXT,
    chain INTEGER NOT NULL,
    intent TEXT,
    releases_run TEXT,
    run_id TEXT,
    asked_seq INTEGER NOT NULL,
    queued_seq INTEGER,
    left_seq INTEGER,
    created_at TEXT NOT NULL,
    delivered_at TEXT
  ) STRICT;
  CREATE INDEX wakes_of_session ON wakes (session_id, number);
  CREATE INDEX wakes_open ON wakes (session_id, number) WHERE state IN ('pending', 'queued');
  CREATE INDEX wakes_in_queue ON wakes (session_id, queued_seq) WHERE state = 'queued';
  CREATE INDEX wakes_by_time ON wakes (due_at) WHERE state = 'pending';
  CREATE INDEX wakes_by_expiry ON wakes (expires_at) WHERE expires_at IS NOT NULL AND state IN ('pending', 'queued');
  CREATE INDEX wakes_of_run ON wakes (run_id) WHERE run_id IS NOT NULL;
  CREATE INDEX wakes_of_intent ON wakes (intent) WHERE intent IS NOT NULL;

  ALTER TABLE runs ADD COLUMN wake_id TEXT;
  ALTER TABLE runs ADD COLUMN chain INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE runs ADD COLUMN tells_parent INTEGER NOT NULL DEFAULT 0;
  CREATE UNIQUE INDEX runs_of_wake ON runs (wake_id) WHERE wake_id IS NOT NULL;
  CREATE INDEX runs_to_tell ON runs (id) WHERE tells_parent = 1;

  ALTER TABLE sessions ADD COLUMN wake_parent INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE sessions ADD COLUMN activity TEXT;
  `,
  // 5: the git worktree a session works in; what git said of its project when each run began and when it had ended
  `
  ALTER TABLE sessions ADD COLUMN worktree TEXT;

  ALTER TABLE runs ADD COLUMN project_before TEXT;
  ALTER TABLE runs ADD COLUMN project_after TEXT;
  CREATE INDEX runs_to_look_at ON runs (session_id) WHERE project_before IS NOT NULL AND project_after IS NULL;
  CREATE INDEX runs_of_directory ON runs (json_extract(project_before, '$.directory'))
    WHERE project_before IS NOT NULL;
  `,
];
