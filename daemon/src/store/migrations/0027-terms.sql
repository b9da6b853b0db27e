-- ZERO-LEAK, wall 2, continued: an active link allows no more than its child has accepted. What was accepted is stored
-- with the link. What its main wants beyond that is stored beside it as a proposal, and only what was proposed can be
-- accepted later.

ALTER TABLE guild_relationships ADD COLUMN accepted_mode TEXT CHECK (accepted_mode IN ('ACTIVE', 'MONITOR'));
ALTER TABLE guild_relationships ADD COLUMN accepted_actions TEXT CHECK (json_valid(accepted_actions));
ALTER TABLE guild_relationships ADD COLUMN accepted_level TEXT
    CHECK (accepted_level IN ('standard', 'high', 'maximum'));
ALTER TABLE guild_relationships ADD COLUMN proposed_mode TEXT CHECK (proposed_mode IN ('ACTIVE', 'MONITOR'));
ALTER TABLE guild_relationships ADD COLUMN proposed_actions TEXT CHECK (json_valid(proposed_actions));
ALTER TABLE guild_relationships ADD COLUMN proposed_level TEXT
    CHECK (proposed_level IN ('standard', 'high', 'maximum'));

-- What was accepted before is not known, so that what holds now counts. Locked guilds' links take part.
DROP TRIGGER locked_guild_keeps_its_links;
UPDATE guild_relationships
   SET accepted_mode = sync_mode, accepted_actions = allowed_actions,
       accepted_level = (SELECT security_level FROM guild_settings WHERE guild_id = main_guild_id)
 WHERE accepted_at IS NOT NULL;
CREATE TRIGGER locked_guild_keeps_its_links BEFORE UPDATE ON guild_relationships
WHEN EXISTS (SELECT 1 FROM guild_settings WHERE relationship_lock_enabled = 1
                AND guild_id IN (OLD.main_guild_id, OLD.child_guild_id))
BEGIN
    SELECT RAISE(ABORT, 'locked: a guild of the link keeps its links as they are');
END;

-- Consent that begins is consent to the terms of that moment.
CREATE TRIGGER link_is_made_on_its_terms AFTER INSERT ON guild_relationships
WHEN NEW.accepted_at IS NOT NULL
BEGIN
    UPDATE guild_relationships
       SET accepted_mode = sync_mode, accepted_actions = allowed_actions,
           accepted_level = (SELECT security_level FROM guild_settings WHERE guild_id = main_guild_id)
     WHERE id = NEW.id;
END;
CREATE TRIGGER link_is_accepted_on_its_terms AFTER UPDATE OF accepted_at ON guild_relationships
WHEN OLD.accepted_at IS NULL AND NEW.accepted_at IS NOT NULL
BEGIN
    UPDATE guild_relationships
       SET accepted_mode = sync_mode, accepted_actions = allowed_actions,
           accepted_level = (SELECT security_level FROM guild_settings WHERE guild_id = main_guild_id),
           proposed_mode = NULL, proposed_actions = NULL, proposed_level = NULL
     WHERE id = NEW.id;
END;
-- Consent that ends leaves nothing accepted and nothing proposed.
CREATE TRIGGER link_without_consent_has_accepted_nothing AFTER UPDATE OF accepted_at ON guild_relationships
WHEN OLD.accepted_at IS NOT NULL AND NEW.accepted_at IS NULL
BEGIN
    UPDATE guild_relationships
       SET accepted_mode = NULL, accepted_actions = NULL, accepted_level = NULL,
           proposed_mode = NULL, proposed_actions = NULL, proposed_level = NULL
     WHERE id = NEW.id;
END;

CREATE TRIGGER link_allows_no_more_than_accepted BEFORE UPDATE ON guild_relationships
WHEN OLD.accepted_at IS NOT NULL AND NEW.accepted_at IS NOT NULL
 AND ((NEW.sync_mode = 'ACTIVE' AND NEW.accepted_mode IS NOT 'ACTIVE')
   OR EXISTS (SELECT 1 FROM json_each(NEW.allowed_actions) a
               WHERE a.value NOT IN (SELECT value FROM json_each(coalesce(NEW.accepted_actions, '[]')))))
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: a link allows no more than its child has accepted');
END;
-- The fields are empty only within the two triggers above, before they fill them.
CREATE TRIGGER link_accepts_what_was_proposed BEFORE UPDATE ON guild_relationships
WHEN OLD.accepted_at IS NOT NULL AND NEW.accepted_at IS NOT NULL AND OLD.accepted_mode IS NOT NULL
 AND (NEW.accepted_mode IS NULL OR NEW.accepted_actions IS NULL OR NEW.accepted_level IS NULL
   OR (NEW.accepted_mode = 'ACTIVE' AND OLD.accepted_mode <> 'ACTIVE' AND OLD.proposed_mode IS NOT 'ACTIVE')
   OR EXISTS (SELECT 1 FROM json_each(NEW.accepted_actions) a
               WHERE a.value NOT IN (SELECT value FROM json_each(OLD.accepted_actions))
                 AND a.value NOT IN (SELECT value FROM json_each(coalesce(OLD.proposed_actions, '[]'))))
   OR (NEW.accepted_level <> OLD.accepted_level AND NEW.accepted_level <> 'standard'
       AND NEW.accepted_level IS NOT OLD.proposed_level))
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: a child accepts no more than was proposed to it');
END;
