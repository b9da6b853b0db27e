-- Containment: what is decided beyond a budget, or needs a second administrator, is held until somebody decides about it.
CREATE TABLE holds (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    main_guild_id INTEGER NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('moderator', 'network', 'maximum', 'import')),
    -- Whose punishments, where it is about one member's.
    moderator_id  INTEGER,
    -- Where they came from, where it is about one's and no member is known.
    origin        TEXT,
    opened_at     INTEGER NOT NULL,
    decided_at    INTEGER,
    -- A member; nothing for an operator.
    decided_by    INTEGER,
    decision      TEXT CHECK (decision IN ('approved', 'discarded')),
    -- When the decision had reached every delivery.
    finished_at   INTEGER,
    CHECK ((decided_at IS NULL) = (decision IS NULL)),
    CHECK (decided_by IS NULL OR decided_at IS NOT NULL),
    CHECK (finished_at IS NULL OR decided_at IS NOT NULL)
) STRICT;
-- What is decided while one waits joins it.
CREATE UNIQUE INDEX holds_open ON holds (main_guild_id, kind, coalesce(moderator_id, 0), coalesce(origin, ''))
    WHERE decided_at IS NULL;
CREATE INDEX holds_unfinished ON holds (id) WHERE decided_at IS NOT NULL AND finished_at IS NULL;
CREATE TRIGGER hold_is_decided_once BEFORE UPDATE ON holds
WHEN NEW.main_guild_id <> OLD.main_guild_id OR NEW.kind <> OLD.kind OR NEW.moderator_id IS NOT OLD.moderator_id
  OR NEW.origin IS NOT OLD.origin OR (OLD.decided_at IS NOT NULL AND (NEW.decision IS NOT OLD.decision
    OR NEW.decided_at IS NOT OLD.decided_at OR NEW.decided_by IS NOT OLD.decided_by))
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: a hold is decided once, and stays what it was');
END;

ALTER TABLE deliveries ADD COLUMN hold_id INTEGER REFERENCES holds (id);
CREATE INDEX deliveries_held ON deliveries (hold_id, delivery_id) WHERE hold_id IS NOT NULL AND state = 'held';
-- Wall 2: what is held is sent by nobody but through an approval.
CREATE TRIGGER delivery_begins_held BEFORE INSERT ON deliveries
WHEN NEW.hold_id IS NOT NULL AND NEW.state <> 'held'
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: a delivery with a hold begins held');
END;
CREATE TRIGGER delivery_keeps_its_hold BEFORE UPDATE OF hold_id ON deliveries WHEN NEW.hold_id IS NOT OLD.hold_id
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: a delivery keeps its hold');
END;
CREATE TRIGGER delivery_waits_for_approval BEFORE UPDATE OF state ON deliveries
WHEN NEW.hold_id IS NOT NULL AND NEW.state IN ('pending', 'sending')
 AND NOT EXISTS (SELECT 1 FROM holds WHERE id = NEW.hold_id AND decision = 'approved')
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: the hold of the delivery is not approved');
END;

-- Whether it counts towards the budgets of its moderator and its network: it was to leave its guild, and somebody decided it.
ALTER TABLE punishments ADD COLUMN counted INTEGER NOT NULL DEFAULT 0 CHECK (counted IN (0, 1));
CREATE INDEX punishments_counted ON punishments (source_guild, created_at) WHERE counted = 1;
CREATE INDEX punishments_counted_of ON punishments (source_guild, moderator_id, created_at) WHERE counted = 1;
