-- The seed's tables keep their names and meaning; STRICT, with defaults that satisfy their own checks.
-- Times are milliseconds since 1970 in UTC. Snowflakes fit SQLite's signed integers.

CREATE TABLE store_meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE guild_settings (
    guild_id                  INTEGER PRIMARY KEY,
    name                      TEXT,
    is_main                   INTEGER NOT NULL DEFAULT 0 CHECK (is_main IN (0, 1)),
    frozen_at                 INTEGER,
    mute_role_id              INTEGER,
    log_channel_id            INTEGER,
    staff_role_id             INTEGER,
    webhook_url               TEXT,
    notification_channel_id   INTEGER,
    auto_sync_enabled         INTEGER NOT NULL DEFAULT 1 CHECK (auto_sync_enabled IN (0, 1)),
    notifications_enabled     INTEGER NOT NULL DEFAULT 0 CHECK (notifications_enabled IN (0, 1)),
    settings                  TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(settings)),
    security_level            TEXT NOT NULL DEFAULT 'standard' CHECK (security_level IN ('standard', 'high', 'maximum')),
    relationship_lock_enabled INTEGER NOT NULL DEFAULT 0 CHECK (relationship_lock_enabled IN (0, 1)),
    updated_at                INTEGER NOT NULL,
    CHECK (notifications_enabled = 0 OR notification_channel_id IS NOT NULL)
) STRICT;

CREATE TABLE guild_relationships (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    main_guild_id     INTEGER NOT NULL REFERENCES guild_settings (guild_id),
    child_guild_id    INTEGER NOT NULL REFERENCES guild_settings (guild_id),
    sync_direction    TEXT NOT NULL DEFAULT 'MAIN_TO_CHILD' CHECK (sync_direction = 'MAIN_TO_CHILD'),
    sync_mode         TEXT NOT NULL DEFAULT 'ACTIVE' CHECK (sync_mode IN ('ACTIVE', 'MONITOR')),
    allowed_actions   TEXT NOT NULL DEFAULT '["ban","unban"]' CHECK (json_valid(allowed_actions)),
    state             TEXT NOT NULL CHECK (state IN ('proposed', 'active', 'closing', 'closed')),
    auto_sync_enabled INTEGER NOT NULL DEFAULT 1 CHECK (auto_sync_enabled IN (0, 1)),
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    UNIQUE (main_guild_id, child_guild_id),
    CHECK (main_guild_id <> child_guild_id)
) STRICT;
CREATE INDEX guild_relationships_child ON guild_relationships (child_guild_id);

-- ZERO-LEAK, wall 2: no chains, no cycles, no two-way links, whatever the code above believes.
CREATE TRIGGER link_is_made_between_a_main_and_a_child BEFORE INSERT ON guild_relationships
WHEN NEW.state <> 'closed'
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: the source of a link is not a main')
     WHERE NOT EXISTS (SELECT 1 FROM guild_settings WHERE guild_id = NEW.main_guild_id AND is_main = 1);
    SELECT RAISE(ABORT, 'zero-leak: the child of a link is a main')
     WHERE EXISTS (SELECT 1 FROM guild_settings WHERE guild_id = NEW.child_guild_id AND is_main = 1);
    SELECT RAISE(ABORT, 'zero-leak: the main of a link is a child')
     WHERE EXISTS (SELECT 1 FROM guild_relationships WHERE child_guild_id = NEW.main_guild_id AND state <> 'closed');
END;
CREATE TRIGGER link_keeps_its_guilds BEFORE UPDATE ON guild_relationships
WHEN NEW.main_guild_id <> OLD.main_guild_id OR NEW.child_guild_id <> OLD.child_guild_id
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: a link keeps its guilds');
END;
CREATE TRIGGER link_stays_between_a_main_and_a_child BEFORE UPDATE ON guild_relationships
WHEN NEW.state <> 'closed'
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: the source of a link is not a main')
     WHERE NOT EXISTS (SELECT 1 FROM guild_settings WHERE guild_id = NEW.main_guild_id AND is_main = 1);
    SELECT RAISE(ABORT, 'zero-leak: the child of a link is a main')
     WHERE EXISTS (SELECT 1 FROM guild_settings WHERE guild_id = NEW.child_guild_id AND is_main = 1);
    SELECT RAISE(ABORT, 'zero-leak: the main of a link is a child')
     WHERE EXISTS (SELECT 1 FROM guild_relationships WHERE child_guild_id = NEW.main_guild_id AND state <> 'closed');
