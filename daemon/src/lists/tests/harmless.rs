//! Lists in which something limits or lifts bans in a way that is not read: the file is refused, or nobody is banned by
//! mistake. Each kind of fault was found by a tester; beside its first inputs stand others of the same kind.

use super::*;
use crate::lists::survey::{Among, Survey};

const FIRST: u64 = 900_000_000_000_000_101;

/// Who is banned by a file, by the letters of their ids: `A`, or `B until 2035-01-01T00:00:00Z`. The ids in it have to be
/// rows, or be counted with rows.
pub(super) fn bans(file: &[u8], ignored: &[&str]) -> Result<Vec<String>, Fault> {
    let ignored: Vec<Untrusted> = ignored.iter().map(|name| Untrusted::clipped(name)).collect();
    let mut file = Cursor::new(file);
    let survey = Survey::of(&mut file, main(), 100, &ignored)?;
    let mut banned = Vec::new();
    let now: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
    for (at, line) in (0..).zip(survey.read(&mut file)?) {
        let Line::Row(row) = line? else { continue };
        // As the plan does.
        let is_over =
            row.until.is_some_and(|until| until <= now) || row.dated.is_some_and(|dated| dated > now);
        if survey.among(at, &row) == Among::Decides && !is_over {
            let letter = row.user.get().checked_sub(FIRST).and_then(|number| u8::try_from(number).ok());
            let letter =
                letter.map_or_else(|| row.user.to_string(), |number| char::from(b'A' + number).to_string());
            banned.push(match row.until {
                Some(until) => format!("{letter} until {until}"),
                None => letter,
            });
        }
    }
    Ok(banned)
}

pub(super) fn filled(text: &str) -> String {
    let replace = |text: String, number: u64| {
        let letter = char::from(b'A' + u8::try_from(number).unwrap());
        text.replace(&format!("{{{letter}}}"), &(FIRST + number).to_string())
    };
    (0..8).fold(text.to_owned(), replace)
}

/// Inputs with the only bans that may come of them; the file may also be refused with a way out.
pub(super) fn check(table: &[(&str, &str, &str)]) {
    for (name, file, allowed) in table {
        let allowed: Vec<&str> = allowed.split(", ").collect();
        match bans(filled(file).as_bytes(), &[]) {
            Ok(banned) => {
                assert!(
                    banned.iter().all(|one| allowed.contains(&one.as_str())),
                    "{name}: {banned:?}\n{file}"
                );
            }
            Err(fault) => {
                assert!(fault.kind == FaultKind::Usage && !fault.hints.is_empty(), "{name}: {fault}")
            }
        }
    }
}

/// Inputs that are read, with exactly these bans.
pub(super) fn check_read(table: &[(&str, &str, &str)]) {
    for (name, file, wanted) in table {
        let wanted: Vec<&str> = wanted.split(", ").filter(|one| !one.is_empty()).collect();
        let banned = bans(filled(file).as_bytes(), &[]);
        assert_eq!(
            banned.unwrap_or_else(|fault| panic!("{name}: {fault}\n{file}")),
            wanted,
            "{name}\n{file}"
        );
    }
}

