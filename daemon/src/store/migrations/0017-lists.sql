-- A further origin of punishments. Only a CHECK changes and nothing of what is stored, which is done in the schema itself
-- as SQLite's documentation of ALTER TABLE describes it: the table is referred to by others, and every row of it would be
-- copied otherwise.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
   SET sql = replace(sql, 'CHECK (origin IN (''command'', ''guild'', ''operator'', ''system''))',
                          'CHECK (origin IN (''command'', ''guild'', ''operator'', ''system'', ''import''))')
 WHERE type = 'table' AND name = 'punishments';
PRAGMA writable_schema = RESET;
