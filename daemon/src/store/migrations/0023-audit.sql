-- A job need not be about one guild: verifying the audit is about the whole store.
CREATE TABLE jobs_anywhere (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'cancelled', 'interrupted')),
    guild_id   INTEGER,
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
INSERT INTO jobs_anywhere SELECT id, kind, state, guild_id, main_id, asked_by, dry_run, done, total, note, result,
    cursor, created_at, updated_at FROM jobs;
DROP TABLE jobs;
ALTER TABLE jobs_anywhere RENAME TO jobs;
CREATE INDEX jobs_running ON jobs (kind, guild_id) WHERE state = 'running';

-- Where a window of days begins among the rows.
CREATE INDEX command_audit_at ON command_audit (created_at);
