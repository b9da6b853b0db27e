//! Lists of users who are not banned: members, levels, tickets. They are refused, unless a column
//! says that a user is banned.

use super::harmless::{bans, check, check_read, filled};
use super::*;

/// Each of these is refused, and a column to leave out is named as the way to say that every row is
/// a ban.
fn check_refused(table: &[(&str, &str)]) {
    let mut read = Vec::new();
    for (name, file) in table {
        match bans(filled(file).as_bytes(), &[]) {
            Ok(banned) => read.push(format!("{name}: {banned:?}")),
            Err(fault) => {
                assert_eq!(fault.kind, FaultKind::Usage, "{name}: {fault}");
                assert!(!fault.hints.is_empty(), "{name}: {fault}");
            }
        }
    }
    assert!(read.is_empty(), "read as bans: {read:#?}");
}

#[test]
fn lists_of_levels_and_money_are_no_lists_of_bans() {
    check_refused(&[
        ("levels", "user_id,level,xp,messages\n{A},5,1200,340\n{B},1,20,4\n"),
        ("points", "id,total_points,username\n{A},500,ann\n"),
        ("levels with names", "id,username,level\n{A},ann,5\n"),
        ("ranks", "rank,user_id,username\n1,{A},ann\n"),
        ("invites", "user_id,username,total_invites\n{A},ann,5\n"),
        ("invites by whom", "user_id,inviter_id\n{A},{B}\n"),
        ("coins", "userID;coins;bank\n{A};100;20\n"),
        ("money", "{\"{A}\":{\"balance\":100,\"bank\":0}}"),
        (
            "MEE6, the players",
            "[{\"id\":\"{A}\",\"level\":5,\"xp\":100,\"username\":\"ann\",\"discriminator\":\"0\"}]",
        ),
        ("MEE6", "{\"players\":[{\"id\":\"{A}\",\"level\":5,\"xp\":100}]}"),
        ("nested", "[{\"user\":{\"id\":\"{A}\"},\"stats\":{\"level\":5,\"xp\":3}}]"),
        ("in the user", "[{\"user\":{\"id\":\"{A}\",\"level\":5}}]"),
        ("lines", "{\"user_id\":\"{A}\",\"xp\":5}\n{\"user_id\":\"{B}\",\"xp\":7}\n"),
        ("messages", "user_id,message_count\n{A},17\n"),
        ("warnings", "user_id,warnings\n{A},3\n"),
        ("infractions", "user_id,reason,infraction_count\n{A},spam,3\n"),
        ("the work of moderators", "user_id,ban_count,kick_count\n{A},3,1\n"),
        ("reputation", "user,rep_points\n{A},3\n"),
    ]);
}

