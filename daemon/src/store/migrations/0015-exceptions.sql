-- Exceptions that are asked for, beside those that a guild's staff make by taking something back.

CREATE TABLE exceptions_new (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    guild_id INTEGER NOT NULL,
    user_id  INTEGER NOT NULL,
    measure  TEXT NOT NULL CHECK (measure IN ('ban', 'mute', 'timeout')),
    origin   TEXT NOT NULL CHECK (origin IN ('override', 'command')),
    -- When it is to end; nothing for one that does not by itself.
    until    INTEGER,
    why      TEXT,
    by       INTEGER,
    since    INTEGER NOT NULL,
    -- Whether what Wayhaven did there is taken back, also what was still on its way when it was asked for.
    lift     INTEGER NOT NULL DEFAULT 0 CHECK (lift IN (0, 1)),
    UNIQUE (user_id, guild_id, measure)
) STRICT;
INSERT INTO exceptions_new (guild_id, user_id, measure, origin, until, why, by, since)
    SELECT guild_id, user_id, measure, 'override', until, why, by, since FROM exceptions ORDER BY since;
DROP TABLE exceptions;
ALTER TABLE exceptions_new RENAME TO exceptions;
CREATE INDEX exceptions_of ON exceptions (guild_id, id);
CREATE INDEX exceptions_ending ON exceptions (until) WHERE until IS NOT NULL;

-- ZERO-LEAK, wall 2, with one way more: what takes a delivery back in one guild alone goes along the link by which that
-- delivery was sent, where that is closing, or where it is active and the guild has an exception for the user.
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
                OR (p.action <> NEW.action
                    AND (r.state = 'closing' OR (r.state = 'active' AND EXISTS (SELECT 1 FROM exceptions e
                            WHERE e.guild_id = NEW.guild_id AND e.user_id = NEW.target_user AND e.measure = NEW.measure
                              AND e.origin = 'command')))
                    AND EXISTS (SELECT 1 FROM deliveries d
                        WHERE d.punishment_id = NEW.punishment_id AND d.guild_id = NEW.guild_id
                          AND d.link_id = NEW.link_id AND d.action = NEW.measure
                          AND (d.state = 'applied' OR d.sent = 1)))));
END;