END;
CREATE TRIGGER a_child_is_not_made_a_main BEFORE INSERT ON guild_settings
WHEN NEW.is_main = 1
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: the guild is a child')
     WHERE EXISTS (SELECT 1 FROM guild_relationships WHERE child_guild_id = NEW.guild_id AND state <> 'closed');
END;
CREATE TRIGGER a_child_becomes_no_main BEFORE UPDATE OF is_main ON guild_settings
WHEN NEW.is_main = 1 AND OLD.is_main = 0
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: the guild is a child')
     WHERE EXISTS (SELECT 1 FROM guild_relationships WHERE child_guild_id = NEW.guild_id AND state <> 'closed');
END;

CREATE TABLE punishments (
    event_id       INTEGER PRIMARY KEY AUTOINCREMENT,
    source_guild   INTEGER NOT NULL,
    target_user    INTEGER NOT NULL,
    action         TEXT NOT NULL CHECK (action IN
                       ('ban', 'unban', 'kick', 'mute', 'unmute', 'warn', 'timeout', 'untimeout')),
    reason         TEXT,
    moderator_id   INTEGER,
    origin         TEXT NOT NULL CHECK (origin IN ('command', 'guild', 'operator', 'system')),
    delete_seconds INTEGER NOT NULL DEFAULT 0 CHECK (delete_seconds BETWEEN 0 AND 604800),
    audit_entry    INTEGER,
    expires_at     INTEGER,
    created_at     INTEGER NOT NULL,
    status         TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'expired', 'reversed', 'superseded')),
    UNIQUE (source_guild, audit_entry)
) STRICT;
CREATE TRIGGER punishment_keeps_its_guild BEFORE UPDATE ON punishments
WHEN NEW.source_guild <> OLD.source_guild OR NEW.target_user <> OLD.target_user OR NEW.action <> OLD.action
  OR NEW.event_id <> OLD.event_id
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: a punishment keeps its guild, action and user');
END;
CREATE INDEX punishments_user_guild ON punishments (target_user, source_guild, event_id);
CREATE INDEX punishments_guild ON punishments (source_guild, event_id);

CREATE TABLE deliveries (
    delivery_id   INTEGER PRIMARY KEY AUTOINCREMENT,
    punishment_id INTEGER NOT NULL REFERENCES punishments (event_id),
    guild_id      INTEGER NOT NULL,
    scope         TEXT NOT NULL CHECK (scope IN ('origin', 'child')),
    link_id       INTEGER REFERENCES guild_relationships (id),
    action        TEXT NOT NULL,
    target_user   INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('pending', 'held', 'sending', 'blocked', 'unknown',
                                                 'applied', 'skipped', 'failed', 'superseded')),
    reason        TEXT,
    attempts      INTEGER NOT NULL DEFAULT 0,
    -- Whether a request for it has left, or may have: what was open when the daemon died counts too.
    sent          INTEGER NOT NULL DEFAULT 0 CHECK (sent IN (0, 1)),
    not_before    INTEGER,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    UNIQUE (punishment_id, guild_id),
    CHECK ((scope = 'origin') = (link_id IS NULL))
) STRICT;
CREATE INDEX deliveries_open ON deliveries (guild_id, delivery_id)
    WHERE state IN ('pending', 'held', 'sending', 'blocked', 'unknown');
CREATE INDEX deliveries_user ON deliveries (guild_id, target_user, delivery_id);
CREATE INDEX deliveries_state ON deliveries (scope, state);

-- ZERO-LEAK, wall 2: a delivery stays in the guild it was decided in, or follows a link of that guild.
CREATE TRIGGER delivery_follows_a_link BEFORE INSERT ON deliveries
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: the delivery is not the punishment''s')
     WHERE NOT EXISTS (SELECT 1 FROM punishments WHERE event_id = NEW.punishment_id
                          AND target_user = NEW.target_user AND action = NEW.action);
    SELECT RAISE(ABORT, 'zero-leak: the delivery leaves its guild without being told to')
     WHERE NEW.scope = 'origin' AND NOT EXISTS (SELECT 1 FROM punishments
             WHERE event_id = NEW.punishment_id AND source_guild = NEW.guild_id);
    SELECT RAISE(ABORT, 'zero-leak: the delivery follows no active link of its main')
     WHERE NEW.scope = 'child' AND NOT EXISTS (SELECT 1 FROM guild_relationships r
             JOIN punishments p ON p.event_id = NEW.punishment_id
             JOIN guild_settings m ON m.guild_id = r.main_guild_id AND m.is_main = 1
            WHERE r.id = NEW.link_id AND r.state = 'active'
              AND r.main_guild_id = p.source_guild AND r.child_guild_id = NEW.guild_id);
