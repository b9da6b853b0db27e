-- Closing links whose blocked undos are given up at once, because somebody asked for that with --force.
CREATE TABLE forced_closings (
    link_id INTEGER PRIMARY KEY REFERENCES guild_relationships (id),
    at      INTEGER NOT NULL
) STRICT;