#[test]
fn lists_of_members_roles_and_records_are_no_lists_of_bans() {
    check_refused(&[
        ("members", "id,name,nick,joined_at,roles\n{A},ann,,2021-06-01,\n"),
        ("joined", "user_id,username,joined_at\n{A},ann,2021-06-01T10:00:00Z\n"),
        (
            "joined, created",
            "User ID,Username,Joined Server,Account Created\n{A},ann,2021-06-01,2019-01-01\n",
        ),
        ("nick", "id,username,nickname\n{A},ann,Annie\n"),
        ("roles", "id,username,roles\n{A},ann,Member and Helper and Friend of all\n"),
        ("role ids", "user_id,role_id\n{A},{B}\n"),
        ("temporary roles", "user_id,role_id,expires_at\n{A},{B},2035-01-01\n"),
        (
            "Discord's members",
            "[{\"user\":{\"id\":\"{A}\",\"username\":\"ann\",\"bot\":false},\"nick\":null,\"roles\":[\"{B}\"],\
             \"joined_at\":\"2021-06-01T00:00:00Z\",\"deaf\":false,\"mute\":false}]",
        ),
        ("roles alone", "[{\"id\":\"{A}\",\"roles\":[\"{B}\"]}]"),
        ("boosters", "user_id,premium_since\n{A},2021-06-01\n"),
        ("tickets", "ticket_id,user_id,channel_id,created_at,closed_at\n12,{A},{B},2026-01-01,\n"),
        ("giveaways", "giveaway_id,user_id\n{B},{A}\n"),
        ("birthdays", "user_id,birthday\n{A},2001-06-01\n"),
        ("zones", "user_id,timezone\n{A},Europe/Berlin\n"),
        ("verified", "user_id,verified\n{A},true\n"),
        ("verified by", "user_id,verified_by\n{A},{B}\n"),
        ("allowed", "user_id,whitelisted_by\n{A},{B}\n"),
        ("appeals", "appeal_id,user_id,reason,created_at\n7,{A},I am sorry,2026-01-01\n"),
        ("mutes", "user_id,muted\n{A},1\n"),
        ("mutes with an end", "user_id,muted_until\n{A},2035-01-01\n"),
        ("kicks", "user_id,kicked_by\n{A},{B}\n"),
        ("messages", "message_id,user_id,content\n{B},{A},hello to all of you here\n"),
        ("messages by author", "id,author_id,content\n{B},{A},hello to all of you here\n"),
        ("messages without text", "id,channel_id,author\n{B},{C},{A}\n"),
        ("seen", "user_id,username,last_seen\n{A},ann,2026-01-01\n"),
        ("texts", "user_id,message\n{A},hello everyone how are you today\n"),
        ("texts of another name", "user_id,text\n{A},hello everyone how are you today\n"),
        ("about oneself", "user_id,bio\n{A},a student of physics from far away\n"),
        ("reactions", "user_id,message_id,channel_id\n{A},{B},{C}\n"),
        ("colours", "user_id,color\n{A},#ff0000\n"),
        ("countries", "user_id,country\n{A},Norway\n"),
        ("exempt for a while", "user_id,reason,exempt_until\n{A},vip,2035-01-01\n"),
        ("accounts of a game", "discord_id,roblox_id\n{A},1234567\n"),
        ("friends", "user_id,friend\n{A},{B}\n"),
        ("nominated", "user_id,nominated_by\n{A},{B}\n"),
        ("reports", "report_id,user_id,reason\n12,{A},insults me\n"),
        ("reports, by whom", "reporter_id,user_id,reason\n{B},{A},insults me\n"),
        ("channels", "id,name,topic\n{A},general,all about the game and more\n"),
        ("guilds with icons", "id,name,icon\n{A},Home,abc\n"),
        ("mail", "discord_id,email\n{A},ann@example.org\n"),
        ("guilds", "id,name,owner_id,member_count\n{A},Home,{B},500\n"),
        ("roles of a guild", "id,name,color\n{A},Helper,#ff0000\n"),
        ("records of a kind that is not known", "user_id,quest_id\n{A},12\n"),
    ]);
}

#[test]
fn a_list_of_bans_may_carry_levels_beside_what_says_ban() {
    check_read(&[
        ("banned_at", "user_id,level,banned_at\n{A},5,2026-01-01\n", "A"),
        ("ban_reason", "user_id,ban_reason,xp,joined_at,roles\n{A},spam,12,2021-06-01,\n", "A"),
        ("banned_by", "user_id,nick,banned_by\n{A},Annie,{B}\n", "A"),
        ("action", "user_id,action,level\n{A},ban,5\n{B},warn,5\n", "A"),
        ("banned", "user_id,level,banned\n{A},5,true\n{B},5,false\n", "A"),
        ("a column of banned users", "banned_user_id,level\n{A},5\n", "A"),
        ("a list of that name", "{\"bans\":[{\"id\":\"{A}\",\"level\":5,\"roles\":[\"{B}\"]}]}", "A"),
        ("a number of the ban", "ban_id,user_id,message_count\n1,{A},5\n", "A"),
        ("a nick beside a reason", "user_id,nickname,reason,joined_at\n{A},Annie,spam,2021-06-01\n", "A"),
        ("a nick beside a moderator", "user_id,nickname,moderator\n{A},Annie,Bob\n", "A"),
        ("a message and a case", "user_id,case_id,message_id,color,game\n{A},12,{B},red,chess\n", "A"),
        ("no value in it", "user_id,level,roles\n{A},,\n{B},,none\n", "A, B"),
    ]);
    // On request each row is a ban.
    assert_eq!(bans(filled("user_id,level\n{A},5\n").as_bytes(), &["level"]).unwrap(), ["A"]);
}

