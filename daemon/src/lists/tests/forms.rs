//! Forms of lists that other programs write.

use super::*;

const ID: u64 = 900_000_000_000_000_401;

/// A user, and when the ban ends.
type Ended = (u64, Option<String>);

/// What becomes of the rows of a file: users with their ends, and lines that were rejected or skipped.
fn read_all(file: impl AsRef<[u8]>) -> (Vec<Ended>, Vec<(u64, String)>) {
    let (mut rows, mut others) = (Vec::new(), Vec::new());
    for line in read(file).unwrap() {
        match line {
            Line::Row(row) => rows.push((row.user.get(), row.until.map(|until| until.to_string()))),
            Line::Unban(one) => others.push((one.line, "unban".to_owned())),
            Line::Skipped(one) => others.push((one.line, format!("{:?}", one.fate))),
            Line::Rejected(one) => others.push((one.line, one.why)),
        }
    }
    (rows, others)
}

fn bans(users: &[u64]) -> Vec<(u64, Option<String>)> {
    users.iter().map(|user| (*user, None)).collect()
}

#[test]
fn lines_of_text_name_one_user_each() {
    let other = ID + 1;
    for line in [
        format!("{ID} spam and more"),
        format!("{ID}: spam, more; and \"more\""),
        format!("<@{ID}> spam"),
        format!("<@!{ID}>"),
        format!("somebody#1234 ({ID})"),
        format!("{ID},spam, an alt of {other}, again"),
        format!("{ID}\tspam"),
        format!("{ID} | alt of {other}"),
        format!("=\"{ID}\",spam"),
    ] {
        assert_eq!(read_all(&line), (bans(&[ID]), Vec::new()), "{line}");
    }
    for (line, says) in [
        (format!("{ID} {other}"), "several ids"),
        (format!("{ID};{other}"), "several ids"),
        (format!("{ID}|{other}|spam"), "several ids"),
        (format!("{ID},{other},spam"), "several ids"),
        (format!("<@{ID}>, <@{other}>"), "several ids"),
        (format!("{other}#1 ({ID})"), "several ids"),
        (format!("{ID},spam,2035-01-01"), "may be an end"),
        (format!("{ID},7d"), "may be an end"),
        (format!("{ID},unban"), "may be an end or a type"),
    ] {
        let (rows, others) = read_all(&line);
        assert!(rows.is_empty() && others[0].1.contains(says), "{line}: {rows:?} {others:?}");
    }
    let (rows, others) = read_all(format!("# of 2026\n{ID}\n\n# {other}\n// nobody\n"));
    assert_eq!((rows, others), (bans(&[ID]), vec![(4, "it is commented out".to_owned())]));
}

#[test]
fn a_table_has_its_header_anywhere_in_the_beginning_and_its_columns_in_any_order() {
    for file in [
        format!("sep=;\nreason;user_id\nspam;{ID}\n"),
        format!("# exported by a bot\nuser_id|reason\n{ID}|spam\n"),
        format!("moderator_id,guild_id,message_id,user_id\n{0},{0},{0},{ID}\n", ID + 9),
        format!("id,user_id\n{},{ID}\n", ID + 9),
        format!("user,id\nsomebody,{ID}\n"),
        format!("user_id,user\n{ID},somebody\n"),
        format!("case,user,banned_by\n12,{ID},{}\n", ID + 9),
        format!("user_id,reason\n{ID},spam, and more, of {}\n", ID + 9),
        format!("user_id,reason,guild_id\n{ID}\n"),
    ] {
        assert_eq!(read_all(&file), (bans(&[ID]), Vec::new()), "{file}");
    }
    for (file, says) in [
        (format!("user_id,target_id\n{ID},{}\n", ID + 9), "two columns name different users"),
        (format!("user,target\n{ID},{}\n", ID + 9), "two columns name different users"),
        (format!("user,id\n{ID},{}\n", ID + 9), "two columns name different users"),
        (format!("user_id,reason,expires_at\n{ID},spam\n"), "ends before its expires_at"),
        (format!("user_id,reason,expires_at\n{ID},spam, more, and,\n"), "more cells than the header"),
        (format!("user_id\n{ID} {}\n", ID + 9), "several ids"),
        (format!("user_id,type\n{ID},1\n"), "not understood"),
        (format!("user_id,type\n{ID},\n"), "is empty"),
        (format!("user_id,type,until\n{ID},tempban,\n"), "temporary ban without an end"),
        (format!("user_id,permanent\n{ID},false\n"), "temporary ban without an end"),
        (format!("user_id,active\n{ID},perhaps\n"), "not understood"),
        (format!("user_id,status\n{ID},weird\n"), "not understood"),
        (format!("user_id,duration\n{ID},7d\n"), "when it began"),
        ("user_id,reason\nuser_id,reason\n".to_owned(), "the header again"),
    ] {
        let (rows, others) = read_all(&file);
        assert!(rows.is_empty() && others[0].1.contains(says), "{file}: {rows:?} {others:?}");
    }
    assert!(fault(format!("user_id,reason\n{ID},x\nreason,user_id\nx,{ID}\n")).contains("another header"));
}

