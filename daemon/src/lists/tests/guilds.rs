//! Lists that hold bans of several guilds: those of strangers' guilds are no bans of this network.

use super::harmless::{bans, check, check_read, filled};
use super::*;
use crate::lists::survey::Survey;

const MAIN: &str = "800000000000000001";
const OTHER: &str = "800000000000000002";
const THIRD: &str = "800000000000000003";

fn table(text: &str) -> String {
    text.replace("MAIN", MAIN).replace("OTHER", OTHER).replace("THIRD", THIRD)
}

#[test]
fn of_several_guilds_only_the_mains_bans_are_read() {
    for (name, file) in [
        ("a column", "user_id,guild_id\n{A},MAIN\n{B},OTHER\n{C},\n"),
        ("another name", "serverId;userId;reason\nMAIN;{A};x\nOTHER;{B};x\n;{C};x\n"),
        ("in one word", "userid,guildid\n{A},MAIN\n{B},OTHER\n{C},null\n"),
        ("names beside it", "user_id,guild_id,guild_name\n{A},MAIN,Home\n{B},OTHER,Home\n{C},,Away\n"),
        (
            "JSON",
            "[{\"user_id\":\"{A}\",\"guild_id\":\"MAIN\"},{\"user_id\":\"{B}\",\"guild_id\":\"OTHER\"},{\"user_id\":\"{C}\"}]",
        ),
        (
            "an object",
            "[{\"user\":{\"id\":\"{A}\"},\"guild\":{\"id\":\"MAIN\",\"name\":\"Home\"}},{\"user\":{\"id\":\"{B}\"},\
             \"guild\":{\"id\":\"OTHER\",\"name\":\"Away\"}},{\"user\":{\"id\":\"{C}\"},\"guild\":null}]",
        ),
        (
            "deep",
            "[{\"user_id\":\"{A}\",\"meta\":{\"guildId\":\"MAIN\"}},{\"user_id\":\"{B}\",\"meta\":{\"guildId\":\"OTHER\"}},\
             {\"user_id\":\"{C}\"}]",
        ),
        (
            "an object, deep",
            "[{\"user_id\":\"{A}\",\"meta\":{\"guild\":{\"id\":\"MAIN\"}}},{\"user_id\":\"{C}\"},\
             {\"user_id\":\"{B}\",\"meta\":{\"guild\":{\"id\":\"OTHER\"}}}]",
        ),
    ] {
        let file = table(&filled(file));
        assert_eq!(
            bans(file.as_bytes(), &[]).unwrap_or_else(|fault| panic!("{name}: {fault}")),
            ["A", "C"],
            "{name}"
        );
    }
    // An unban elsewhere lifts no ban here, and a row of another guild is counted with its reason.
    let file = table(&filled("user_id,type,guild_id\n{A},ban,MAIN\n{A},unban,OTHER\n{B},ban,OTHER\n"));
    assert_eq!(bans(file.as_bytes(), &[]).unwrap(), ["A"]);
    let mut file = Cursor::new(file.as_bytes());
    let survey = Survey::of(&mut file, main(), 100, &[]).unwrap();
    let last = survey.read(&mut file).unwrap().last().unwrap().unwrap();
    let Line::Skipped(one) = last else { panic!("{last:?}") };
    assert_eq!((one.fate, one.line), (Fate::Invalid, 4));
    assert_eq!(
        one.why,
        format!(
            "its guild_id is {OTHER}, and of the several guilds in this list only the main's bans are imported"
        )
    );
}