#[test]
fn a_state_in_a_column_of_any_name_lifts_the_ban_or_the_file_is_refused() {
    check(&[
        ("ban_active", "user_id,ban_active\n{A},true\n{B},false\n", "A"),
        ("currently_banned", "user_id,reason,currently_banned\n{A},spam,yes\n{B},spam,no\n", "A"),
        (
            "user_banned",
            "[{\"user_id\":\"{A}\",\"user_banned\":true},{\"user_id\":\"{B}\",\"user_banned\":false}]",
            "A",
        ),
        ("withdrawn", "user_id,reason,withdrawn\n{A},x,true\n{B},x,false\n", "B"),
        (
            "is_over",
            "[{\"user_id\":\"{A}\",\"is_over\":true},{\"user_id\":\"{B}\",\"rescinded\":true},{\"user_id\":\"{C}\",\"over\":false}]",
            "C",
        ),
        ("stands", "user_id,stands\n{A},1\n{B},0\n", "A"),
        ("a zone", "user_id,TZ\n{A},Europe/Berlin\n{B},false\n{C},expired\n{D},7d\n{E},UTC+2\n", "A, E"),
        ("warnings", "warn_id,user_id,moderator_id,reason,created_at\n1,{A},{B},spam,2026-01-01\n", ""),
        ("strikes", "user_id,strikeNumber,reason\n{A},2,spam\n", ""),
        ("mutes", "[{\"mute_id\":7,\"user_id\":\"{A}\",\"reason\":\"spam\"}]", ""),
        ("notes", "note_id,user_id,note\n{C},{A},is nice\n", ""),
        ("warnings and bans", "warn_id,user_id,type\n1,{A},warn\n2,{B},ban\n", "B"),
        ("a version", "user_id,__v\n{A},0\n{B},false\n", "A"),
        ("a kind of subscription", "user_id,premium_type\n{A},0\n{B},expired\n", "A"),
        ("not_banned", "user_id,not_banned\n{A},false\n{B},true\n", "A"),
        ("in one row of many", "user_id,flag_3\n{A},\n{C},\n{D},\n{E},\n{B},N\n", "A, C, D, E"),
        ("a sign", "user_id,ok\n{A},✅\n{B},❌\n", "A"),
        ("a state in another language", "user_id,Zustand\n{A},gebannt\n{B},aufgehoben\n", "A"),
        ("last_banned", "user_id,last_banned\n{A},yes\n{B},no\n", "A"),
        ("muted", "user_id,muted,banned\n{A},0,1\n{B},1,0\n", "A"),
        ("warned", "user_id,warned\n{A},false\n{B},true\n", "A"),
        (
            "outcome",
            "user_id,reason,appeal_status,outcome\n{A},x,accepted,unbanned\n{B},x,denied,upheld\n",
            "B",
        ),
        ("punished", "user_id,punished\n{A},true\n{B},false\n", "A"),
        ("case", "user_id,case\n{A},open\n{B},closed\n", "A"),
        ("a note", "user_id,note\n{A},\n{B},unbanned after an appeal\n", "A"),
    ]);
    check_read(&[
        ("understood", "user_id,ban_active,still_banned\n{A},true,yes\n{B},false,no\n", "A"),
        ("withdrawn", "user_id,withdrawn\n{A},true\n{B},false\n", "B"),
    ]);
}

