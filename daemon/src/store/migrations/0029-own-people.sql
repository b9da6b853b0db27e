-- The owner of each guild, as Discord told last: nobody who owns a main is punished by its network.
ALTER TABLE guild_settings ADD COLUMN owner_id INTEGER;

-- Whether the user of a punishment was known as a bot when it was decided: what is decided about a bot waits for approval.
ALTER TABLE punishments ADD COLUMN of_bot INTEGER NOT NULL DEFAULT 0 CHECK (of_bot IN (0, 1));
CREATE INDEX punishments_of_bots ON punishments (target_user) WHERE of_bot = 1;

-- The kinds of holds are the code's to judge: a list of them here would have to be rebuilt with every new one. The table is
-- made anew under its name, so that deliveries refer to it again before the transaction ends.
PRAGMA defer_foreign_keys = ON;
CREATE TEMP TABLE holds_before AS SELECT * FROM holds;
DROP TABLE holds;
CREATE TABLE holds (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    main_guild_id INTEGER NOT NULL,
    kind          TEXT NOT NULL,
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
INSERT INTO holds (id, main_guild_id, kind, moderator_id, origin, opened_at, decided_at, decided_by, decision, finished_at)
    SELECT id, main_guild_id, kind, moderator_id, origin, opened_at, decided_at, decided_by, decision, finished_at
      FROM holds_before;
DROP TABLE holds_before;
CREATE UNIQUE INDEX holds_open ON holds (main_guild_id, kind, coalesce(moderator_id, 0), coalesce(origin, ''))
    WHERE decided_at IS NULL AND kind <> 'import';
CREATE INDEX holds_unfinished ON holds (id) WHERE decided_at IS NOT NULL AND finished_at IS NULL;
CREATE TRIGGER hold_is_decided_once BEFORE UPDATE ON holds
WHEN NEW.main_guild_id <> OLD.main_guild_id OR NEW.kind <> OLD.kind OR NEW.moderator_id IS NOT OLD.moderator_id
  OR NEW.origin IS NOT OLD.origin OR (OLD.decided_at IS NOT NULL AND (NEW.decision IS NOT OLD.decision
    OR NEW.decided_at IS NOT OLD.decided_at OR NEW.decided_by IS NOT OLD.decided_by))
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: a hold is decided once, and stays what it was');
END;
