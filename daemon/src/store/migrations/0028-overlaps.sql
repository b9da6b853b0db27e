-- A punishment that a shorter one of the same guild, user and measure has replaced: a moderator has asked for the shorter one.
-- The replaced one is superseded and no cause of anything. It is active again when the shorter one is reverted.
ALTER TABLE punishments ADD COLUMN replaced_by INTEGER REFERENCES punishments (event_id);
CREATE INDEX punishments_replaced ON punishments (replaced_by) WHERE replaced_by IS NOT NULL;

-- What the children of a main wait for: the first answer to the main's own step ('awaited'), or its success after Discord has
-- refused it ('refused'). Nothing where the children do not depend on that step.
ALTER TABLE punishments ADD COLUMN origin_step TEXT CHECK (origin_step IN ('awaited', 'refused'));

-- A further status: Discord knows no such user, so the punishment is in force nowhere. And a further kind of hold: the main
-- could not do it itself. Only two CHECKs change, as in 0017.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'CHECK (status IN (', 'CHECK (status IN (''failed'', ')
 WHERE type = 'table' AND name = 'punishments';
UPDATE sqlite_schema SET sql = replace(sql, 'CHECK (kind IN (', 'CHECK (kind IN (''refused'', ')
 WHERE type = 'table' AND name = 'holds';
PRAGMA writable_schema = RESET;

-- A delivery that is held may pass from a hold that is approved to one of this kind, because the main's own step was refused
-- after the approval; and from one of this kind to another, because the main's own step was applied.
DROP TRIGGER delivery_keeps_its_hold;
CREATE TRIGGER delivery_keeps_its_hold BEFORE UPDATE OF hold_id ON deliveries
WHEN NEW.hold_id IS NOT OLD.hold_id AND NOT (NEW.state = 'held' AND (OLD.hold_id IS NULL
  OR EXISTS (SELECT 1 FROM holds old JOIN holds new ON new.id = NEW.hold_id
              WHERE old.id = OLD.hold_id AND 'refused' IN (old.kind, new.kind)
                AND (old.decision IS NULL OR old.decision = 'approved'))))
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: a delivery keeps its hold');
END;
