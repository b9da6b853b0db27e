-- A decision that never left its main, as one that was only recorded, may come to a child later. At security level maximum it
-- waits for approval then: a delivery that waits for nobody may be given a hold, once, and is held with it. None is ever taken
-- from its hold.
DROP TRIGGER delivery_keeps_its_hold;
CREATE TRIGGER delivery_keeps_its_hold BEFORE UPDATE OF hold_id ON deliveries
WHEN NEW.hold_id IS NOT OLD.hold_id AND NOT (OLD.hold_id IS NULL AND NEW.state = 'held')
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: a delivery keeps its hold');
END;