/// As other bots and communities write them.
#[test]
fn lists_of_bans_from_elsewhere_are_read_whatever_stands_beside_them() {
    check_read(&[
        (
            "with a server",
            "User ID,Username,Discriminator,Avatar,Reason,Banned By,Banned At,Server Name\n{A},ann,0,,spam,Bob,2026-01-01,Home\n",
            "A",
        ),
        ("a modlog", "Case,Type,User,User ID,Mod,Reason,Date\n1,Ban,ann,{A},Bob,spam,2026-01-01\n", "A"),
        (
            "Wick",
            "[{\"userID\":\"{A}\",\"reason\":\"spam\",\"executorID\":\"{B}\",\"date\":1767225600000}]",
            "A",
        ),
        (
            "cases",
            "id,guild_id,case_number,user_id,user_name,mod_id,mod_name,type,audit_log_id,created_at,log_message_id\n\
             7,{C},12,{A},ann#0001,{B},bob#0001,ban,{D},2026-01-01 10:00:00,{E}\n",
            "A",
        ),
        (
            "a spreadsheet",
            "Discord ID,Roblox ID,Reason,Moderator,Date\n{A},1234567,spam,Bob,2026-01-01\n",
            "A",
        ),
        ("an age", "user_id,account_created_at,reason\n{A},2019-01-01,spam\n", "A"),
        (
            "a staff member",
            "ID,Name,Reason,Staff Member,Date,Length\n{A},ann,spam,Bob,2026-01-01,permanent\n",
            "A",
        ),
        ("discord.js", "[{\"guild\":\"{C}\",\"user\":\"{A}\",\"reason\":null}]", "A"),
        ("a rule", "user_id,rule,category,evidence,moderator\n{A},3,raids,https://x/y,Bob\n", "A"),
        (
            "a channel",
            "user_id,reason,channel,message_link\n{A},spam,general,https://discord.com/channels/1/2/3\n",
            "A",
        ),
        (
            "an ally's list",
            "user_id,username,reason,source,added_by\n{A},ann,scam,partner list of ours,Bob\n",
            "A",
        ),
    ]);
}

#[test]
fn of_a_list_of_members_only_those_are_banned_whose_row_says_so() {
    check_read(&[
        ("banned_at", "user_id,joined_at,banned_at\n{A},2021-01-01,\n{B},2021-01-01,2026-01-01\n", "B"),
        ("ban_reason", "user_id,level,ban_reason\n{A},5,none\n{B},6,spam\n{C},7,no\n", "B"),
        (
            "JSON",
            "[{\"id\":\"{A}\",\"xp\":1},{\"id\":\"{B}\",\"xp\":2,\"ban_reason\":\"spam\"},{\"id\":\"{C}\",\"ban_reason\":null}]",
            "B",
        ),
        ("nested", "[{\"id\":\"{A}\",\"xp\":1},{\"id\":\"{B}\",\"info\":{\"banned_by\":\"{C}\"}}]", "B"),
    ]);
    check(&[
        ("levels in a text", "{A}: level 5\n{B} - 17 messages, 300 XP\n{C}: a level 5 offence\n", "C"),
        ("joined, in a text", "{A} joined 2021-06-01\n{B} spam\n", "B"),
        ("without a header", "{A},5,1200\n{B},1,20\n", ""),
        ("ban from tickets", "user_id,level,ticket_ban_reason\n{A},5,rude\n", ""),
        ("a count", "user_id,level,ban_count\n{A},5,0\n{B},5,3\n", ""),
        ("a role", "user_id,level,ban_role_id\n{A},5,{B}\n", ""),
        ("not", "user_id,level,not_banned\n{A},5,true\n", ""),
    ]);
}

