//! Ids, lines and cells that were lost, zones and ids that were taken for others, and the texts about them.

use super::harmless::{bans, check, check_read, filled};
use super::*;
use crate::lists::survey::Survey;

#[test]
fn lines_without_a_header_are_ids_and_free_text() {
    check(&[
        (
            "of the tester",
            "{A} - 7d - spam\n{B} 7d spam\n{C} UNBANNED 2026-03-01\n{D} (warned) caps\n{E} spam\n",
            "E",
        ),
        ("tabs", "{A}\t2035-01-01\tspam, scam, raid\n{B}\tspam, scam, raid\n", "B"),
        ("tabs, later", "{B}\tspam, scam, raid\n{A}\t2035-01-01\tspam, scam, raid\n", "B"),
        (
            "for and until",
            "{A} banned for 7 days\n{B}: until 2035-01-01\n{C} spam (1 week)\n{D} tempban\n{E} banned till june\n",
            "",
        ),
        (
            "states",
            "{A} [expired] x\n{B} | lifted\n{C} not banned any more\n{D} no longer banned\n{E} false\n{F} revoked by staff\n",
            "",
        ),
        ("types", "{A} kick spam\n{B} muted; spam\n{C} Warning: caps\n{D} softban\n{E} (timeout)\n", ""),
        (
            "behind the text",
            "{A} spam, 7d\n{B} spam 2035-01-01\n{C} spam for two weeks\n{D} spam - unbanned\n",
            "",
        ),
        ("JSON", "{\"{A}\": \"7d spam\", \"{B}\": \"unbanned\", \"{C}\": \"false\"}", ""),
    ]);
    check_read(&[(
        "free text",
        "{A} spam and more\n{B} - raid, scam\n{C}: banned for spam\n{D} somebody#1234 spam\n{E} permanent\n",
        "A, B, C, D, E",
    )]);
}

#[test]
fn no_id_and_no_cell_disappears() {
    for (file, says) in [
        (
            "{\"bans\":[\"{A}\",\"{B}\"],\"tempbans\":[{\"user_id\":\"{C}\",\"expires_at\":\"2035-01-01\"}],\"unbanned\":[\"{B}\"]}",
            "tempbans",
        ),
        ("{\"unbanned\":[\"{B}\"],\"bans\":[\"{A}\",\"{B}\"]}", "unbanned"),
        ("{\"bans\":[\"{A}\"],\"lifted\":{\"{A}\":true}}", "lifted"),
        ("{\"pardons\":{\"list\":[{\"who\":\"{A}\"}]},\"bans\":[\"{A}\"]}", "pardons"),
    ] {
        let fault = bans(filled(file).as_bytes(), &[]).unwrap_err();
        assert!(fault.message.contains(says) && !fault.hints.is_empty(), "{fault}");
    }
    check_read(&[
        (
            "about the guild",
            "{\"guild\":{\"id\":\"{D}\",\"roles\":[\"{E}\"]},\"exported_by\":\"{C}\",\"bans\":[\"{A}\"]}",
            "A",
        ),
        (
            "the same key twice",
            "[{\"user_id\":\"{A}\",\"user_id\":\"{B}\",\"reason\":\"x\"},{\"user_id\":\"{D}\"},\
          {\"user_id\":\"{C}\",\"expires_at\":\"2035-01-01T00:00:00Z\",\"expires_at\":null}]",
            "D",
        ),
        (
            "twice in an object",
            "[{\"user\":{\"id\":\"{A}\",\"id\":\"{B}\"}},{\"user_id\":\"{C}\",\"x\":{\"y\":null,\"y\":1}}]",
            "",
        ),
        ("guilds", "{\"{G}\":{\"users\":[\"{A}\",\"{B}\"],\"name\":\"my guild\"}}", ""),
        ("guilds of users", "{\"{G}\":{\"{A}\":{\"reason\":\"x\"}}}", ""),
        ("a list of users", "[{\"user_id\":\"{A}\",\"others\":[\"{B}\"]}]", ""),
        ("a user in an object", "[{\"user_id\":\"{A}\",\"x\":{\"user_id\":\"{B}\"}}]", ""),
        (
            "joined ids",
            "{A} and {B}\n{A} & {B}\n{C} + {D}\n{E} as well as {F}\n{E} und {F}\n{C} friend {D}\n",
            "",
        ),
        ("an id in a reason", "{A} alt of {B}\n", "A"),
        (
            "further cells",
            "user_id,reason\n{A},spam,{C}\n{B},spam,2035-01-01\n{D},spam, 7 days\n{E},spam,unbanned\n{F},spam,no\n",
            "",
        ),
        ("further text", "user_id,reason\n{A},spam, and so on, with more text\n", "A"),
    ]);
}

