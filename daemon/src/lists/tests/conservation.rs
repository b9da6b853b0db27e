//! Whatever a list looks like, each id in it is accounted for: a row names it, or its line is rejected.

use super::*;
use crate::lists::survey::{Among, Survey};
use std::collections::BTreeSet;

const FIRST: u64 = 900_000_000_000_000_101;

/// What the reader makes of a file: the users of rows, and the lines and ids of what was rejected.
struct Read {
    users: BTreeSet<u64>,
    rejected: BTreeSet<u64>,
    ids: usize,
    lines: usize,
}

fn accounted(file: &[u8]) -> Result<Read, Fault> {
    let mut read = Read { users: BTreeSet::new(), rejected: BTreeSet::new(), ids: 0, lines: 0 };
    for line in ListReader::open(file)? {
        read.lines += 1;
        match line? {
            Line::Row(row) => drop(read.users.insert(row.user.get())),
            Line::Unban(one) => drop(read.users.insert(one.user.get())),
            // Of another type, whomever it names.
            Line::Skipped(one) => read.users.extend(one.value.raw().parse::<u64>().ok()),
            Line::Rejected(one) => {
                read.rejected.insert(one.line);
                read.ids += one.ids;
            }
        }
    }
    Ok(read)
}

/// Cells as programs write them, quoted well, badly or not at all.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z ]{0,8}",
        "[a-z]{1,4}, [a-z]{1,4}",
        "\"[a-z ]{0,6}",
        "[a-z]{1,4}\"",
        "\"[a-z]{1,4}\" [a-z]{1,4}",
        "\"[a-z]{1,4}, [a-z]{1,4}\"",
        "\"[a-z]{1,4}\n[a-z]{1,4}\"",
        Just("\"".to_owned()),
        Just(String::new()),
        Just("never".to_owned()),
        Just("Ban".to_owned()),
        Just("warn".to_owned()),
        Just("unban".to_owned()),
        Just("2035-01-02".to_owned()),
        Just("7d".to_owned()),
        Just("12".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn every_id_of_a_table_is_a_row_or_its_line_is_rejected(
        header in proptest::sample::select(vec![
            "user_id,username,reason", "user_id,reason,expires_at", "id,reason", "user_id,type,reason",
            "username,user_id,reason,active", "",
        ]),
        rows in proptest::collection::vec(proptest::collection::vec(cell(), 0..4), 1..12),
        separator in proptest::sample::select(vec![",", ";", "\t", "|"]),
        end in proptest::sample::select(vec!["\n", "\r\n", "\r"]),
    ) {
        let at = header.split(',').position(|name| name.ends_with("id")).unwrap_or(0);
        let mut file = String::new();
        if !header.is_empty() {
            file.push_str(&header.replace(',', separator));
            file.push_str(end);
        }
        let mut wanted = BTreeSet::new();
        for (number, cells) in (0..).zip(rows) {
            let id = FIRST + number;
            let mut cells = cells;
            cells.insert(at.min(cells.len()), id.to_string());
            wanted.insert(id);
            file.push_str(&cells.join(separator));
            file.push_str(end);
        }
        // What cannot be read at all is refused as a whole, and loses nothing silently.
        let Ok(read) = accounted(file.as_bytes()) else { return Ok(()) };
        let lost = wanted.difference(&read.users).count();
        prop_assert!(read.users.is_subset(&wanted), "somebody else is named: {file:?}");
        prop_assert!(lost <= read.ids, "{lost} of {} ids are lost, {} are rejected: {file:?}", wanted.len(), read.ids);
    }

    #[test]
    fn every_id_of_a_json_list_is_a_row_or_rejected(
        rows in proptest::collection::vec(
            proptest::sample::select(vec![
                "\"ID\"", "ID", "{\"user_id\":\"ID\"}", "{\"user\":{\"id\":\"ID\"},\"reason\":null}", "{\"id\":\"ID\",\"type\":\"warn\"}",
                "{\"user_id\":\"ID\",\"expires\":\"soon\"}", "[\"ID\"]", "{\"user_id\":\"ID\",\"x\":{\"until\":5}}",
                "{\"user_id\":ID,\"active\":false}", "{\"who\":\"ID\"}", "{\"nobody\":\"ID\"}", "{\"user_id\" \"ID\"}",
            ]),
            1..12,
        ),
        lines: bool,
    ) {
        let elements = (0..).zip(&rows).map(|(number, row)| row.replace("ID", &(FIRST + number).to_string()));
        let wanted: BTreeSet<u64> = (0..).zip(&rows).map(|(number, _)| FIRST + number).collect();
        let elements: Vec<String> = elements.collect();
        let file = if lines { elements.join("\n") } else { format!("[{}]", elements.join(",\n")) };
        let Ok(read) = accounted(file.as_bytes()) else { return Ok(()) };
        prop_assert!(read.users.is_subset(&wanted));
        prop_assert!(wanted.len() - read.users.len() <= read.ids, "{file}");
        if !lines {
            prop_assert_eq!(read.lines, wanted.len());
        }
    }

    /// Of a history, exactly those are banned whose last ban is behind their last unban, each for the longest time. Without
    /// dates nobody is banned who was unbanned too.
    #[test]
    fn a_history_bans_whom_it_leaves_banned(
        acts in proptest::collection::vec((0_u64..4, 0_u8..3, 0_i64..3), 0..20),
        dated: bool,
    ) {
        let mut file = String::from("user_id,type,created_at,expires_at\n");
        let mut last: std::collections::BTreeMap<u64, Vec<i64>> = std::collections::BTreeMap::new();
        for (number, (user, act, days)) in (0..).zip(&acts) {
            let created = if dated { format!("2026-01-01 00:{number:02}:00") } else { String::new() };
            let until = if *days == 0 { String::new() } else { format!("2035-01-0{days}") };
            file.push_str(&format!("{},{},{created},{until}\n", FIRST + user, ["ban", "unban", "warn"][usize::from(*act)]));
            match act {
                0 => last.entry(*user).or_default().push(*days),
                1 => drop(last.remove(user)),
                _ => {}
            }
        }
        let mut file = Cursor::new(file.into_bytes());
        let survey = Survey::of(&mut file, main(), 100, &[]).unwrap();
        let lines = survey.read(&mut file).unwrap();
        let mut decided = std::collections::BTreeMap::new();
        for (at, line) in (0..).zip(lines) {
            let Line::Row(row) = line.unwrap() else { continue };
            if survey.among(at, &row) == Among::Decides {
                prop_assert!(decided.insert(row.user.get() - FIRST, row.until).is_none(), "one row decides");
            }
        }
        let is_unbanned = |user: &u64| acts.iter().any(|(one, act, _)| one == user && *act == 1);
        let wanted = last.into_iter().filter(|(user, _)| dated || !is_unbanned(user)).map(|(user, days)| {
            let longest = if days.contains(&0) { 0 } else { days.into_iter().max().unwrap() };
            let until = (longest > 0).then(|| format!("2035-01-0{longest}T00:00:00Z").parse().unwrap());
            (user, until)
        });
        prop_assert_eq!(decided, wanted.collect());
    }
}