#[test]
fn what_is_nested_lifts_a_ban_as_it_does_elsewhere() {
    check(&[
        (
            "user.banned",
            "[{\"user\":{\"id\":\"{A}\",\"banned\":false}},{\"user\":{\"id\":\"{B}\"},\"info\":{\"active\":false}}]",
            "",
        ),
        (
            "true",
            "[{\"user\":{\"id\":\"{A}\",\"banned\":true}},{\"user\":{\"id\":\"{B}\"},\"info\":{\"active\":true}}]",
            "A, B",
        ),
        ("a name that is not known", "[{\"user_id\":\"{A}\",\"info\":{\"stands\":false}}]", ""),
        ("deep", "[{\"user_id\":\"{A}\",\"a\":{\"b\":[{\"c\":{\"valid\":0}}]}}]", ""),
        (
            "a type",
            "[{\"user_id\":\"{A}\",\"data\":{\"what\":\"warn\"}},{\"user_id\":\"{B}\",\"data\":{\"kind\":\"ban\"}}]",
            "B",
        ),
        ("an end", "[{\"user_id\":\"{A}\",\"meta\":{\"x\":\"2035-01-01\"}}]", ""),
        ("a date in the future", "[{\"user_id\":\"{A}\",\"meta\":{\"date\":\"2035-01-01\"}}]", ""),
        ("a length", "[{\"user_id\":\"{A}\",\"meta\":[{\"x\":\"7d\"}]}]", ""),
        ("a note", "[{\"user_id\":\"{A}\",\"meta\":{\"note\":\"unbanned\"}}]", ""),
    ]);
    check_read(&[
        (
            "Discord's own",
            "[{\"reason\":null,\"user\":{\"id\":\"{A}\",\"username\":\"ann\",\"discriminator\":\"0\",\"global_name\":null,\
          \"avatar\":\"a_0f3d5c6b7a8e9d0c1b2a3f4e5d6c7b8a\",\"bot\":false,\"system\":false,\"public_flags\":0,\"flags\":64,\
          \"banner\":null,\"accent_color\":null,\"banner_color\":null,\"mfa_enabled\":false,\"locale\":\"en-US\",\
          \"avatar_decoration_data\":{\"asset\":\"v2_x\",\"sku_id\":\"1\"},\"premium_type\":0,\
          \"primary_guild\":{\"identity_enabled\":true,\"tag\":\"BAN\",\"badge\":\"x\",\"identity_guild_id\":\"{D}\"}}}]",
            "A",
        ),
        ("a moderator", "[{\"user_id\":\"{A}\",\"moderator\":{\"id\":\"{B}\",\"active\":false}}]", "A"),
        ("nothing is said", "[{\"user_id\":\"{A}\",\"info\":{\"expires\":null,\"active\":null}}]", "A"),
    ]);
}

#[test]
fn a_type_in_a_column_of_any_name_is_no_ban() {
    check(&[
        ("moderator_action", "user_id,moderator_action,reason\n{A},Ban,spam\n{B},Warn,caps\n", "A"),
        ("punishment_name", "user_id,punishment_name,reason\n{A},Ban,spam\n{B},Warning,caps\n", "A"),
        ("last_action", "user_id,last_action,reason\n{A},Ban,spam\n{B},Kick,caps\n", "A"),
        ("tag", "user_id,reason,tag\n{A},x,BAN\n{B},x,WARN\n", "A"),
        ("Bot Action", "Bot Action;User ID;Reason\nban;{A};x\nkick;{B};x\n", "A"),
        ("case_type_name", "case_type_name,user_id\nBan,{A}\nNote,{B}\n", "A"),
        ("mod", "user_id,mod\n{A},Ban\n{B},Warn\n", "A"),
        ("name", "user_id,name\n{A},Ban\n{B},Mute\n", "A"),
        ("category", "user_id,category\n{A},Ban\n{C},Ban\n{D},Ban\n{B},Verbal warning\n", "A, C, D"),
        ("note", "user_id,note\n{A},spam\n{B},Kick\n", "A"),
        ("by the bot", "user_id,bot\n{A},ban\n{B},kick\n", "A"),
        ("type_id", "user_id,type_id\n{A},1\n{B},2\n", ""),
        ("another language", "user_id,Vorgang\n{A},Bann\n{B},Verwarnung\n", "A"),
        ("joined", "user_id,last_event\n{A},ban\n{B},timeout\n", "A"),
        (
            "JSON",
            "[{\"user_id\":\"{A}\",\"modLabel\":\"ban\"},{\"user_id\":\"{B}\",\"modLabel\":\"warn\"}]",
            "A",
        ),
    ]);
    check_read(&[("understood", "user_id,moderator_action\n{A},Ban\n{B},Warn\n", "A")]);
}

