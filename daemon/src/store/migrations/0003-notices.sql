-- Whether a guild's audit is posted to its notification channel; the recording knows no switch.
ALTER TABLE guild_settings ADD COLUMN audit_posted INTEGER NOT NULL DEFAULT 0
    CHECK (audit_posted IN (0, 1) AND (audit_posted = 0 OR notification_channel_id IS NOT NULL));

-- Messages that wait to be posted into a guild's own channel. The number is part of the nonce by which Discord
-- knows a message again, so none is used twice.
CREATE TABLE notices (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    guild_id INTEGER NOT NULL,
    place    TEXT NOT NULL CHECK (place IN ('log', 'punishments', 'audit')),
    body     TEXT NOT NULL CHECK (json_valid(body))
) STRICT;

-- Punishments whose guild is still to be told how the deliveries went.
CREATE TABLE notices_owed (
    punishment_id INTEGER PRIMARY KEY REFERENCES punishments (event_id),
    since         INTEGER NOT NULL
) STRICT;
