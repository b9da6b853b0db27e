-- What the doctor found last in a guild, so that a restart does not tell of it once more.
CREATE TABLE examinations (
    guild_id INTEGER PRIMARY KEY,
    -- The names of what stops deliveries there, as a JSON array; empty where nothing does.
    ills     TEXT NOT NULL,
    since    INTEGER NOT NULL
) STRICT;
