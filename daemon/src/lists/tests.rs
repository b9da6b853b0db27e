//! What is read from files of every kind, and what hostile ones do not get done.

mod conservation;
mod forms;
mod guilds;
mod harmless;
mod lost;
mod order;
mod purpose;

use super::*;
use crate::store::Entry;
use proptest::prelude::*;
use std::io::Cursor;
use wayhaven_shared::FaultKind;
use wayhaven_shared::value::GuildId;

const USER: &str = "123456789012345678";

/// The main that lists are read for.
fn main() -> GuildId {
    GuildId::new(800_000_000_000_000_001).unwrap()
}

fn read(file: impl AsRef<[u8]>) -> Result<Vec<Line>, Fault> {
    ListReader::open(file.as_ref())?.collect()
}

fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

/// A number and the words beside it.
type Told = (u64, String);

/// Users and reasons of the rows, and lines and causes of what was rejected.
fn told(file: impl AsRef<[u8]>) -> (Vec<Told>, Vec<Told>) {
    let (mut rows, mut rejected) = (Vec::new(), Vec::new());
    for line in read(file).unwrap() {
        match line {
            Line::Row(row) => {
                rows.push((
                    row.user.get(),
                    row.reason.map(|reason| reason.raw().to_owned()).unwrap_or_default(),
                ));
            }
            Line::Rejected(one) => rejected.push((one.line, one.why)),
            other => panic!("{other:?}"),
        }
    }
    (rows, rejected)
}

fn fault(file: impl AsRef<[u8]>) -> String {
    let fault = read(file).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Usage);
    assert!(!fault.hints.is_empty(), "{fault} shows no way out");
    fault.to_string()
}

#[test]
fn every_form_of_list_is_known_by_itself() {
    let id = 123_456_789_012_345_678;
    let (ids, why) = (vec![(id, String::new())], vec![(id, "spam".to_owned())]);
    for (file, wanted) in [
        (format!("{USER}\n"), &ids),
        (format!("\u{feff}\r\n\r\n<@{USER}>\r\n"), &ids),
        (format!("'{USER}"), &ids),
        (format!("{USER},spam"), &why),
        (format!("User ID;Username;Ban reason\r{USER};\"a;b\";spam\r"), &why),
        (format!("id\tname\treason\n{USER}\tx\tspam\n"), &why),
        (format!("case,user,moderator,reason\n7,{USER},99,spam"), &why),
        (format!("id,user,reason\n{USER},somebody#1234,spam"), &why),
        (format!("[\"{USER}\"]"), &ids),
        (format!(" [ {USER} ] "), &ids),
        (format!("[{{\"user\":{{\"id\":\"{USER}\",\"username\":\"x\"}},\"reason\":\"spam\"}}]"), &why),
        (format!("[{{\"reason\":null,\"user\":{{\"id\":\"{USER}\"}}}}]"), &ids),
        (format!("[{{\"id\":\"5\",\"userId\":\"{USER}\",\"reason\":\"spam\"}}]"), &why),
        (format!("{{\"guild\":{{\"a\":[1,{{}}]}},\"bans\":[\"{USER}\"],\"count\":1}}"), &ids),
    ] {
        assert_eq!(told(&file), (wanted.clone(), Vec::new()), "{file}");
    }
}

#[test]
fn rows_that_name_no_user_are_rejected_with_their_line_and_the_others_are_read() {
    let file = format!(
        "user_id,id,reason\r\n,77777777777777777,case number\r\n\"{USER}\",1,\"two\r\nlines\"\r\n1.23457E+17,,x\r\n\
         99999999999999999999,,x\r\n12,,x\r\nsomebody,,x\r\n\"a\"b,,x\r\n{USER},,last"
    );
    let (rows, rejected) = told(file);
    let id = 123_456_789_012_345_678;
    assert_eq!(rows, [(id, "two\r\nlines".to_owned()), (id, "last".to_owned())]);
    let why: Vec<_> = rejected.iter().map(|(line, why)| (*line, why.as_str())).collect();
    assert_eq!(
        why,
        [
            (2, "no user is named"),
            (5, "a spreadsheet has rounded the id: format the column as text and export again"),
            (6, "the number is too large for a user's id"),
            (7, "the number is too small for a user's id"),
            (8, "it is not a user's id"),
            (9, "text stands behind a closing quote"),
        ]
    );
}