END;
CREATE TRIGGER delivery_keeps_its_guild BEFORE UPDATE ON deliveries
WHEN NEW.guild_id <> OLD.guild_id OR NEW.punishment_id <> OLD.punishment_id OR NEW.scope <> OLD.scope
  OR NEW.link_id IS NOT OLD.link_id OR NEW.action <> OLD.action OR NEW.target_user <> OLD.target_user
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: a delivery keeps its guild, link, action and user');
END;

-- Bans that a guild's own staff made: causes that no undo of ours may touch.
CREATE TABLE local_bans (
    guild_id INTEGER NOT NULL,
    user_id  INTEGER NOT NULL,
    actor_id INTEGER,
    since    INTEGER NOT NULL,
    PRIMARY KEY (guild_id, user_id)
) STRICT, WITHOUT ROWID;

-- Events of a main that wait for their audit entry; open ones are worked again after a restart.
CREATE TABLE gateway_journal (
    sequence    INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,
    guild_id    INTEGER NOT NULL,
    user_id     INTEGER NOT NULL,
    action      TEXT NOT NULL CHECK (action IN ('ban', 'unban'))
) STRICT;

CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    body     TEXT NOT NULL
) STRICT;

-- The audit chain: append-only. What identifies somebody stands beside it, and only commitments in it.
CREATE TABLE command_audit (
    id                INTEGER PRIMARY KEY,
    created_at        INTEGER NOT NULL,
    kind              TEXT NOT NULL CHECK (kind IN ('intent', 'outcome')),
    intent_id         INTEGER REFERENCES command_audit (id),
    command_name      TEXT NOT NULL,
    command_type      TEXT NOT NULL CHECK (command_type IN ('punishment', 'admin', 'config', 'audit', 'system')),
    surface           TEXT NOT NULL CHECK (surface IN ('discord', 'cli', 'console', 'gateway', 'scheduler')),
    guild_id          INTEGER,
    channel_id        INTEGER,
    result_status     TEXT CHECK (result_status IN ('success', 'error', 'permission_denied', 'interrupted')),
    fault_kind        TEXT,
    execution_time_us INTEGER,
    commitments       TEXT NOT NULL CHECK (json_valid(commitments)),
    hash              BLOB NOT NULL CHECK (length(hash) = 32),
    CHECK ((kind = 'intent') = (result_status IS NULL))
) STRICT;
CREATE INDEX command_audit_intent ON command_audit (intent_id) WHERE intent_id IS NOT NULL;
CREATE TRIGGER command_audit_is_not_changed BEFORE UPDATE ON command_audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER command_audit_is_not_deleted BEFORE DELETE ON command_audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

CREATE TABLE command_audit_personal (
    audit_id INTEGER NOT NULL REFERENCES command_audit (id),
    field    TEXT NOT NULL CHECK (field IN ('actor', 'target', 'parameters', 'message')),
    value    TEXT NOT NULL,
    salt     BLOB NOT NULL CHECK (length(salt) = 16),
    PRIMARY KEY (audit_id, field)
) STRICT, WITHOUT ROWID;
CREATE INDEX command_audit_people ON command_audit_personal (field, value, audit_id)
    WHERE field IN ('actor', 'target');

CREATE TABLE security_alerts (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    alert_type   TEXT NOT NULL,
    guild_id     INTEGER,
    user_id      INTEGER,
    severity     TEXT NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'critical')),
    details      TEXT NOT NULL,
    action_taken TEXT,
    resolved     INTEGER NOT NULL DEFAULT 0 CHECK (resolved IN (0, 1)),
    day          INTEGER NOT NULL,
    occurrences  INTEGER NOT NULL DEFAULT 1,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX security_alerts_aggregated ON security_alerts (alert_type, coalesce(guild_id, 0), day)
    WHERE resolved = 0;

CREATE TABLE system_health (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    component   TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('healthy', 'warning', 'error', 'security_breach')),
    details     TEXT,
    severity    TEXT NOT NULL DEFAULT 'info' CHECK (severity IN ('info', 'warning', 'critical')),
    resolved_at INTEGER,
    created_at  INTEGER NOT NULL
) STRICT;
