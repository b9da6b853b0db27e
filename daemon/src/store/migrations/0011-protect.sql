-- Users and roles that nobody may punish (protect add, remove, list).
CREATE TABLE protected (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    guild_id  INTEGER NOT NULL REFERENCES guild_settings (guild_id),
    kind      TEXT NOT NULL CHECK (kind IN ('user', 'role')),
    target_id INTEGER NOT NULL,
    note      TEXT,
    -- Nothing for an operator.
    by_user   INTEGER,
    since     INTEGER NOT NULL,
    UNIQUE (guild_id, kind, target_id)
) STRICT;

-- Who held a protected role when Discord last told: whoever was kicked or banned by hand has left by then.
CREATE TABLE protected_holders (
    guild_id INTEGER NOT NULL REFERENCES guild_settings (guild_id),
    user_id  INTEGER NOT NULL,
    role_id  INTEGER NOT NULL,
    PRIMARY KEY (guild_id, user_id, role_id)
) STRICT, WITHOUT ROWID;
