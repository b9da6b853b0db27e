//! Lists from the field, each with its right outcome, as a plan and as an import. The files are in `lists/tests/cases`.

use super::*;

/// Imports a list as a plan and with `--apply`, which agree; who is banned in the main then, and until when.
async fn imported(list: impl AsRef<[u8]>) -> (Imported, Vec<(u64, Option<String>)>) {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    are_known_to_discord(&sandbox, list.as_ref());
    let plan = import(&test, main, &list, true).await.unwrap();
    assert!(standing(&test, main).await.is_empty(), "a plan does nothing");
    let apply: Request =
        SyncImport { file: "bans.csv".parse().unwrap(), apply: true, ignore_column: Vec::new() }.into();
    let by_owner = by_operator(Role::Owner, Some(main), apply);
    let done = import_as(&test, by_owner, &list, false).await.unwrap();
    assert_eq!((named(&plan), &plan.columns), (named(&done), &done.columns));
    (done, standing(&test, main).await)
}

/// Discord knows a user of every id in the list: what it does not know is nobody's ban.
fn are_known_to_discord(sandbox: &Sandbox, list: &[u8]) {
    let text = String::from_utf8_lossy(list).into_owned();
    let ids = text.split(|letter: char| !letter.is_ascii_digit()).filter_map(|id| id.parse::<u64>().ok());
    for id in ids.filter(|id| *id > 1 << 22) {
        sandbox.change(|world| world.person_with_id(id));
    }
}

async fn standing(test: &TestDaemon, main: u64) -> Vec<(u64, Option<String>)> {
    let entries =
        test.read(move |view| view.standing_bans(guild(main), None, view.now(), 5_000).unwrap()).await;
    let mut all: Vec<_> = entries
        .into_iter()
        .map(|(_, entry)| (entry.user_id.get(), entry.expires_at.map(|until| until.to_string())))
        .collect();
    all.sort();
    all
}

/// Removes the files of plans, of which only a few are kept at once.
fn forget(test: &TestDaemon) {
    test.systems.uploads.sweep(tokio::time::Instant::now() + crate::uploads::KEPT);
}

/// What a list is refused with, as a plan and with `--apply`.
async fn refused(test: &TestDaemon, main: u64, list: impl AsRef<[u8]>) -> Fault {
    forget(test);
    let fault = import(test, main, &list, true).await.unwrap_err();
    let again = import(test, main, &list, false).await.unwrap_err();
    assert_eq!((fault.kind, &fault.message), (FaultKind::Usage, &again.message));
    assert!(!fault.hints.is_empty(), "{fault} shows no way out");
    assert!(standing(test, main).await.is_empty());
    fault
}

fn forever(users: impl IntoIterator<Item = u64>) -> Vec<(u64, Option<String>)> {
    users.into_iter().map(|user| (900_000_000_000_000_000 + user, None)).collect()
}

/// The lines of a fate, with why.
fn lines(imported: &Imported, fate: Fate) -> Vec<(u64, String)> {
    let rows = imported.rows.iter().find(|rows| rows.fate == fate);
    let shown = rows.into_iter().flat_map(|rows| &rows.first);
    shown.map(|row| (row.line, row.why.clone().unwrap_or_default())).collect()
}

fn numbers(imported: &Imported, fate: Fate) -> Vec<u64> {
    lines(imported, fate).into_iter().map(|(line, _)| line).collect()
}

fn columns(imported: &Imported) -> (Vec<(&str, &str)>, Vec<&str>) {
    let read = imported.columns.read.iter().map(|one| (one.name.raw(), one.meaning.as_str()));
    (read.collect(), imported.columns.ignored.iter().map(Untrusted::raw).collect())
}

#[tokio::test]
async fn of_a_case_history_only_the_bans_in_force_are_imported() {
    let (done, banned) = imported(include_bytes!("../../tests/cases/case-history.csv")).await;
    assert_eq!(banned, forever([101, 109]));
    assert_eq!(named(&done), [(Fate::New, 2), (Fate::Cancelled, 1), (Fate::OtherType, 8)]);
    assert_eq!(numbers(&done, Fate::Cancelled), [6]);
    let (read, ignored) = columns(&done);
    assert!(read.contains(&("user_id", "user")) && read.contains(&("type", "type")), "{read:?}");
    assert_eq!(ignored, ["user_name", "mod_id", "mod_name"]);
}

#[tokio::test]
async fn a_user_name_of_digits_is_nobodys_id() {
    let (done, banned) = imported(include_bytes!("../../tests/cases/name-that-is-a-number.csv")).await;
    assert_eq!(banned, forever([211, 212, 214]));
    assert_eq!(named(&done), [(Fate::New, 3)]);
    assert!(columns(&done).1.contains(&"User"), "{:?}", done.columns);
}

