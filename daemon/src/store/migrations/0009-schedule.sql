-- What is done again or ends by itself: renewals, mutes of those who join again, warnings that escalate.

-- When a timeout that lasts longer than Discord takes at once is to be sent again.
ALTER TABLE deliveries ADD COLUMN renew_at INTEGER;
-- Whether the user joined while it was open: what was found out about them before that may not hold any more.
ALTER TABLE deliveries ADD COLUMN joined INTEGER NOT NULL DEFAULT 0 CHECK (joined IN (0, 1));
-- Whether the guild's own staff have taken back what it did: it is not done again by itself.
ALTER TABLE deliveries ADD COLUMN let_go INTEGER NOT NULL DEFAULT 0 CHECK (let_go IN (0, 1));
CREATE INDEX deliveries_renewing ON deliveries (renew_at) WHERE renew_at IS NOT NULL;
UPDATE deliveries SET renew_at = updated_at + 27 * 86400000
 WHERE action = 'timeout' AND state = 'applied' AND EXISTS (SELECT 1 FROM punishments
        WHERE event_id = punishment_id AND status = 'active' AND expires_at > updated_at + 28 * 86400000);

-- Mute roles that a guild has replaced while somebody had them: an unmute takes them too.
CREATE TABLE former_mute_roles (
    guild_id INTEGER NOT NULL,
    user_id  INTEGER NOT NULL,
    role_id  INTEGER NOT NULL,
    PRIMARY KEY (guild_id, user_id, role_id)
) STRICT, WITHOUT ROWID;

-- What a guild has set of what follows its warnings, and what has to follow a warning and has not yet.
ALTER TABLE guild_settings ADD COLUMN warning_steps TEXT;
ALTER TABLE guild_settings ADD COLUMN warning_span TEXT;
CREATE TABLE escalations (
    warning  INTEGER PRIMARY KEY REFERENCES punishments (event_id),
    -- How many warnings there were with it.
    warnings INTEGER NOT NULL,
    -- The step that it reached.
    step     TEXT NOT NULL
) STRICT;
