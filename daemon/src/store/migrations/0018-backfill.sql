-- What was decided up to this punishment and never delivered along the link is not begun there unasked: the link was opened
-- without a backfill.
ALTER TABLE guild_relationships ADD COLUMN begins_after INTEGER NOT NULL DEFAULT 0;

-- When it was last said that the guild has to be compared: a comparison that began before that does not answer it.
ALTER TABLE reconciled ADD COLUMN due_at INTEGER NOT NULL DEFAULT 0;

-- Whether a ban counts in what the guild takes of bans of non-members within a day. What a backfill does to members leaves
-- behind what people wait for too, and costs nothing of that.
ALTER TABLE deliveries ADD COLUMN budgeted INTEGER NOT NULL DEFAULT 0 CHECK (budgeted IN (0, 1));
DROP INDEX deliveries_trickle;
CREATE INDEX deliveries_budgeted ON deliveries (guild_id, updated_at) WHERE budgeted = 1;
