-- What a link that was closed has left behind.

-- Whether what went along it was taken back when it closed: then none of it is a cause any more. What was kept is one still,
-- and nobody's to lift but the guild's own staff.
ALTER TABLE guild_relationships ADD COLUMN undone INTEGER NOT NULL DEFAULT 0 CHECK (undone IN (0, 1));

-- Whether it was because the guild's staff had taken it back: only that is counted. What is applied again because a newer
-- punishment was reverted is noted too, where it comes behind an undo.
ALTER TABLE reapplications ADD COLUMN overridden INTEGER NOT NULL DEFAULT 1 CHECK (overridden IN (0, 1));
