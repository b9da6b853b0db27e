-- Which operator issued a punishment: the number of their account on the daemon's machine.
ALTER TABLE punishments ADD COLUMN operator_uid INTEGER;
CREATE INDEX punishments_operator ON punishments (source_guild, operator_uid, event_id)
    WHERE operator_uid IS NOT NULL;
