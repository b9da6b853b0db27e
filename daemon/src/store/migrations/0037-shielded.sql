-- Why a punishment is delivered to no child where it was not delivered before: the main protected the user when it would
-- have been delivered. A child's own protection is remembered by the reason of that child's delivery.
ALTER TABLE punishments ADD COLUMN protection TEXT;
CREATE INDEX punishments_protection ON punishments (source_guild, protection) WHERE protection IS NOT NULL;

-- Whether a delivery was carried out at least once. `sent` says less: a request may have left.
ALTER TABLE deliveries ADD COLUMN delivered INTEGER NOT NULL DEFAULT 0 CHECK (delivered IN (0, 1));
UPDATE deliveries SET delivered = 1 WHERE state = 'applied' AND was_there IS NOT 1;

-- What was not delivered so far because the user was protected stays undelivered.
UPDATE punishments SET protection = 'protected when it was decided: ' || (
    SELECT d.reason FROM deliveries d WHERE d.punishment_id = event_id AND d.state = 'skipped' AND d.scope = 'child'
       AND d.reason IN ('protected in the main', 'they own the guild where it was decided',
           'one of Wayhaven''s own accounts, which are never punished') LIMIT 1)
 WHERE event_id IN (SELECT punishment_id FROM deliveries
    WHERE state = 'skipped' AND scope = 'child' AND action = measure
      AND reason IN ('protected in the main', 'they own the guild where it was decided',
          'one of Wayhaven''s own accounts, which are never punished'));
UPDATE deliveries SET reason = 'protected when it was decided: ' || reason
 WHERE state = 'skipped' AND scope = 'child' AND action = measure AND delivered = 0
   AND reason IN ('protected there', 'protected in the main', 'they own the guild where it was decided',
       'one of Wayhaven''s own accounts, which are never punished');
