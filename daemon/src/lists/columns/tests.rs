//! Names of columns in the forms that other programs write.

use super::*;

#[test]
fn the_name_of_a_column_says_what_it_means_however_it_is_written() {
    for (names, field) in [
        (&["user_id", "userId", "User ID", "USERID", "target_id", "offender_id"][..], Field::User),
        (&["user", "Target", "banned_user"], Field::Person),
        (
            &[
                "unban_at",
                "unban_date",
                "ends",
                "end_time",
                "endTime",
                "expiration",
                "ban_until",
                "bis",
                "Gesperrt bis",
                "ExpiresAt",
                "banned_until",
                "expire_date",
                "Ablaufdatum",
                "hasta",
                "unbanAt",
                "ban_end",
                "lift_date",
                "valid until",
                "expires_timestamp",
            ],
            Field::Until,
        ),
        (&["duration", "Ban Length", "length", "Dauer"], Field::Length(None)),
        (&["duration_seconds", "durationSeconds"], Field::Length(Some(1))),
        (&["days", "length_in_days", "ban_days"], Field::Length(Some(86_400))),
        (&["expires_in", "time left", "remaining"], Field::Left),
        (&["type", "action", "punishment_type", "event", "case_type", "actionType", "Typ"], Field::Type),
        (&["active", "is_active", "banned"], Field::InForce),
        (
            &[
                "revoked_at",
                "deleted",
                "pardoned",
                "expired",
                "unbanned_by",
                "unban_reason",
                "revoked",
                "is_expired",
            ],
            Field::Lifted,
        ),
        (
            &[
                "moderator_id",
                "mod",
                "banned_by",
                "executor",
                "author_id",
                "issuer",
                "mod_user_id",
                "guild_id",
                "message_id",
                "channel_id",
                "username",
                "Display Name",
                "delete_message_days",
                "muted_until",
            ],
            Field::Irrelevant,
        ),
        (&["created_at", "Creation Date", "timestamp"], Field::Created(1)),
        (&["joined_at", "account created", "last_seen"], Field::Created(9)),
        (&["weekend", "gender", "sender", "risk"], Field::Unknown),
    ] {
        for name in names {
            assert_eq!(Field::named(name), field, "{name}");
        }
    }
}
