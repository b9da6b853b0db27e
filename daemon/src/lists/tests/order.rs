//! Histories: whether a ban or an unban came later, and rows that nobody understands.

use super::harmless::{bans, check, check_read};

#[test]
fn without_dates_nobody_is_banned_who_was_unbanned_too() {
    check(&[
        (
            "the newest first, in a form that can be read in two ways",
            "user_id,action,reason,date\n{A},Unban,appeal,02/03/2026\n{A},Ban,spam,01/03/2026\n{B},Ban,spam,01/02/2026\n",
            "B",
        ),
        ("no date at all", "user_id,action\n{A},unban\n{A},ban\n{B},ban\n", "B"),
        ("no date, the oldest first", "user_id,action\n{A},ban\n{A},unban\n{B},ban\n", "B"),
        ("the ban has no date", "user_id,action,date\n{A},ban,\n{A},unban,2026-01-01\n{B},ban,\n", "B"),
        ("the unban has no date", "user_id,action,date\n{A},unban,\n{A},ban,2026-01-02\n{B},ban,\n", "B"),
        ("the number of a row is no order", "no,user_id,action\n1,{A},unban\n2,{A},ban\n3,{B},ban\n", "B"),
        (
            "months by name",
            "user_id,action,date\n{A},unban,Mar 2 2026\n{A},ban,Mar 1 2026\n{B},ban,Mar 1 2026\n",
            "B",
        ),
        (
            "an unban of a day, and a ban within it",
            "user_id,action,date\n{A},unban,2026-01-02\n{A},ban,2026-01-02 08:00\n{B},ban,2026-01-02\n",
            "B",
        ),
        (
            "a zone that is not read",
            "user_id,action,date,timezone\n{A},unban,2026-01-02 01:00,Asia/Tokyo\n{A},ban,2026-01-02 02:00,America/Lima\n",
            "",
        ),
        (
            "the dates say the one, the cases the other",
            "case,user_id,action,date\n2,{A},unban,2026-01-01\n1,{A},ban,2026-01-03\n3,{B},ban,2026-01-03\n",
            "B",
        ),
        (
            "JSON lines",
            "{\"user_id\":\"{A}\",\"type\":\"unban\"}\n{\"user_id\":\"{A}\",\"type\":\"ban\"}\n{\"user_id\":\"{B}\",\"type\":\"ban\"}\n",
            "B",
        ),
    ]);
    check_read(&[
        (
            "dates",
            "user_id,action,date\n{A},ban,2026-01-04\n{A},unban,2026-01-03\n{B},unban,2026-01-04\n{B},ban,2026-01-03\n",
            "A",
        ),
        ("cases", "case_id,user_id,action\n4,{A},unban\n5,{A},ban\n9,{B},unban\n8,{B},ban\n", "A"),
        (
            "the same day with cases",
            "case,user_id,action,date\n1,{A},unban,2026-01-01\n2,{A},ban,2026-01-01\n",
            "A",
        ),
    ]);
}

#[test]
fn a_user_of_whom_a_row_is_not_understood_is_not_banned() {
    check(&[
        (
            "a type with words",
            "user_id,action,reason,created_at\n{A},Ban,spam,2026-01-01\n{A},Unban (appeal accepted),ok,2026-02-01\n{B},Ban,x,2026-01-03\n",
            "B",
        ),
        ("a type in another language", "user_id,type\n{A},Ban\n{A},Levantado\n{B},Ban\n", "B"),
        ("an end that is not understood", "user_id,expires_at\n{A},\n{A},tomorrow\n{B},\n", "B"),
        ("a state that is not understood", "user_id,active\n{A},yes\n{A},perhaps\n{B},yes\n", "B"),
        ("a status that is not understood", "user_id,status\n{A},active\n{A},on hold\n{B},active\n", "B"),
        ("more cells than the header", "user_id,expires_at\n{A},\n{A},,,2035-01-01\n{B},\n", "B"),
        ("a line without a header", "{A}\n{A} unbanned\n{B}\n", "B"),
        (
            "an element that is malformed",
            "[{\"user_id\":\"{A}\"},{\"user_id\":\"{A}\" \"type\":\"unban\"},{\"user_id\":\"{B}\"}]",
            "B",
        ),
        (
            "JSON without a type",
            "[{\"user_id\":\"{A}\",\"type\":\"ban\"},{\"user_id\":\"{A}\"},{\"user_id\":\"{B}\",\"type\":\"ban\"}]",
            "B",
        ),
    ]);
    check_read(&[
        (
            "a later date decides",
            "user_id,action,created_at\n{A},Unban (appeal),2026-02-01\n{A},Ban,2026-03-01\n",
            "A",
        ),
        (
            "a row of another type says nothing",
            "user_id,action,created_at\n{A},Warn,\n{A},Ban,2026-03-01\n",
            "A",
        ),
    ]);
    let bytes = |ids: [&str; 2]| {
        let text = format!(
            "user_id,action,reason,created_at\n{0},Ban,spam,2026-01-01\n{0},Unban,pardonn?,2026-02-01\n{1},Ban,x,2026-01-01\n",
            ids[0], ids[1]
        );
        text.into_bytes().into_iter().map(|byte| if byte == b'?' { 0xe9 } else { byte }).collect::<Vec<u8>>()
    };
    assert_eq!(bans(&bytes(["900000000000000101", "900000000000000102"]), &[]).unwrap(), ["B"]);
}