#[test]
fn a_list_of_several_guilds_without_the_main_is_refused() {
    for file in [
        "user_id,guild_id\n{A},OTHER\n{B},THIRD\n",
        "user_id,server\n{A},Home\n{B},Away\n",
        "[{\"user_id\":\"{A}\",\"guild\":{\"id\":\"OTHER\"}},{\"user_id\":\"{B}\",\"guild\":{\"id\":\"THIRD\"}}]",
        "user_id,community\n{A},OTHER\n{B},THIRD\n",
        "user_id,banned_in\n{A},OTHER\n{B},THIRD\n",
        "[{\"user_id\":\"{A}\",\"guild\":{\"name\":\"Home\"}},{\"user_id\":\"{B}\",\"guild\":{\"name\":\"Away\"}}]",
    ] {
        let file = table(&filled(file));
        let fault = bans(file.as_bytes(), &[]).unwrap_err();
        assert!(fault.message.contains("2 guilds") && fault.message.contains(MAIN), "{fault}");
        let hint = fault.hints.iter().find_map(|hint| hint.split("--ignore-column=").nth(1)).unwrap();
        let column = hint.split(' ').next().unwrap();
        assert_eq!(bans(file.as_bytes(), &[column]).unwrap(), ["A", "B"], "{column}");
    }
    check(&[
        ("by guild", &table("{\"OTHER\":[\"{A}\"],\"THIRD\":[\"{B}\"]}"), ""),
        (
            "by guild, named",
            &table("[{\"guild_id\":\"OTHER\",\"bans\":[\"{A}\"]},{\"guild_id\":\"THIRD\",\"bans\":[]}]"),
            "",
        ),
        ("by guild, bans", &table("{\"bans\":{\"OTHER\":[\"{A}\"],\"THIRD\":[\"{B}\"]}}"), ""),
        ("by guild, users", &table("{\"OTHER\":{\"{A}\":\"spam\"},\"THIRD\":{\"{B}\":\"spam\"}}"), ""),
    ]);
}

#[test]
fn a_list_with_a_part_for_each_guild_is_refused() {
    for file in [
        "Guild: Home (OTHER)\n{A},x\n\nGuild: Away (THIRD)\n{B},y\n",
        "# Guild Home (OTHER)\n{A}\n# Guild Away (THIRD)\n{B}\n",
        "# Server: Home\nuser_id,reason\n{A},x\n# Server: Away\n{B},x\n",
        "user_id,reason\nServer ID: OTHER,\n{A},x\nServer ID: MAIN,\n{B},x\n",
    ] {
        let fault = bans(table(&filled(file)).as_bytes(), &[]).unwrap_err();
        assert!(fault.message.contains("parts for 2 guilds") && !fault.hints.is_empty(), "{fault}\n{file}");
    }
    check_read(&[
        ("one part", &table("Guild: Home (OTHER)\n{A},x\n"), "A"),
        ("a user of that name", "Server Owner ({A})\nguild master ({B})\n", "A, B"),
    ]);
    // Below a header a reason begins no part.
    check_read(&[
        (
            "a reason in front",
            "reason,user_id\nserver: advertising,{A}\nguild: raid,{B}\n# server raid,<@{C}>\n",
            "A, B, C",
        ),
        ("a name in front", "nick,user_id,banned_by\nserver: x,{A},{D}\nguild: y,{B},{D}\n", "A, B"),
    ]);
    let parts = "reason,user_id\nserver: Home,\nx,{A}\nguild: Away,\ny,{B}\n";
    let fault = bans(filled(parts).as_bytes(), &[]).unwrap_err();
    assert!(fault.message.contains("parts for 2 guilds"), "{fault}");
    // A list of bans within the guild beside the list of bans is not lost.
    check(&[("beside", &table("{\"guild\":{\"id\":\"OTHER\",\"bans\":[\"{A}\"]},\"bans\":[\"{B}\"]}"), "")]);
    check_read(&[(
        "roles",
        &table("{\"guild\":{\"id\":\"OTHER\",\"roles\":[\"{A}\"]},\"bans\":[\"{B}\"]}"),
        "B",
    )]);
}

#[test]
fn a_list_of_one_guild_is_read_whichever_it_is() {
    check_read(&[
        ("another", &table("user_id,guild_id,reason\n{A},OTHER,x\n{B},OTHER,\n{C},,\n"), "A, B, C"),
        (
            "a renamed guild",
            &table("user_id,guild_id,guild_name\n{A},OTHER,Home\n{B},OTHER,New Home\n"),
            "A, B",
        ),
        ("a name", "user_id,Server\n{A},Home\n{B},home\n", "A, B"),
        ("the list's own", &table("{\"guild_id\":\"OTHER\",\"bans\":[\"{A}\",\"{B}\"]}"), "A, B"),
        (
            "a guild of the user",
            &table(
                "[{\"user\":{\"id\":\"{A}\",\"primary_guild\":{\"identity_guild_id\":\"OTHER\"}}},{\"user\":{\"id\":\"{B}\",\
                 \"primary_guild\":{\"identity_guild_id\":\"THIRD\"}}}]",
            ),
            "A, B",
        ),
    ]);
}
