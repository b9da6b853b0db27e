-- A freeze may let through what takes back (sync freeze --except-reversals).
ALTER TABLE guild_settings ADD COLUMN frozen_except_reversals INTEGER NOT NULL DEFAULT 0
    CHECK (frozen_except_reversals IN (0, 1));
