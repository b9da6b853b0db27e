-- How far the audit log of a main or a child was read, and what was worked of it beyond that.
CREATE TABLE audit_cursors (
    guild_id   INTEGER PRIMARY KEY,
    -- Everything up to this entry was worked.
    entry      INTEGER NOT NULL,
    -- When the log was last read to its end.
    read_at    INTEGER NOT NULL,
    -- Whether it was told that the log cannot be read.
    unreadable INTEGER NOT NULL DEFAULT 0 CHECK (unreadable IN (0, 1))
) STRICT;

CREATE TABLE audit_entries (
    guild_id INTEGER NOT NULL,
    entry    INTEGER NOT NULL,
    user_id  INTEGER NOT NULL,
    PRIMARY KEY (guild_id, entry)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_entries_user ON audit_entries (guild_id, user_id, entry);

-- When which shard identified: Discord resets the token of a bot that does it too often, whatever process it was.
CREATE TABLE identifies (
    sequence INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    shard    INTEGER NOT NULL
) STRICT;
CREATE INDEX identifies_at ON identifies (at);
