-- Names of users, as Discord gave them along with events and pages. They are personal data: a row is deleted when the
-- user was not seen for as long as moderation.keep_names says, and there are at most so many rows.
CREATE TABLE user_names (
    user_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT;
CREATE INDEX user_names_seen ON user_names (seen_at);