#[tokio::test]
async fn of_several_rows_for_one_user_the_longest_lasting_counts() {
    let (done, banned) = imported(include_bytes!("../../tests/cases/ended-then-lasting.csv")).await;
    assert_eq!(banned, forever(301..=304));
    assert_eq!(named(&done), [(Fate::New, 4), (Fate::Duplicate, 1), (Fate::Ended, 2)]);
}

#[tokio::test]
async fn several_ids_on_one_line_are_rejected_together() {
    let (done, banned) = imported(include_bytes!("../../tests/cases/ids-on-one-line.txt")).await;
    assert_eq!((banned, named(&done)), (Vec::new(), vec![(Fate::Invalid, 1)]));
    assert!(lines(&done, Fate::Invalid)[0].1.contains("several ids on one line"));
    let report = wayhaven_shared::operation::Reported::report(&done);
    assert_eq!(report.title, "Nobody is banned: the only row of this list was rejected");
}

#[tokio::test]
async fn an_end_in_a_column_unban_at_is_understood() {
    let (done, banned) = imported(include_bytes!("../../tests/cases/end-column-unban-at.csv")).await;
    let until = |user: u64, until: Option<&str>| (900_000_000_000_000_000 + user, until.map(str::to_owned));
    assert_eq!(banned, [until(501, Some("2035-06-01T12:00:00Z")), until(502, None)]);
    assert!(columns(&done).0.contains(&("unban_at", "end")), "{:?}", done.columns);
}

#[tokio::test]
async fn words_for_never_are_no_end_and_numbers_and_booleans_are_rejected() {
    let (done, banned) = imported(include_bytes!("../../tests/cases/words-for-never.json")).await;
    assert_eq!(banned, forever([510, 511, 512, 516, 517, 518, 519]));
    assert_eq!(numbers(&done, Fate::Invalid), [5, 6, 7]);
}

#[tokio::test]
async fn a_writer_that_never_quotes_loses_no_id() {
    let (done, banned) = imported(include_bytes!("../../tests/cases/never-quotes.csv")).await;
    let new: Vec<u64> = banned.iter().map(|(user, _)| user - 900_000_000_000_000_600 + 1).collect();
    let mut all = [new.clone(), numbers(&done, Fate::Invalid)].concat();
    all.sort_unstable();
    assert_eq!(all, (2..=13).collect::<Vec<_>>(), "each line is new or rejected: {done:?}");
    assert!(new.contains(&2) && new.contains(&13), "{new:?}");
}

#[tokio::test]
async fn ids_that_a_spreadsheet_has_rounded_are_refused() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let whole = include_bytes!("../../tests/cases/rounded-by-a-spreadsheet.csv");
    let fault = refused(&test, main, whole).await;
    assert!(fault.message.contains("40 ids end in zeros"), "{fault}");
    // A few among many, and those of a program that keeps numbers as doubles.
    let real = (0..30).map(|number| format!("{}\n", 900_000_000_000_000_101_u64 + 37 * number));
    let some = ["912386299295650000", "934683192655088000", "1079414276405130000"];
    let mixed: String = real.chain(some.map(|one| format!("{one}\n"))).collect();
    assert!(refused(&test, main, mixed).await.message.contains("3 ids end in zeros"));
    let doubles = "912386299295651200\n934683192655088400\n1079414276405131300\n1013565570606671900\n";
    let ids: Vec<u64> = doubles.lines().map(|one| (one.parse::<u64>().unwrap() as f64) as u64).collect();
    let doubles: String = ids.iter().map(|id| format!("{}\n", *id as f64)).collect();
    assert!(refused(&test, main, doubles).await.message.contains("as numbers"));
}

