-- Kicks, mutes, timeouts and warnings beside bans. Two actions of one measure (a ban and an unban) contradict each
-- other; what the newer supersedes, and what an undo takes back, is of its own measure.

ALTER TABLE punishments ADD COLUMN evidence TEXT;
-- The punishment that led to this one.
ALTER TABLE punishments ADD COLUMN because INTEGER REFERENCES punishments (event_id);
ALTER TABLE punishments ADD COLUMN measure TEXT NOT NULL GENERATED ALWAYS AS
    (CASE action WHEN 'unban' THEN 'ban' WHEN 'unmute' THEN 'mute' WHEN 'untimeout' THEN 'timeout' ELSE action END) VIRTUAL;
CREATE INDEX punishments_measure ON punishments (target_user, source_guild, measure, event_id);
CREATE INDEX punishments_ending ON punishments (expires_at) WHERE expires_at IS NOT NULL AND status = 'active';

-- A delivery can be taken back in one guild alone (the link is removed, or reverted), so a punishment may have two there.
CREATE TABLE deliveries_new (
    delivery_id   INTEGER PRIMARY KEY AUTOINCREMENT,
    punishment_id INTEGER NOT NULL REFERENCES punishments (event_id),
    guild_id      INTEGER NOT NULL,
    scope         TEXT NOT NULL CHECK (scope IN ('origin', 'child')),
    link_id       INTEGER REFERENCES guild_relationships (id),
    action        TEXT NOT NULL,
    measure       TEXT NOT NULL GENERATED ALWAYS AS
        (CASE action WHEN 'unban' THEN 'ban' WHEN 'unmute' THEN 'mute' WHEN 'untimeout' THEN 'timeout' ELSE action END) VIRTUAL,
    target_user   INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('pending', 'held', 'sending', 'blocked', 'unknown',
                                                 'applied', 'skipped', 'failed', 'superseded')),
    reason        TEXT,
    attempts      INTEGER NOT NULL DEFAULT 0,
    -- Whether a request for it has left, or may have: what was open when the daemon died counts too.
    sent          INTEGER NOT NULL DEFAULT 0 CHECK (sent IN (0, 1)),
    -- When a request that must not be repeated was marked as about to leave.
    sent_at       INTEGER,
    -- Whether it was so before we came: 0 where Discord has told that we did it, nothing where it has not told.
    was_there     INTEGER CHECK (was_there IN (0, 1)),
    not_before    INTEGER,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    UNIQUE (punishment_id, guild_id, action),
    CHECK ((scope = 'origin') = (link_id IS NULL))
) STRICT;
INSERT INTO deliveries_new (delivery_id, punishment_id, guild_id, scope, link_id, action, target_user, state, reason,
                            attempts, sent, was_there, not_before, created_at, updated_at)
    SELECT delivery_id, punishment_id, guild_id, scope, link_id, action, target_user, state, reason,
           -- What was done before this was noted counts as ours, as it did.
           attempts, sent, iif(sent, 0, NULL), not_before, created_at, updated_at FROM deliveries;
DROP TABLE deliveries;
ALTER TABLE deliveries_new RENAME TO deliveries;
CREATE INDEX deliveries_open ON deliveries (guild_id, delivery_id)
    WHERE state IN ('pending', 'held', 'sending', 'blocked', 'unknown');
CREATE INDEX deliveries_user ON deliveries (guild_id, target_user, measure, delivery_id);
CREATE INDEX deliveries_state ON deliveries (scope, state);

-- ZERO-LEAK, wall 2, as it was: and what takes a delivery back goes where that delivery went, also along a closing link.
CREATE TRIGGER delivery_follows_a_link BEFORE INSERT ON deliveries
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: the delivery is not the punishment''s')
     WHERE NOT EXISTS (SELECT 1 FROM punishments WHERE event_id = NEW.punishment_id AND target_user = NEW.target_user
                          AND (action = NEW.action OR (action = NEW.measure AND EXISTS
                              (SELECT 1 FROM deliveries d WHERE d.punishment_id = NEW.punishment_id
                                  AND d.guild_id = NEW.guild_id AND d.action = NEW.measure))));
    SELECT RAISE(ABORT, 'zero-leak: the delivery leaves its guild without being told to')
     WHERE NEW.scope = 'origin' AND NOT EXISTS (SELECT 1 FROM punishments
             WHERE event_id = NEW.punishment_id AND source_guild = NEW.guild_id);
    SELECT RAISE(ABORT, 'zero-leak: the delivery follows no active link of its main')
     WHERE NEW.scope = 'child' AND NOT EXISTS (SELECT 1 FROM guild_relationships r
             JOIN punishments p ON p.event_id = NEW.punishment_id
             JOIN guild_settings m ON m.guild_id = r.main_guild_id AND m.is_main = 1
            WHERE r.id = NEW.link_id
              AND (r.state = 'active' OR (r.state = 'closing' AND NEW.action <> NEW.measure))
              AND r.main_guild_id = p.source_guild AND r.child_guild_id = NEW.guild_id);
END;
CREATE TRIGGER delivery_keeps_its_guild BEFORE UPDATE ON deliveries
WHEN NEW.guild_id <> OLD.guild_id OR NEW.punishment_id <> OLD.punishment_id OR NEW.scope <> OLD.scope
  OR NEW.link_id IS NOT OLD.link_id OR NEW.action <> OLD.action OR NEW.target_user <> OLD.target_user
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: a delivery keeps its guild, link, action and user');
END;

-- What a guild's own staff did: causes that no undo of ours may touch.
CREATE TABLE local_causes (
    guild_id INTEGER NOT NULL,
    user_id  INTEGER NOT NULL,
    measure  TEXT NOT NULL CHECK (measure IN ('ban', 'mute', 'timeout')),
    actor_id INTEGER,
    since    INTEGER NOT NULL,
    -- When it ends by itself.
    until    INTEGER,
    PRIMARY KEY (guild_id, user_id, measure)
) STRICT, WITHOUT ROWID;
INSERT INTO local_causes (guild_id, user_id, measure, actor_id, since)
    SELECT guild_id, user_id, 'ban', actor_id, since FROM local_bans;
DROP TABLE local_bans;

-- Which of two entries is the later word counts within a measure.
ALTER TABLE audit_entries ADD COLUMN measure TEXT NOT NULL DEFAULT 'ban';
DROP INDEX audit_entries_user;
CREATE INDEX audit_entries_user ON audit_entries (guild_id, user_id, measure, entry);
