-- Corrections, exceptions, and what takes a delivery back in one guild alone.

-- A reason that was corrected: both versions are kept.
CREATE TABLE punishment_amendments (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    punishment_id INTEGER NOT NULL REFERENCES punishments (event_id),
    amended_at    INTEGER NOT NULL,
    -- A member; nothing for an operator.
    amended_by    INTEGER,
    old_reason    TEXT,
    new_reason    TEXT NOT NULL
) STRICT;
CREATE INDEX punishment_amendments_of ON punishment_amendments (punishment_id, id);
CREATE INDEX punishments_moderator ON punishments (source_guild, moderator_id, created_at);

-- What a guild does not apply to somebody: as long as the row is there. Whoever lets it end removes the row.
CREATE TABLE exceptions (
    guild_id INTEGER NOT NULL,
    user_id  INTEGER NOT NULL,
    measure  TEXT NOT NULL CHECK (measure IN ('ban', 'mute', 'timeout')),
    -- When it is to end; nothing for one that does not by itself.
    until    INTEGER,
    why      TEXT NOT NULL,
    by       INTEGER,
    since    INTEGER NOT NULL,
    PRIMARY KEY (user_id, guild_id, measure)
) STRICT, WITHOUT ROWID;

-- When a delivery was applied once more because the guild's staff had taken it back: two sides do not fight for ever.
CREATE TABLE reapplications (
    delivery_id INTEGER NOT NULL REFERENCES deliveries (delivery_id),
    at          INTEGER NOT NULL
) STRICT;
CREATE INDEX reapplications_of ON reapplications (delivery_id, at);

-- ZERO-LEAK, wall 2, narrower: what takes a delivery back goes along the closing link by which that delivery was sent,
-- and nothing else goes along a closing link.
DROP TRIGGER delivery_follows_a_link;
CREATE TRIGGER delivery_follows_a_link BEFORE INSERT ON deliveries
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: the delivery is not the punishment''s')
     WHERE NOT EXISTS (SELECT 1 FROM punishments WHERE event_id = NEW.punishment_id AND target_user = NEW.target_user
                          AND (action = NEW.action OR (action = NEW.measure AND NEW.scope = 'child')));
    SELECT RAISE(ABORT, 'zero-leak: the delivery leaves its guild without being told to')
     WHERE NEW.scope = 'origin' AND NOT EXISTS (SELECT 1 FROM punishments
             WHERE event_id = NEW.punishment_id AND source_guild = NEW.guild_id);
    SELECT RAISE(ABORT, 'zero-leak: the delivery follows no active link of its main')
     WHERE NEW.scope = 'child' AND NOT EXISTS (SELECT 1 FROM guild_relationships r
             JOIN punishments p ON p.event_id = NEW.punishment_id
             JOIN guild_settings m ON m.guild_id = r.main_guild_id AND m.is_main = 1
            WHERE r.id = NEW.link_id AND r.main_guild_id = p.source_guild AND r.child_guild_id = NEW.guild_id
              AND ((r.state = 'active' AND p.action = NEW.action)
                OR (r.state = 'closing' AND p.action <> NEW.action AND EXISTS (SELECT 1 FROM deliveries d
                        WHERE d.punishment_id = NEW.punishment_id AND d.guild_id = NEW.guild_id
                          AND d.link_id = NEW.link_id AND d.action = NEW.measure
                          AND (d.state = 'applied' OR d.sent = 1)))));
END;
