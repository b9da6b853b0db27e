-- Each import waits in a hold of its own, whatever else of its main waits.
DROP INDEX holds_open;
CREATE UNIQUE INDEX holds_open ON holds (main_guild_id, kind, coalesce(moderator_id, 0), coalesce(origin, ''))
    WHERE decided_at IS NULL AND kind <> 'import';
-- What is approved leaves by guild, a few at a time.
CREATE INDEX deliveries_held_in ON deliveries (hold_id, guild_id, delivery_id) WHERE hold_id IS NOT NULL AND state = 'held';