#[tokio::test]
async fn what_is_no_list_is_refused_and_is_not_a_list_without_news() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let mut noise = 7_u64;
    let mut byte = || {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (noise >> 40) as u8
    };
    let random: Vec<u8> = (0..5_000).map(|_| byte()).collect();
    let behind = |first: &[u8]| [first, &random].concat();
    let text = "user_id,reason\n900000000000000101,spam\n";
    let utf_16 = |mark: bool, big: bool| -> Vec<u8> {
        let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
        units.flat_map(|unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    for file in [
        random.clone(),
        // They begin like a row, like a list and like an object.
        behind(b"900000000000000101"),
        behind(b"user_id,reason\n"),
        behind(b"["),
        behind(b"{"),
        Vec::new(),
        b" \r\n\r\n".to_vec(),
        b"\xef\xbb\xbf".to_vec(),
        b"PK\x03\x04\x14\0".to_vec(),
        b"\x1f\x8b\x08\0".to_vec(),
        b"\x89PNG\r\n\x1a\n\0".to_vec(),
        b"\xff\xd8\xff\xe0".to_vec(),
        b"<!DOCTYPE html>\n<html><body>900000000000000101</body></html>".to_vec(),
        b"\xef\xbb\xbf\n<html>".to_vec(),
        b"<?xml version=\"1.0\"?>".to_vec(),
        b"{\"message\": \"401: Unauthorized\", \"code\": 0}".to_vec(),
        b"0 bans were found\n".to_vec(),
        utf_16(true, false),
        utf_16(true, true),
        utf_16(false, false),
        utf_16(false, true),
        text.replace(',', "\0").into_bytes(),
    ] {
        refused(&test, sandbox.main_guild(), file).await;
    }
}

#[tokio::test]
async fn a_column_that_may_be_an_end_and_is_not_understood_is_named() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let rows = |name: &str, value: &str| format!("user_id,reason,{name}\n900000000000000101,spam,{value}\n");
    for (name, value) in [
        ("Sperre", "2035-06-01"),
        ("x", "2035-06-01T12:00:00Z"),
        ("frei_ab", "2064312000"),
        ("x", "7d"),
        ("quanto", "3 days"),
        ("what", "warn"),
        ("x", "expired"),
    ] {
        let fault = refused(&test, main, rows(name, value)).await;
        assert!(fault.message.contains(&format!("{name:?}")), "{fault}");
    }
    // An end that is understood as one, whose value is not, rejects its row.
    for (name, value) in
        [("bis", "01.06.2035"), ("ends", "soon"), ("duration", "7d"), ("days", "0"), ("expires_in", "7d")]
    {
        forget(&test);
        let plan = import(&test, main, rows(name, value), true).await.unwrap();
        assert_eq!(named(&plan), [(Fate::Invalid, 1)], "{name}");
        assert!(lines(&plan, Fate::Invalid)[0].1.contains(name), "{plan:?}");
    }
    // A time that is known to be another is ignored, and listed so.
    let plan = import(&test, main, rows("joined_at", "2021-06-01"), true).await.unwrap();
    assert_eq!((named(&plan), columns(&plan).1), (vec![(Fate::New, 1)], vec!["joined_at"]));
}

#[tokio::test]
async fn an_unban_cancels_the_bans_before_it_and_no_later_one() {
    let id = |user: u64| 900_000_000_000_000_000 + user;
    // Without dates and case numbers nobody knows which came later.
    let by_row =
        format!("user_id,type\n{0},ban\n{0},unban\n{1},unban\n{1},ban\n{2},ban\n", id(101), id(103), id(102));
    // The newest first, so that the date counts; of the same moment the unban does.
    let by_date = format!(
        "user_id,type,created_at\n{0},unban,2026-01-03\n{0},ban,2026-01-02\n{1},ban,2026-01-04\n{1},unban,2026-01-03\n\
         {1},ban,2026-01-01\n{2},ban,2026-01-01\n{2},unban,2026-01-01\n",
        id(101),
        id(102),
        id(103)
    );
    let by_case =
        format!("case,user_id,type\n4,{0},pardon\n3,{0},ban\n2,{1},ban\n1,{1},pardon\n", id(101), id(102));
    for (list, cancelled) in [(by_row, 0), (by_date, 3), (by_case, 1)] {
        let (done, banned) = imported(&list).await;
        assert_eq!((banned, done.count(Fate::Cancelled)), (forever([102]), cancelled), "{list}");
    }
}

#[tokio::test]
async fn ids_that_are_no_users_are_rejected() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let future = (wayhaven_shared::value::Timestamp::from_millis(3_000_000_000_123)).first_snowflake();
    let rounded = 900_000_000_000_001_000_u64;
    let list = format!("user_id\n{main}\n{child}\n{future}\n{rounded}\n12345678\n{}\n", sandbox.stranger());
    let plan = import(&test, main, list, true).await.unwrap();
    assert_eq!(named(&plan), [(Fate::New, 1), (Fate::Invalid, 5)]);
    for (line, why) in [(2, "a guild"), (3, "a guild"), (4, "yet"), (5, "rounded"), (6, "too small")] {
        let told = lines(&plan, Fate::Invalid);
        assert!(told.iter().any(|(at, told)| *at == line && told.contains(why)), "{why}: {told:?}");
    }
}
