//! Values in the forms that other programs write.

use super::*;

#[test]
fn times_are_read_in_the_forms_that_programs_write() {
    let wanted: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    for text in [
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05.000+00:00",
        "2026-01-02 03:04:05",
        "2026-01-02T03:04:05",
        "2026/01/02 03:04:05",
        "2026-01-02 03:04:05 UTC",
        "2026-01-02 05:04:05+02:00",
        "2026-01-02 05:04:05 +0200",
        "2026-01-02 05:04:05+02",
        "1767323045",
        "1767323045000",
        "1767323045.0",
        "<t:1767323045>",
        "<t:1767323045:R>",
    ] {
        assert_eq!(time(text), Some(wanted), "{text}");
    }
    assert_eq!(time("2026-01-02"), Some("2026-01-02T00:00:00Z".parse().unwrap()));
    for text in [
        "01/02/2026",
        "02.01.2026",
        "tomorrow",
        "0",
        "-1",
        "5",
        "2026-13-01",
        "2026-01",
        "20260102",
        "",
        "é-ab",
    ] {
        assert_eq!(time(text), None, "{text}");
    }
}

#[test]
fn lengths_need_a_unit_and_months_are_short() {
    for (text, days) in [
        ("7d", 7),
        ("7 days", 7),
        ("1 week", 7),
        ("1w 2d", 9),
        ("P7D", 7),
        ("7 days, 0:00:00", 7),
        ("24:00:00", 1),
        ("1mo", 28),
        ("P1M", 28),
        ("1 day and 24 hours", 2),
        ("1 Year", 365),
    ] {
        assert_eq!(span(text, None), Some(days * DAY), "{text}");
    }
    assert_eq!(span("3600", Some(1)), Some(3_600_000));
    assert_eq!(span("7", Some(86_400)), Some(7 * DAY));
    for text in ["7", "0d", "-1d", "7x", "d", "", "1:2", "99999999999999999999d"] {
        assert_eq!(span(text, None), None, "{text}");
    }
    assert_eq!(span("0", Some(1)), None);
    assert_eq!(span("-1", Some(1)), None);
}

#[test]
fn only_a_ban_is_a_ban() {
    for text in [
        "ban",
        "BAN",
        "Banned",
        "🔨 Ban",
        "MEMBER_BAN_ADD",
        "memberBanAdd",
        "hackban",
        "Permanent Ban",
        "perm-ban",
    ] {
        assert_eq!(act(text), Some(Act::Ban), "{text}");
    }
    for text in ["Ban (temp)", "tempban", "TEMP_BAN", "Temporary ban"] {
        assert_eq!(act(text), Some(Act::TemporaryBan), "{text}");
    }
    for text in ["unban", "Un-ban", "pardon", "MEMBER_BAN_REMOVE", "Ban revoked", "ban (expired)"] {
        assert_eq!(act(text), Some(Act::Unban), "{text}");
    }
    for text in ["softban", "Warn", "note", "Voice ban", "kick", "Timeout", "SOFT_BAN"] {
        assert_eq!(act(text), Some(Act::Other), "{text}");
    }
    for text in ["", "1", "22", "ban,warn", "bannish", "not a ban", "permanent"] {
        assert_eq!(act(text), None, "{text}");
    }
}
