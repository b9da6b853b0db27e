-- What operators have changed of the settings while the daemon runs. A key is a path of wayhaven.toml and a value what stands
-- there, both as the version that wrote them had them: another version may not know them, and goes on without.
CREATE TABLE settings (
    key    TEXT PRIMARY KEY,
    value  TEXT NOT NULL,
    set_by TEXT NOT NULL,
    set_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
