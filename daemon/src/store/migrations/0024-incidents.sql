-- Who resolved an alert, and why (`action_taken`).
ALTER TABLE security_alerts ADD COLUMN resolved_at INTEGER;
ALTER TABLE security_alerts ADD COLUMN resolved_by TEXT;
CREATE INDEX security_alerts_seen ON security_alerts (updated_at);

-- Incidents: from the moment at which somebody says so to the moment at which it is over, with what happened meanwhile.
CREATE TABLE incidents (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    guild_id   INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    -- Whether opening it froze the main's propagation.
    froze      INTEGER NOT NULL DEFAULT 0 CHECK (froze IN (0, 1)),
    opened_by  TEXT NOT NULL,
    opened_at  INTEGER NOT NULL,
    closed_by  TEXT,
    closed_at  INTEGER,
    conclusion TEXT,
    -- What happened between, as it was known when it was closed: JSON.
    collected  TEXT CHECK (collected IS NULL OR json_valid(collected)),
    CHECK ((closed_at IS NULL) = (closed_by IS NULL) AND (closed_at IS NULL) = (collected IS NULL))
) STRICT;
CREATE UNIQUE INDEX incidents_open ON incidents (guild_id) WHERE closed_at IS NULL;

-- Drills: dry runs of a whole network, and what they found.
CREATE TABLE drills (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    main_id   INTEGER NOT NULL,
    user_id   INTEGER,
    asked_by  TEXT NOT NULL,
    at        INTEGER NOT NULL,
    found     TEXT NOT NULL CHECK (json_valid(found))
) STRICT;

-- How each part of the daemon stands: what is open is how it stands now.
CREATE UNIQUE INDEX system_health_open ON system_health (component) WHERE resolved_at IS NULL;
