-- The audit entry by which a guild's own staff did it, or the first that there may have been by then. Whatever Discord shows
-- later than that can end the cause.
ALTER TABLE local_causes ADD COLUMN entry INTEGER NOT NULL DEFAULT 0;
UPDATE local_causes SET entry = max(0, since - 1420070400000) << 22;
-- Whether Discord has shown since that what the delivery did is not there any more.
ALTER TABLE deliveries ADD COLUMN gone INTEGER NOT NULL DEFAULT 0 CHECK (gone IN (0, 1));
