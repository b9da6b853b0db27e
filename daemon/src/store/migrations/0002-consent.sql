-- ZERO-LEAK, wall 2, continued: a link needs the consent of both sides, and a locked guild keeps its links.
-- Who proposed and who accepted is in the audit; here stands only since when both sides agree.

ALTER TABLE guild_relationships ADD COLUMN accepted_at INTEGER;
-- Links from before were made by somebody who could speak for both sides.
UPDATE guild_relationships SET accepted_at = updated_at WHERE state IN ('active', 'closing');
-- An undo is allowed wherever its action is, and is not listed any more.
UPDATE guild_relationships SET allowed_actions = '["ban"]' WHERE allowed_actions = '["ban","unban"]';

CREATE TRIGGER link_is_made_by_consent BEFORE INSERT ON guild_relationships
WHEN (NEW.state IN ('active', 'closing')) <> (NEW.accepted_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: a link is active since both sides agreed, and at no other time');
END;
CREATE TRIGGER link_stays_by_consent BEFORE UPDATE ON guild_relationships
WHEN (NEW.state IN ('active', 'closing')) <> (NEW.accepted_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: a link is active since both sides agreed, and at no other time');
END;
-- Since a closed link has lost its consent, waking it up takes a new one.
CREATE TRIGGER link_goes_its_way BEFORE UPDATE ON guild_relationships
WHEN NEW.state <> OLD.state AND (OLD.state || '>' || NEW.state) NOT IN
    ('proposed>active', 'proposed>closed', 'active>closing', 'active>closed', 'closing>closed',
     'closed>proposed', 'closed>active')
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: a link does not go from this state to that');
END;
CREATE TRIGGER link_keeps_its_consent BEFORE UPDATE ON guild_relationships
WHEN OLD.accepted_at IS NOT NULL AND NEW.accepted_at IS NOT NULL AND NEW.accepted_at <> OLD.accepted_at
BEGIN
    SELECT RAISE(ABORT, 'zero-leak: consent is given once, and not moved');
END;

-- Locks. The words before the colon are what the store knows them by.
CREATE TRIGGER locked_guild_gets_no_link BEFORE INSERT ON guild_relationships
WHEN EXISTS (SELECT 1 FROM guild_settings WHERE relationship_lock_enabled = 1
                AND guild_id IN (NEW.main_guild_id, NEW.child_guild_id))
BEGIN
    SELECT RAISE(ABORT, 'locked: a guild of the link keeps its links as they are');
END;
CREATE TRIGGER locked_guild_keeps_its_links BEFORE UPDATE ON guild_relationships
WHEN EXISTS (SELECT 1 FROM guild_settings WHERE relationship_lock_enabled = 1
                AND guild_id IN (OLD.main_guild_id, OLD.child_guild_id))
BEGIN
    SELECT RAISE(ABORT, 'locked: a guild of the link keeps its links as they are');
END;
CREATE TRIGGER locked_guild_loses_no_link BEFORE DELETE ON guild_relationships
WHEN EXISTS (SELECT 1 FROM guild_settings WHERE relationship_lock_enabled = 1
                AND guild_id IN (OLD.main_guild_id, OLD.child_guild_id))
BEGIN
    SELECT RAISE(ABORT, 'locked: a guild of the link keeps its links as they are');
END;
CREATE TRIGGER locked_guild_stays_what_it_is BEFORE UPDATE OF is_main, security_level ON guild_settings
WHEN OLD.relationship_lock_enabled = 1
 AND (NEW.is_main <> OLD.is_main OR NEW.security_level <> OLD.security_level)
BEGIN
    SELECT RAISE(ABORT, 'locked: whether the guild is a main, and its security level, stay as they are');
END;
-- REPLACE deletes the old row without a word; an insert of a main over a locked guild that is none is that.
CREATE TRIGGER locked_guild_is_not_made_a_main BEFORE INSERT ON guild_settings
WHEN NEW.is_main = 1
BEGIN
    SELECT RAISE(ABORT, 'locked: whether the guild is a main, and its security level, stay as they are')
     WHERE EXISTS (SELECT 1 FROM guild_settings
                    WHERE guild_id = NEW.guild_id AND relationship_lock_enabled = 1 AND is_main = 0);
END;
