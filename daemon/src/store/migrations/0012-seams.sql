-- What a link that was closed has left behind.

-- Whether what went along it was taken back when it closed: then none of it is a cause any more. What was kept is one still,
-- and nobody's to lift but the guild's own staff.
ALTER TABLE guild_relationships ADD COLUMN undone INTEGER NOT NULL DEFAULT 0 CHECK (undone IN (0, 1));

-- Whether it was because the guild's staff had taken it back: only that is counted. What is applied again because a newer
-- punishment was reverted is noted too, where it comes behind an undo.
ALTER TABLE reapplications ADD COLUMN overridden INTEGER NOT NULL DEFAULT 1 CHECK (overridden IN (0, 1));

-- Bulk bans whose answer was lost, of each user once per request: when it was on its way, and what it said. Discord's
-- entries of bulk bans name nobody, and only one that was made meanwhile may be ours.
CREATE TABLE lost_bulk_bans (
    delivery_id INTEGER NOT NULL REFERENCES deliveries (delivery_id),
    left_at     INTEGER NOT NULL,
    heard_at    INTEGER NOT NULL,
    reason      TEXT
) STRICT;
CREATE INDEX lost_bulk_bans_of ON lost_bulk_bans (delivery_id);