#[test]
fn elements_that_name_no_user_are_rejected_and_the_others_are_read() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let file = format!(
        "[\n null,\n true,\n [\"{USER}\"],\n {{}},\n {{\"user\":{{}}}},\n {{\"user_id\": oops}},\n 1e17,\n -5,\n \
         18446744073709551616,\n 123456789012345680,\n {deep},\n \"\\ud800\",\n \"{USER}\",,]"
    );
    let (rows, rejected) = told(file);
    assert_eq!(rows, [(123_456_789_012_345_678, String::new())]);
    assert_eq!(rejected.iter().map(|(line, _)| *line).collect::<Vec<_>>(), (2..=13).collect::<Vec<_>>());
    let why = |line: u64| rejected.iter().find(|(at, _)| *at == line).map(|(_, why)| why.as_str()).unwrap();
    assert!(why(8).contains("not a whole one"), "{}", why(8));
    assert!(why(10).contains("too large"), "{}", why(10));
    assert!(why(11).contains("rounded"), "{}", why(11));
    assert!(why(12).contains("nested"), "{}", why(12));
}

#[test]
fn a_ban_that_was_to_end_is_never_read_as_one_that_does_not() {
    let file = format!("user_id,expires_at\n{USER},2030-01-02T03:04:05Z\n{USER},tomorrow\n{USER},\n");
    let lines = read(file).unwrap();
    let until = |line: &Line| match line {
        Line::Row(row) => Ok(row.until.map(|until| until.to_string())),
        Line::Rejected(one) => Err(one.why.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(until(&lines[0]), Ok(Some("2030-01-02T03:04:05Z".into())));
    assert!(until(&lines[1]).unwrap_err().contains("its end"));
    assert_eq!(until(&lines[2]), Ok(None));
}

#[test]
fn files_that_are_no_lists_are_refused_with_what_they_are_and_a_way_out() {
    for (file, says) in [
        (&b""[..], "empty"),
        (b"\xef\xbb\xbf \r\n", "empty"),
        (b"\xff\xfe1\0", "UTF-16"),
        (b"PK\x03\x04", "spreadsheet"),
        (b"\x1f\x8b\x08", "compressed"),
        (b"1\x002\x003", "binary"),
        (b"name,reason\nx,y", "line 1 names no column of user ids: name, reason"),
        (
            b"user_id,reason\n\n123456789012345678,\"open\n\n",
            "line 3 is not closed until the file ends in line 5",
        ),
        (b"[\"123456789012345678\"", "cut off"),
        (b"[\"1234567890", "cut off"),
        (b"[\"x\\", "cut off"),
        (b"[1] [2]", "malformed in line 1"),
        (b"[1}", "malformed in line 1"),
        (b"{\"users\":[\"123456789012345678\"]}", "without a list named \"bans\""),
        (b"{\"bans\":{\"a\":1}}", "without a list named \"bans\""),
        (b"{bans:[]}", "malformed"),
    ] {
        let told = fault(file);
        assert!(told.contains(says), "{}: {told}", String::from_utf8_lossy(file));
    }
    assert_eq!(read("[]").unwrap(), []);
    assert_eq!(read("user_id").unwrap(), []);
}

#[test]
fn what_is_not_utf_8_rejects_its_row_alone() {
    let csv = b"user_id,reason\n123456789012345678,caf\xe9\n123456789012345678,ok\n";
    let json = b"[\"\xff\",\"123456789012345678\"]";
    for file in [&csv[..], json] {
        let (rows, rejected) = told(file);
        assert_eq!((rows.len(), rejected.len()), (1, 1));
        assert!(rejected[0].1.contains("UTF-8"));
    }
}

/// Bytes that are made while they are read, counted.
struct Endless {
    begin: Cursor<Vec<u8>>,
    middle: u8,
    left: u64,
    end: Cursor<Vec<u8>>,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self.begin.read(into)? {
            0 if self.left > 0 => {
                let count = into.len().min(usize::try_from(self.left).unwrap());
                into[..count].fill(self.middle);
                self.left -= count as u64;
                Ok(count)
            }
            0 => self.end.read(into),
            count => Ok(count),
        }
    }
}

/// Whatever a row's length: what is kept of it has a bound, and the next row is read.
#[test]
fn a_row_of_millions_of_bytes_is_passed_over_and_not_kept() {
    let endless = |begin: &str, middle: u8, end: String| Endless {
        begin: Cursor::new(begin.into()),
        middle,
        left: 5_000_000,
        end: Cursor::new(end.into_bytes()),
    };
    for file in [
        endless("user_id,reason\n1,", b'x', format!("\n{USER},ok\n")),
        endless("user_id,reason\n1,\"", b'\n', format!("\"\n{USER},ok\n")),
        endless("user_id,reason\n1,", b',', format!("\n{USER},ok\n")),
        endless("[\"", b'x', format!("\",\"{USER}\"]")),
        endless("[", b'1', format!(",\"{USER}\"]")),
        endless("{\"", b'x', format!("\":1,\"bans\":[null,\"{USER}\"]}}")),
    ] {
        let lines: Vec<Line> = ListReader::open(file).unwrap().collect::<Result<_, _>>().unwrap();
        let [Line::Rejected(giant), Line::Row(row)] = &lines[..] else { panic!("{lines:?}") };
        assert!(giant.value.raw().len() <= 4 * SHOWN);
        assert_eq!(row.user.to_string(), USER);
    }
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let reason = proptest::option::of("[ -~\r\n\t\"',;=+@😀é\u{202e}-]{1,30}");
    let entry = (
        values::LEAST_ID..(1 << 62),
        reason,
        proptest::option::of(0_i64..253_402_300_799_999),
        any::<bool>(),
    );
    let entry = entry.prop_map(|(id, reason, until, known)| Entry {
        user_id: user(id),
        reason: reason.map(|reason| reason.parse().unwrap()),
        expires_at: until.map(Timestamp::from_millis),
        moderator_id: known.then_some(user(77)),
        created_at: known.then_some(Timestamp::from_millis(5)),
    });
    proptest::collection::vec(entry, 0..20)
}

fn written(kind: Kind, entries: &[Entry]) -> Vec<u8> {
    let mut writer = Writer::begin(Vec::new(), kind, GuildId::new(5).unwrap()).unwrap();
    entries.iter().for_each(|entry| writer.push(entry).unwrap());
    writer.end().unwrap().0
}

proptest! {
    #[test]
    fn what_we_write_is_read_back_without_loss(entries in entries(), json: bool) {
        let kind = if json { Kind::Json } else { Kind::Csv };
        let file = written(kind, &entries);
        let reader = ListReader::open(&file[..]).unwrap();
        prop_assert_eq!(reader.kind(), kind);
        let lines: Vec<Line> = reader.collect::<Result<_, _>>().unwrap();
        let read: Vec<_> = lines.into_iter().map(|line| match line {
            Line::Row(row) => (row.user, row.reason, row.until),
            other => panic!("{other:?}"),
        }).collect();
        let wanted: Vec<_> = entries.into_iter().map(|one| (one.user_id, one.reason, one.expires_at)).collect();
        prop_assert_eq!(read, wanted);
    }

    /// No cell that we write begins with what a spreadsheet takes for a formula.
    #[test]
    fn no_cell_begins_like_a_formula(entries in entries()) {
        let file = String::from_utf8(written(Kind::Csv, &entries)).unwrap();
        let mut cells = Cells::new(source::open(file.as_bytes()).unwrap().0);
        for cell in cells.all().unwrap() {
            prop_assert!(!cell.starts_with(b"=") && !cell.starts_with(b"+") && !cell.starts_with(b"@") && !cell.starts_with(b"-"));
        }
    }

    /// Whatever the bytes are: reading ends, each row's line lies in the file, and the lines never go back.
    #[test]
    fn any_bytes_are_read_to_their_end(
        begin in proptest::sample::select(vec!["", "[", "{\"bans\":[", "user_id,reason\n", "1,"]),
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), proptest::sample::select(b"[]{},:\"\\\r\n 1a".to_vec())], 0..300),
    ) {
        let file = [begin.as_bytes(), &bytes].concat();
        let breaks = file.iter().filter(|byte| matches!(byte, b'\r' | b'\n')).count() as u64;
        let mut last = 1;
        if let Ok(reader) = ListReader::open(&file[..]) {
            for line in reader {
                let at = match line {
                    Ok(Line::Row(row)) => row.line,
                    Ok(Line::Unban(one)) => one.line,
                    Ok(Line::Skipped(one)) => one.line,
                    Ok(Line::Rejected(one)) => one.line,
                    Err(fault) => { prop_assert_eq!(fault.kind, FaultKind::Usage); continue }
                };
                prop_assert!(last <= at && at <= breaks + 1);
                last = at;
            }
        }
    }
}
