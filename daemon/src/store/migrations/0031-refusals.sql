-- What Discord refuses in a guild although the bot has the permission, and when it is tried again. It outlives a restart,
-- so that a daemon that is restarted again and again does not collect refusals.
CREATE TABLE guild_refusals (
    guild_id INTEGER NOT NULL,
    -- The action whose requests are refused.
    action TEXT NOT NULL,
    -- The likely cause, as deliveries show it.
    reason TEXT NOT NULL,
    -- What the bot was allowed there when Discord refused: a change of it is worth a try at once.
    footing TEXT,
    -- 1: deliveries of the action wait. 0: one was refused, and others still go.
    bars INTEGER NOT NULL CHECK (bars IN (0, 1)),
    -- How often it was tried again in vain.
    probes INTEGER NOT NULL,
    since INTEGER NOT NULL,
    probe_at INTEGER NOT NULL,
    PRIMARY KEY (guild_id, action)
) STRICT, WITHOUT ROWID;
