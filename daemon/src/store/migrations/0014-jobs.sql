-- What takes longer than a caller waits, and what it needs to go on after a restart.
CREATE TABLE jobs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'cancelled', 'interrupted')),
    guild_id   INTEGER NOT NULL,
    -- The main that it concerns, where it is one alone.
    main_id    INTEGER,
    asked_by   TEXT NOT NULL,
    dry_run    INTEGER NOT NULL DEFAULT 0 CHECK (dry_run IN (0, 1)),
    done       INTEGER NOT NULL DEFAULT 0,
    total      INTEGER,
    note       TEXT,
    -- What it has found or done so far, and where it goes on: JSON.
    result     TEXT CHECK (result IS NULL OR json_valid(result)),
    cursor     TEXT CHECK (cursor IS NULL OR json_valid(cursor)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX jobs_running ON jobs (kind, guild_id) WHERE state = 'running';

-- When each guild was compared last with what its mains have decided, and whether something says that it has to be again.
CREATE TABLE reconciled (
    guild_id INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    due      INTEGER NOT NULL DEFAULT 0 CHECK (due IN (0, 1))
) STRICT;

-- Bans of a backfill, of those who are no members: they leave behind everything that people wait for, and within a day's
-- budget.
ALTER TABLE deliveries ADD COLUMN trickle INTEGER NOT NULL DEFAULT 0 CHECK (trickle IN (0, 1));
CREATE INDEX deliveries_trickle ON deliveries (guild_id, updated_at) WHERE trickle = 1;

-- Who is banned, muted or timed out by decision, in the order of ban lists.
CREATE INDEX punishments_desired ON punishments (source_guild, measure, target_user, event_id, expires_at)
    WHERE status = 'active' AND action = measure;