#[test]
fn a_zone_that_is_not_utc_is_not_read_as_utc() {
    check(&[
        (
            "letters",
            "user_id,expires_at\n{A},2035-06-01 12:00:00 MMT\n{B},2035-06-01 12:00:00 CT\n{C},2035-06-01 12:00:00 TMT\n\
          {D},2035-06-01 12:00 MUT\n{E},2035-06-01 12:00 CGZ\n{F},2035-06-01 12:00 EST\n",
            "",
        ),
        (
            "a column",
            "user_id,expires_at,timezone\n{A},2035-01-01 12:00,Asia/Tokyo\n{B},2035-01-01 12:00,CEST\n{C},2035-01-01 12:00,+09:00\n",
            "",
        ),
        ("a length", "user_id,created_at,days,tz\n{A},2035-01-01 12:00,7,EST\n", ""),
        ("in the name", "user_id,expires_at (EST)\n{A},2035-01-01 12:00\n", ""),
        ("in the name of JSON", "[{\"user_id\":\"{A}\",\"expires_at_pst\":\"2035-01-01 12:00\"}]", ""),
    ]);
    check_read(&[(
        "UTC",
        "user_id,expires_at,timezone\n{A},2035-01-01 12:00 gmt,UTC\n{B},2035-01-01 12:00Z,\n{C},,Asia/Tokyo\n",
        "A until 2035-01-01T12:00:00Z, B until 2035-01-01T12:00:00Z, C",
    )]);
}

#[test]
fn an_id_that_may_be_of_somebody_else_is_nobodys() {
    check(&[
        ("an entry", "id,target,moderator,action,reason\n{A},troll#1,mod#2,ban,x\n", ""),
        ("the actor", "timestamp,user_id,target,action,reason\n2026-01-01,{A},troll#0001,ban,x\n", ""),
        ("target_name", "user_id,target_name,action\n{A},troll,ban\n", ""),
        ("offender", "member_id,offender\n{A},troll\n", ""),
        ("an entry of a user's name", "id,username,type\n{A},troll,ban\n", ""),
        ("JSON", "[{\"user_id\":\"{A}\",\"target\":\"troll\"}]", ""),
        ("an object", "[{\"user\":{\"id\":\"{A}\"},\"victim\":\"troll\"}]", ""),
    ]);
    check_read(&[
        ("names", "id,user,reason\n{A},somebody,spam\n", "A"),
        ("a target's id", "target_id,target_name,user_id_of_mod,action\n{A},troll,,ban\n", "A"),
        ("users and moderators", "user_id,username,moderator,action\n{A},x,mod,ban\n", "A"),
    ]);
}

#[test]
fn texts_say_what_is_wrong() {
    let why = |file: &str| match read(filled(file)).unwrap().pop() {
        Some(Line::Rejected(one)) => one.why,
        other => panic!("{other:?}"),
    };
    assert!(why("user_id;reason\n1.577.005.684.388.659.200;x\n").contains("separators"));
    assert!(why("user_id;reason\n1 577 005 684 388 659 200;x\n").contains("separators"));
    assert!(why("user_id;reason\n1.57700568438866E+18;x\n").contains("rounded"));
    let why = why("user_id,created_at,duration\n{A},\"Nov 25, 2026 10:00 AM\",30d\n");
    assert!(why.contains("created_at \"Nov 25, 2026 10:00 AM\"") && why.contains("not understood"), "{why}");
    let file = filled("[{\"_id\":\"5f\",\"user\":{\"id\":\"{A}\"}}]");
    let columns = Survey::of(&mut Cursor::new(file), main(), 100, &[]).unwrap().columns();
    assert_eq!(columns.read.iter().map(|one| one.name.raw()).collect::<Vec<_>>(), ["user"]);
    let fault = bans(filled("user_id,Zustand\n{A},aufgehoben\n").as_bytes(), &[]).unwrap_err();
    assert!(fault.message.contains("\"Zustand\"") && fault.message.contains("\"aufgehoben\""), "{fault}");
}
