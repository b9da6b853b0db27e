-- Whether the children of a punishment were let go before Discord had answered the main's own step. A refusal that comes after
-- that holds what has not left yet.
ALTER TABLE punishments ADD COLUMN origin_stalled INTEGER NOT NULL DEFAULT 0 CHECK (origin_stalled IN (0, 1));
-- Also of what something newer has taken the place of: when that is reverted nothing keeps the older one back.
DROP TRIGGER delivery_keeps_its_hold;
CREATE TRIGGER delivery_keeps_its_hold BEFORE UPDATE OF hold_id ON deliveries
WHEN NEW.hold_id IS NOT OLD.hold_id AND NOT (NEW.state = 'held' AND (OLD.hold_id IS NULL
  OR EXISTS (SELECT 1 FROM holds old JOIN holds new ON new.id = NEW.hold_id
              WHERE old.id = OLD.hold_id AND 'refused' IN (old.kind, new.kind)
                AND (old.decision IS NULL OR old.decision = 'approved'))))
  AND NOT (NEW.state = 'superseded'
  AND EXISTS (SELECT 1 FROM holds old JOIN holds new ON new.id = NEW.hold_id
               WHERE old.id = OLD.hold_id AND old.kind = 'refused' AND new.kind = 'refused'
                 AND old.decision IS NULL AND new.decision = 'approved'))
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: a delivery keeps its hold');
END;
-- Whether Discord did not tell whether the user is a bot, and nothing was to be delivered before somebody had decided.
ALTER TABLE punishments ADD COLUMN may_be_bot INTEGER NOT NULL DEFAULT 0 CHECK (may_be_bot IN (0, 1));