#[test]
fn a_length_or_an_end_in_a_column_of_any_name_is_not_dropped() {
    check(&[
        ("time", "user_id,reason,time\n{A},spam,7d\n{B},spam,permanent\n", "B"),
        ("ban_time", "user_id,ban_time,reason\n{A},3600,spam\n{B},7 days,spam\n", ""),
        ("punishment_time", "id;user;punishment_time;reason\n{A};troll;7d;spam\n", ""),
        (
            "date",
            "user_id,reason,date\n{A},x,until 2035-01-01\n{B},x,2026-01-01 - 2035-01-01\n{C},x,for 7 days\n",
            "",
        ),
        ("a number", "user_id,Sperre\n{A},7\n", ""),
        ("when", "user_id,when\n{A},2 weeks\n{B},in 3 days\n{C},01/06/2035\n", ""),
        ("issued", "user_id,issued\n{A},1 June 2035\n{B},Jun 1 2035 10:00 AM\n", ""),
        ("since", "user_id,since\n{A},a month\n{B},2026-01-01/2026-02-01\n", ""),
        ("last_seen", "user_id,last_seen\n{A},7d\n{B},permanent\n", ""),
        ("source", "user_id,source\n{A},import\n{B},7 days\n", "A"),
        ("a case", "user_id,case_no\n{A},12\n{B},7d\n", "A"),
        (
            "a note",
            "user_id,notes\n{A},7d\n{B},until 2035-01-01\n{C},2035-01-01\n{D},he was rude for long\n",
            "D",
        ),
        ("a link", "user_id,url\n{A},until 2035-01-01\n", ""),
        ("a place", &format!("user_id,server\n{{A}},until 2035-01-01\n{}", "{B},Home\n".repeat(50)), "B"),
        (
            "ends in notes",
            "user_id,notes\n{A},see the ticket; ends 2035-01-01\n{B},will be unbanned in June\n",
            "",
        ),
        ("an unknown column", "user_id,extra\n{A},banned for one week because of spam\n", ""),
    ]);
    check_read(&[
        (
            "beginnings",
            "user_id,date,joined_at,reason\n{A},01/02/2026,2021-06-01,x\n{B},Nov 25 2025 10:00 AM,,x\n{C},25.11.2025,,x\n",
            "A, B, C",
        ),
        ("lengths", "user_id,date,days\n{A},2034-12-31,7\n", ""),
    ]);
}

#[test]
fn words_for_never_do_not_hide_the_ends_beside_them() {
    check(&[
        (
            "Term",
            "user_id,reason,Term\n{A},x,permanent\n{B},x,permanent\n{C},x,permanent\n{D},x,2035-01-01\n",
            "A, B, C",
        ),
        (
            "Sperre",
            "user_id,Sperre\n{A},dauerhaft\n{B},dauerhaft\n{C},dauerhaft\n{D},2035-01-01\n",
            "A, B, C",
        ),
        ("remark", "user_id,remark\n{A},none\n{B},none\n{C},none\n{D},unbanned\n", "A, B, C"),
        ("nothing", "user_id,x\n{A},-\n{B},n/a\n{C},null\n{D},1 week\n", "A, B, C"),
        ("never", "user_id,libre\n{A},nunca\n{B},jamais\n{C},01/06/2035\n", "A, B"),
        (
            "mixed",
            "user_id,x\n{A},free text of some length here\n{B},more of this text for all\n{C},2035-06-01\n",
            "A, B",
        ),
        ("one of many", &format!("user_id,x\n{{D}},3d\n{}", "{A},\n".repeat(50)), "A"),
    ]);
}