#[test]
fn an_end_is_read_in_any_form_and_the_first_of_several_counts() {
    let until = Some("2035-01-08T00:00:00Z".to_owned());
    for (header, cells) in [
        ("ends", "2035-01-08"),
        ("unban_at", "2051827200"),
        ("expiration", "2051827200000"),
        ("ban_until", "<t:2051827200:R>"),
        ("created_at,duration", "2035-01-01T00:00:00Z,7d"),
        ("created_at,duration_seconds", "2035-01-01,604800"),
        ("date,days", "2035-01-01,7"),
        ("expires,unban_date", "never,2035-01-08"),
        ("expires,unban_date", "2036-01-01,2035-01-08"),
        ("created_at,expires", "2035-01-01,1 week"),
        ("permanent,until", "false,2035-01-08"),
        ("type,until", "tempban,2035-01-08"),
        ("unbanned_at", "2035-01-08"),
        ("active,status,until", "true,active,2035-01-08"),
    ] {
        let file = format!("user_id,{header}\n{ID},{cells}\n");
        assert_eq!(read_all(&file), (vec![(ID, until.clone())], Vec::new()), "{file}");
    }
    for (header, cells, fate) in [
        ("active", "false", "Ended"),
        ("banned", "no", "Ended"),
        ("status", "expired", "Ended"),
        ("status", "Revoked", "Cancelled"),
        ("revoked", "true", "Cancelled"),
        ("pardoned_by", "somebody", "Cancelled"),
        ("action", "softban", "OtherType"),
        ("type,action", "case,warn", "its type"),
    ] {
        let (rows, others) = read_all(format!("user_id,{header}\n{ID},{cells}\n"));
        assert!(rows.is_empty() && others[0].1.contains(fate), "{header} {cells}: {rows:?} {others:?}");
    }
    for (header, cells) in [("revoked,deleted_at,expired", "false,,0"), ("pardoned_by,active", "null,1")] {
        assert_eq!(read_all(format!("user_id,{header}\n{ID},{cells}\n")), (bans(&[ID]), Vec::new()));
    }
}

#[test]
fn json_is_read_in_any_shape() {
    for file in [
        format!("{{\"{ID}\": null}}"),
        format!("{{\"{ID}\": \"spam\"}}"),
        format!("{{\"{ID}\": {{\"reason\": \"spam\", \"expires\": \"never\"}}}}"),
        format!("{{\"user_id\": \"{ID}\"}}\n"),
        format!("{{\"banEntries\": [{{\"user\": {{\"id\": \"{ID}\", \"bot\": false}}}}]}}"),
        format!("[{{\"moderator\": {{\"id\": \"{}\", \"until\": 5}}, \"user\": \"{ID}\"}}]", ID + 9),
    ] {
        assert_eq!(read_all(&file), (bans(&[ID]), Vec::new()), "{file}");
    }
    let other = ID + 1;
    let lines = format!(
        "{{\"user_id\":\"{ID}\"}}\n{{\"user_id\":\"{other}\n{{\"user_id\":\"{other}\"\n{{\"id\":\"{ID}\"}}\nx\n"
    );
    let (rows, others) = read_all(lines);
    assert_eq!(rows, bans(&[ID, ID]));
    assert_eq!(others.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 5]);
    for (file, says) in [
        (format!("{{\"{ID}\": \"2035-01-01\"}}"), "may be an end"),
        (format!("{{\"{ID}\": 2051827200}}"), "neither a reason nor"),
        (format!("{{\"{ID}\": [{{\"type\": \"warn\"}}]}}"), "neither a reason nor"),
        (format!("[{{\"user_id\": \"{ID}\", \"expires\": {{\"$date\": 5}}}}]"), "a list or an object"),
        (format!("[{{\"user_id\": \"{ID}\", \"ban\": {{\"until\": 5}}}}]"), "a list or an object"),
        (format!("[{{\"user_id\": \"{ID}\", \"details\": {{\"until\": 5}}}}]"), "not read"),
        (format!("[{{\"user_id\": \"{ID}\", \"details\": [{{\"type\": \"warn\"}}]}}]"), "not read"),
        (format!("[{{\"user_id\": \"{ID}\", \"expires_at\": false}}]"), "its end"),
    ] {
        let (rows, others) = read_all(&file);
        assert!(rows.is_empty() && others[0].1.contains(says), "{file}: {rows:?} {others:?}");
    }
    // The list counts, and not who has exported it.
    let wrapped = format!("{{\"user_id\": \"{other}\", \"bans\": [\"{ID}\"]}}");
    assert_eq!(read_all(wrapped), (bans(&[ID]), Vec::new()));
}