#[test]
fn a_value_that_denies_a_ban_bans_nobody_in_a_list_of_members() {
    check_read(&[
        ("not banned", "user_id,level,ban_reason\n{A},5,not banned\n{B},6,spam\n", "B"),
        ("clean", "user_id,level,ban_reason\n{A},5,clean\n{B},6,Clean record\n{C},7,spam\n", "C"),
        ("never", "user_id,level,ban_reason\n{A},5,Never\n{B},6,was never banned\n{C},7,spam\n", "C"),
        (
            "denied in a sentence",
            "user_id,level,ban_reason\n{A},5,This user is not banned\n{B},6,there is no ban\n{C},7,isn't banned\n\
             {D},8,nicht gebannt\n{E},9,no longer active\n{F},9,N/A (member)\n{G},9,0\n",
            "",
        ),
        (
            "lifted",
            "user_id,level,ban_reason\n{A},5,unbanned after an appeal\n{B},6,pardoned\n{C},7,expired\n{D},8,warned\n\
             {E},9,tempban\n{F},9,appealed\n{G},9,❎\n",
            "",
        ),
        ("nobody", "user_id,level,banned_by\n{A},5,nobody\n{B},6,No one\n{C},7,KickBot\n{D},8,{H}\n", "C, D"),
        (
            "a date is one",
            "user_id,level,banned_at\n{A},5,never\n{B},6,2026-01-01\n{C},7,1767225600\n",
            "B, C",
        ),
        ("yes is one", "user_id,level,is_banned\n{A},5,yes\n{B},6,not yet\n", "A"),
        (
            "another column says so",
            "user_id,level,banned_at,ban_reason\n{A},5,2026-01-01,no reason given\n{B},6,2026-01-01,unbanned since\n\
             {C},6,2026-01-01,do not unban\n",
            "A, C",
        ),
        (
            "JSON",
            "[{\"id\":\"{A}\",\"xp\":1,\"banned_by\":{\"id\":null}},{\"id\":\"{B}\",\"xp\":2,\"banned_by\":{\"id\":\"{C}\"}}]",
            "B",
        ),
    ]);
}

#[test]
fn a_reason_or_an_end_counts_only_where_it_has_a_value_and_belongs_to_a_punishment() {
    check_refused(&[
        ("an empty reason", "user_id,nickname,joined_at,reason\n{A},Ann,2021-06-01,\n"),
        ("of a membership", "user_id,nickname,membership_expires_at\n{A},ann,2035-01-01\n"),
        ("an end of anything", "user_id,nickname,expires_at\n{A},ann,2035-01-01\n"),
        ("a length of anything", "user_id,nickname,created_at,duration\n{A},ann,2026-01-01,30d\n"),
        ("JSON", "[{\"user_id\":\"{A}\",\"nickname\":\"ann\",\"reason\":null}]"),
    ]);
    check_read(&[
        (
            "reasons",
            "user_id,nickname,reason\n{A},Ann,\n{B},Bob,spam\n{C},Cid,none\n{D},Dan,not banned\n",
            "B",
        ),
        ("a default", "user_id,nickname,reason\n{A},Ann,No reason provided\n{B},Bob,no\n", "A"),
        ("moderators", "user_id,nickname,reason,moderator\n{A},Ann,,Bob\n{B},Bob,,\n", "A"),
        (
            "ends",
            "user_id,nickname,ban_expires_at\n{A},ann,2035-01-01\n{B},bob,\n",
            "A until 2035-01-01T00:00:00Z",
        ),
        (
            "the end of a case",
            "user_id,nickname,case_expires_at\n{A},ann,2035-01-01\n{B},bob,\n",
            "A until 2035-01-01T00:00:00Z",
        ),
        (
            "a moderator in JSON",
            "[{\"user_id\":\"{A}\",\"nickname\":\"a\",\"moderator\":{\"id\":\"{C}\"}},\
             {\"user_id\":\"{B}\",\"nickname\":\"b\",\"moderator\":null}]",
            "A",
        ),
    ]);
}

#[test]
fn a_row_that_denies_a_ban_is_counted_with_its_value() {
    let file = filled("user_id,level,ban_reason\n{A},5,not banned\n{B},6,spam\n");
    let mut file = Cursor::new(file.as_bytes());
    let survey = crate::lists::survey::Survey::of(&mut file, main(), 100, &[]).unwrap();
    let first = survey.read(&mut file).unwrap().next().unwrap().unwrap();
    let Line::Skipped(one) = first else { panic!("{first:?}") };
    assert_eq!((one.fate, one.line), (Fate::OtherType, 2));
    assert_eq!(one.why, "its ban_reason \"not banned\" does not say that the user is banned");
}

#[test]
fn the_fault_names_the_columns_and_the_ways_out() {
    let fault = bans(filled("user_id,level,xp\n{A},5,3\n").as_bytes(), &[]).unwrap_err();
    assert_eq!(
        fault.message,
        "this is no list of bans: \"level\" and \"xp\" are columns of another kind of list, and no column says that a user \
         is banned"
    );
    assert!(
        fault.hints.iter().any(|hint| hint.contains("--ignore-column=level --ignore-column=xp")),
        "{fault:?}"
    );
}