#[test]
fn harmless_columns_are_ignored_and_free_text_is_free() {
    check_read(&[
        (
            "a reason",
            "user_id,reason\n{A},banned for 7 days of spam\n{B},unbanned twice before\n{C},until 2035\n{D},7d\n",
            "A, B, C, D",
        ),
        (
            "names",
            "user_id,username,display_name,mod,banned_by\n{A},warn,x,Ann,Bob\n{B},bob,7d,Ann,Bob\n{C},cat,cat,Ann,Bob\n{D},dan,dan,Ann,Bob\n\
          {E},eve,eve,Ann,Bob\n{F},fay,fay,Ann,Bob\n",
            "A, B, C, D, E, F",
        ),
        (
            "others' ids and links",
            "user_id,guild_id,channel_id,message_id,case_id,avatar_url,proof\n{A},{B},{C},{D},12,https://x/y,https://x/z\n",
            "A",
        ),
        (
            "counts",
            "user_id,banned_at,warnings,points,message_count,bot\n{A},2026-01-01,3,1,500,false\n",
            "A",
        ),
        ("deleted messages", "user_id,delete_message_days,delete_message_seconds\n{A},7,604800\n", "A"),
        (
            "beginnings",
            "user_id,reason,joined_at,account_created,last_seen\n{A},spam,2021-06-01,1700000000,01/02/2026\n",
            "A",
        ),
        ("notes", "user_id,notes\n{A},warned twice before\n{B},an alt of somebody\n", "A, B"),
        ("nothing", "user_id,whatever\n{A},\n{B},none\n{C},-\n", "A, B, C"),
        (
            "a rule below the header",
            "| User | ID | Reason |\n|------|----|----|\n| troll | {A} | spam |\n",
            "A",
        ),
        ("an id that is none", "id,reason\nsomebody,x\n{A},x\n", "A"),
        ("an object's id", "[{\"_id\":{\"$oid\":\"65a4\"},\"userId\":\"{A}\"}]", "A"),
    ]);
}

#[test]
fn a_column_is_ignored_on_request_and_shown_so() {
    for (file, name) in [
        ("user_id,Zustand\n{A},neu\n", "zustand"),
        ("user_id,Ban State 2\n{A},x\n", "ban_state_2"),
        ("[{\"user_id\":\"{A}\",\"info\":{\"stands\":false}}]", "info.stands"),
        ("[{\"user_id\":\"{A}\",\"info\":{\"stands\":false}}]", "info"),
        ("{\"bans\":[\"{A}\"],\"unbanned\":[\"{B}\"]}", "unbanned"),
    ] {
        let file = filled(file);
        let fault = bans(file.as_bytes(), &[]).unwrap_err();
        assert!(fault.hints.iter().any(|hint| hint.contains("--ignore-column=")), "{fault}");
        assert_eq!(bans(file.as_bytes(), &[name]).unwrap(), ["A"], "{name}");
        let names = [Untrusted::clipped(name)];
        let survey = Survey::of(&mut Cursor::new(file.as_bytes()), main(), 100, &names).unwrap();
        assert_eq!(survey.columns().ignored_on_request.len(), 1, "{:?}", survey.columns());
    }
    let fault = bans(filled("user_id\n{A}\n").as_bytes(), &["state"]).unwrap_err();
    assert!(fault.message.contains("no column \"state\"") && !fault.hints.is_empty(), "{fault}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Whatever a column is called: where it says no for a user, that user is not banned without a word.
    #[test]
    fn a_state_under_any_name_bans_nobody(
        name in prop_oneof![
            "[a-zA-Z_ ]{1,16}",
            proptest::collection::vec(proptest::sample::select(vec![
                "ban", "banned", "user", "is", "active", "mod", "bot", "name", "time", "date", "last", "tag", "case", "state",
                "current", "still", "moderator", "note", "link", "server", "by", "at", "appeal", "id", "count",
            ]), 1..4).prop_map(|words| words.join("_")),
        ],
        values in proptest::sample::select(vec![("true", "false"), ("yes", "no"), ("active", "inactive"), ("ban", "unban"), ("", "7d"), ("", "expired")]),
        rows in 0_usize..4,
    ) {
        // These say what they hold: a reason, flags of another kind, and who is banned.
        let free = ["reason", "bot", "dm"].iter().any(|word| name.to_lowercase().contains(word));
        prop_assume!(!free);
        let mut file = format!("user_id,{name}\n");
        for number in 0..rows {
            file.push_str(&format!("{},{}\n", FIRST + 1 + number as u64, values.0));
        }
        file.push_str(&format!("{FIRST},{}\n", values.1));
        let banned = bans(file.as_bytes(), &[]).unwrap_or_default();
        prop_assert!(!banned.contains(&"A".to_owned()), "{file}");
    }
}
