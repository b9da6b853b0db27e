-- What the user of a ban, kick or warning that was asked of us is told by direct message, before it is done: one
-- message for each punishment, whatever it is delivered to.
CREATE TABLE direct_messages (
    punishment_id INTEGER PRIMARY KEY REFERENCES punishments (event_id),
    user_id       INTEGER NOT NULL,
    -- The message as Discord takes it, while it may still be sent.
    body          TEXT CHECK (json_valid(body)),
    state         TEXT NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'failed', 'dropped')),
    reason        TEXT,
    -- Whether the punishment's deliveries wait until it has settled.
    holds         INTEGER NOT NULL CHECK (holds IN (0, 1)),
    -- When it was first marked as about to leave: Discord knows its nonce for a few minutes from then.
    sent_at       INTEGER,
    -- When it is given up at the latest, across restarts.
    give_up_at    INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    CHECK ((body IS NOT NULL) = (state IN ('pending', 'sending'))),
    CHECK (holds = 0 OR state IN ('pending', 'sending')),
    CHECK ((state <> 'sending') OR sent_at IS NOT NULL)
) STRICT;
CREATE INDEX direct_messages_open ON direct_messages (punishment_id) WHERE state IN ('pending', 'sending');
