-- A punishment that was reverted, or has ended, is taken back in one child alone along its link where all that remains of its
-- guild and measure waits for approval there, or was refused it.
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
                    AND (r.state = 'closing' OR (r.state = 'active' AND (p.status IN ('reversed', 'expired') OR EXISTS (SELECT 1 FROM exceptions e
                            WHERE e.guild_id = NEW.guild_id AND e.user_id = NEW.target_user AND e.measure = NEW.measure
                              AND e.origin = 'command'))))
                    AND EXISTS (SELECT 1 FROM deliveries d
                        WHERE d.punishment_id = NEW.punishment_id AND d.guild_id = NEW.guild_id
                          AND d.link_id = NEW.link_id AND d.action = NEW.measure
                          -- What was on its way when it was reverted may arrive; whether it did is asked when the undo is.
                          AND (d.state = 'applied' OR d.sent = 1 OR p.status IN ('reversed', 'expired'))))));
END;
