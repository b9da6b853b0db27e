-- Imports that go on: what is imported, and how far it has come, as JSON; the file lies in the state directory.
CREATE TABLE imports (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    -- One at a time in a main.
    main_id    INTEGER NOT NULL UNIQUE,
    file       TEXT NOT NULL UNIQUE,
    import     TEXT NOT NULL CHECK (json_valid(import)),
    progress   TEXT NOT NULL CHECK (json_valid(progress)),
    created_at INTEGER NOT NULL
) STRICT;

-- A further origin of punishments. Only a CHECK changes and nothing of what is stored, which is done in the schema itself
-- as SQLite's documentation of ALTER TABLE describes it: the table is referred to by others, and every row of it would be
-- copied otherwise.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
   SET sql = replace(sql, 'CHECK (origin IN (''command'', ''guild'', ''operator'', ''system''))',
                          'CHECK (origin IN (''command'', ''guild'', ''operator'', ''system'', ''import''))')
 WHERE type = 'table' AND name = 'punishments';
PRAGMA writable_schema = RESET;
