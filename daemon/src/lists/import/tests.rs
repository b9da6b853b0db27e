//! Imports and exports against a sandbox: what becomes of the rows, and what is left of them after a kill.

mod attached;
mod cases;
mod held;
mod staff;
mod unreadable;

use super::*;
use crate::failpoint::{Point, arm};
use crate::invocation::{Invocation, Upload};
use crate::lists::Kind;
use crate::testing::{TestDaemon, asked, by_member, by_operator, guild, home, sandbox, user};
use crate::uploads::Holder;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use wayhaven_sandbox::{Sandbox, permissions};
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::job::JobResult;
use wayhaven_shared::operations::protect::ProtectAdd;
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::operations::sync::{Exported, Fate, ListFormat, ListSource, SyncExport, SyncImport};
use wayhaven_shared::operations::{Reply, Request};
use wayhaven_shared::value::{JobId, Untrusted, UploadId};
use wayhaven_shared::{FaultKind, grammar};

/// So many users of Discord who are in no guild.
fn people(sandbox: &Sandbox, count: u64) -> Vec<u64> {
    (0..count).map(|_| sandbox.stranger()).collect()
}

fn staged(test: &TestDaemon, list: impl AsRef<[u8]>) -> UploadId {
    static CONNECTIONS: AtomicU64 = AtomicU64::new(1 << 40);
    let (uploads, connection) = (&test.systems.uploads, CONNECTIONS.fetch_add(1, Ordering::Relaxed));
    let id = uploads
        .begin(Holder::Connection { uid: u32::try_from(connection & 0xffff).unwrap(), number: connection })
        .unwrap();
    uploads.create(id).unwrap().write_all(list.as_ref()).unwrap();
    id
}

fn request() -> Request {
    SyncImport { file: "bans.csv".parse().unwrap(), apply: false, ignore_column: Vec::new() }.into()
}

async fn import(
    test: &TestDaemon,
    of: u64,
    list: impl AsRef<[u8]>,
    dry_run: bool,
) -> Result<Imported, Fault> {
    import_as(test, by_operator(Role::Owner, Some(of), request()), list, dry_run).await
}

async fn import_as(
    test: &TestDaemon,
    invocation: Invocation,
    list: impl AsRef<[u8]>,
    dry_run: bool,
) -> Result<Imported, Fault> {
    let file = staged(test, list);
    let upload = Some(Upload::Staged(file));
    let confirm = Some(grammar::confirmation(&invocation.request));
    let reply = test.ask(Invocation { upload, dry_run, confirm, ..invocation }).await;
    let reply = reply?;
    let Reply::SyncImport(begun) = reply else { panic!("{reply:?}") };
    let id = begun.id;
    test.until("the import is over", move |view| !view.job(id).unwrap().unwrap().is_running()).await;
    let job = test.read(move |view| view.job(id).unwrap().unwrap()).await;
    match job.result {
        Some(JobResult::Imported(imported)) => Ok(imported),
        other => panic!("{other:?} {:?}", job.note),
    }
}

/// How many rows there are of each fate that some have.
fn named(imported: &Imported) -> Vec<(Fate, u64)> {
    let counted = Fate::ALL.map(|fate| (fate, imported.count(fate)));
    assert_eq!(counted.iter().map(|(_, count)| count).sum::<u64>(), imported.total, "{imported:?}");
    counted.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// Otherwise a row of these tests is rejected now and then.
#[test]
fn the_sandboxs_ids_do_not_look_rounded() {
    let mut mint = wayhaven_sandbox::snowflake::Mint::default();
    let all: Vec<u64> = (0..20_000).map(|at| mint.next(1_790_000_000_000 + at / 3)).collect();
    assert!(all.iter().all(|id| !id.is_multiple_of(1_000)));
    assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
}

#[tokio::test]
async fn a_list_is_planned_and_then_imported_as_the_plan_said() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let people = people(&sandbox, 7);
    let id = |number: usize| people[number];
    test.ban(main, id(1)).await;
    asked(&test, main, ProtectAdd { user: Some(user(id(2))), ..ProtectAdd::default() }, false).await.unwrap();
    // The guild's own ban, of which Wayhaven knows nothing.
    sandbox.change(|world| {
        world.guilds.get_mut(&main).unwrap().bans.insert(id(3), None);
    });
    test.settled().await;
    let list = format!(
        "user_id,reason,expires_at\n{},known,\n{},protected,\n{},theirs,\n{},\"new\nreason\",2099-01-01T00:00:00Z\n{},,\n\
         nobody,,\n{},ended,2001-01-01T00:00:00Z\n{},again,\n",
        id(1),
        id(2),
        id(3),
        id(4),
        id(5),
        id(6),
        id(5)
    );
    let effects = sandbox.effect_count();
    let plan = import(&test, main, &list, true).await.unwrap();
    // An ended ban is counted as such, and no more among the unusable rows.
    assert_eq!(
        named(&plan),
        [
            (Fate::New, 3),
            (Fate::Already, 1),
            (Fate::Protected, 1),
            (Fate::Duplicate, 1),
            (Fate::Ended, 1),
            (Fate::Invalid, 1)
        ]
    );
    assert!(plan.dry_run && plan.children == 2);
    assert_eq!((plan.adopted, plan.adopted_known), (1, true));
    let invalid = plan.rows.iter().find(|rows| rows.fate == Fate::Invalid).unwrap();
    let lines: Vec<_> = invalid.first.iter().map(|example| example.line).collect();
    assert_eq!(lines, [8]);
    test.settled().await;
    assert_eq!(sandbox.effect_count(), effects, "a plan does nothing");

    let done = import(&test, main, &list, false).await.unwrap();
    assert_eq!((named(&done), done.adopted), (named(&plan), 1));
    test.settled().await;
    for (number, banned) in [(1, true), (2, false), (3, true), (4, true), (5, true), (6, false)] {
        assert_eq!(sandbox.is_banned(main, id(number)), banned, "{number}");
    }
    let requests = sandbox
        .effects_in(main)
        .into_iter()
        .filter(|effect| format!("{effect:?}").contains(&id(3).to_string()));
    assert_eq!(requests.count(), 0, "what the guild has banned by itself is taken over without a request");
    let four = Some(user(id(4)));
    let of_four = test.read(move |view| view.punishments(None, four, None, 5).unwrap()).await;
    assert_eq!(of_four[0].origin, Origin::Import);
    assert_eq!(of_four[0].reason.as_ref().unwrap().raw(), "new\nreason");
    assert_eq!(of_four[0].expires_at.unwrap().to_string(), "2099-01-01T00:00:00Z");

    // All of it is there now.
    let again = import(&test, main, &list, false).await.unwrap();
    assert_eq!(
        named(&again),
        [
            (Fate::Already, 4),
            (Fate::Protected, 1),
            (Fate::Duplicate, 1),
            (Fate::Ended, 1),
            (Fate::Invalid, 1)
        ]
    );
    assert_eq!(test.systems.uploads.count(), 1, "the plan's file, which goes after an hour");
}

#[tokio::test]
async fn what_cannot_be_imported_is_refused_and_nothing_of_it_is_left() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let effects = sandbox.effect_count();
    for (list, says) in [
        ("", "empty"),
        ("\u{0}\u{1}", "binary"),
        ("name,why\nx,y\n", "no column of user ids"),
        ("700000000000000001\n\"open", "not closed"),
        ("[\"700000000000000001\"", "cut off"),
    ] {
        for dry_run in [true, false] {
            let fault = import(&test, main, list, dry_run).await.unwrap_err();
            assert_eq!(fault.kind, FaultKind::Usage, "{fault}");
            assert!(fault.message.contains(says) && !fault.hints.is_empty(), "{fault}");
        }
    }
    let child = sandbox.children()[0];
    assert_eq!(import(&test, child, "700000000000000001", false).await.unwrap_err().kind, FaultKind::Denied);
    let bare = by_operator(Role::Owner, Some(main), request());
    let confirm = Some(grammar::confirmation(&bare.request));
    let fault = test.ask(Invocation { confirm, ..bare }).await.unwrap_err();
    assert!(fault.message.contains("no file came"), "{fault}");
    let apply: Request =
        SyncImport { file: "x".parse().unwrap(), apply: true, ignore_column: Vec::new() }.into();
    let member = by_member(sandbox.admin(), main, permissions::ADMINISTRATOR, apply);
    assert_eq!(test.ask(Invocation { dry_run: true, ..member }).await.unwrap_err().kind, FaultKind::Denied);

    test.settled().await;
    assert_eq!(sandbox.effect_count(), effects);
    let left = test
        .read(|view| (view.jobs(None, true, 5).unwrap(), view.punishments(None, None, None, 5).unwrap()))
        .await;
    assert!(left.0.is_empty() && left.1.is_empty(), "{left:?}");
    let files = |name: &str| {
        std::fs::read_dir(test.systems.services.layout().state.join(name)).map_or(0, Iterator::count)
    };
    assert_eq!(files("imports"), 0);
}

/// A defect in the middle of an import, and a daemon that takes it up: each row is taken once.
#[tokio::test]
async fn an_import_that_was_killed_goes_on_behind_its_last_committed_row() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let count = 1_200;
    let people = people(&sandbox, count);
    let mut list = String::from("user_id,reason\n");
    for (number, one) in people.iter().enumerate() {
        list.push_str(&format!("{one},row {number}\n"));
    }
    // Named twice, on both sides of where it ends.
    list.push_str(&format!("{},again\n", people[0]));
    let what = Import {
        main: guild(main),
        operator: None,
        moderator: None,
        name: Untrusted::clipped("bans.csv"),
        most: 100_000,
        ignored: Vec::new(),
        apply: true,
    };
    let file = test.systems.services.layout().state.join("list");
    std::fs::write(&file, &list).unwrap();
    let open = || Ok(File::open(&file).unwrap());
    let kept: Arc<std::sync::Mutex<Progress>> = Arc::default();
    let keep = |kept: &Arc<std::sync::Mutex<Progress>>| {
        let kept = Arc::clone(kept);
        move |_: &Change<'_>, progress: &Progress, _: Imported| {
            *kept.lock().unwrap() = progress.clone();
            Ok(())
        }
    };
    // In the third chunk: that transaction is rolled back as a whole, as a kill would.
    arm(Point::Record, user(people[1_100]));
    let staff = Arc::new(Staff::known(&test.systems.services, guild(main), None));
    let survey = Arc::new(Survey::of(&mut File::open(&file).unwrap(), what.main, 100_000, &[]).unwrap());
    let judged = || Judged {
        survey: Arc::clone(&survey),
        staff: Arc::clone(&staff),
        banned: HashSet::new(),
        unreadable: 0,
    };
    let killed = run(&test.systems.services, &what, judged(), open, Progress::default(), keep(&kept)).await;
    killed.unwrap_err();
    let progress = kept.lock().unwrap().clone();
    assert_eq!(progress.lines, 1_000);
    let standing =
        || test.read(move |view| view.standing_bans(guild(main), None, view.now(), 5_000).unwrap());
    assert_eq!(standing().await.len(), 1_000);

    let done = run(&test.systems.services, &what, judged(), open, progress, keep(&kept)).await.unwrap();
    assert_eq!(named(&done), [(Fate::New, count), (Fate::Duplicate, 1)]);
    let stored = standing().await;
    assert_eq!(stored.len() as u64, count);
    let users: HashSet<_> = stored.iter().map(|(_, entry)| entry.user_id).collect();
    assert_eq!(users.len() as u64, count);
    test.settled().await;
    assert!(people.iter().all(|one| sandbox.is_banned(main, *one)));
}

/// A hundred thousand rows: what is kept of them while they are judged is the users, up to the cap, and twenty rows of each
/// fate; and what is on its way is bounded too.
#[tokio::test]
async fn a_hundred_thousand_rows_are_judged_in_bounded_memory() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let file = test.systems.services.layout().state.join("list");
    let mut out = std::io::BufWriter::new(File::create(&file).unwrap());
    for number in 0..120_000 {
        writeln!(out, "{},{}", 700_000_000_000_000_000_u64 + number, "x".repeat(30)).unwrap();
    }
    writeln!(out, "oops\n700000000000000005").unwrap();
    out.flush().unwrap();
    let what = Import {
        main: guild(sandbox.main_guild()),
        operator: None,
        moderator: None,
        name: Untrusted::clipped("bans.csv"),
        most: 100_000,
        ignored: Vec::new(),
        apply: false,
    };
    let staff = Arc::new(Staff::known(&test.systems.services, what.main, None));
    let mut list = File::open(&file).unwrap();
    let survey = Arc::new(Survey::of(&mut list, what.main, what.most, &[]).unwrap());
    let (plan, _) = judge_all(&test.systems.services, &what, list, &survey, &staff, |_| ()).await.unwrap();
    assert_eq!((survey.kind(), plan.remembered()), (Kind::Csv, 100_000));
    let counted: Vec<_> = plan.rows().iter().map(|rows| (rows.fate, rows.count, rows.first.len())).collect();
    let counted: Vec<_> = counted.into_iter().filter(|(_, count, _)| *count > 0).collect();
    assert_eq!(
        counted,
        [(Fate::New, 100_000, 20), (Fate::Duplicate, 1, 1), (Fate::Invalid, 1, 1), (Fate::Over, 20_000, 20),]
    );
}

/// More pages of the guild's own bans than a plan reads: what it does not know it does not tell.
#[tokio::test]
async fn a_plan_says_where_it_does_not_know_whom_the_guild_has_banned() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let listed = [700_000_000_000_000_001_u64, 700_000_000_000_009_999];
    sandbox.change(|world| {
        let bans = &mut world.guilds.get_mut(&main).unwrap().bans;
        bans.extend((0..6_000).map(|number| (listed[0] + number, None)));
    });
    let list = format!("{}\n{}\n", listed[0], listed[1]);
    let plan = import(&test, main, &list, true).await.unwrap();
    assert_eq!((plan.adopted_known, plan.count(Fate::New)), (false, 2));
    let report = wayhaven_shared::operation::Reported::report(&plan);
    assert!(format!("{report:?}").contains("not known"), "{report:?}");
}

/// What an export has come to.
async fn exported(test: &TestDaemon, id: JobId) -> Exported {
    test.until("the export is over", move |view| !view.job(id).unwrap().unwrap().is_running()).await;
    let job = test.read(move |view| view.job(id).unwrap().unwrap()).await;
    match job.result {
        Some(JobResult::Exported(exported)) => exported,
        other => panic!("{other:?} {:?}", job.note),
    }
}

async fn export(test: &TestDaemon, of: u64, format: ListFormat, source: ListSource) -> (Exported, String) {
    let asked_for = SyncExport { format: Some(format), source: Some(source), output: None };
    let exported = exported(test, asked(test, of, asked_for, false).await.unwrap().id).await;
    let chunk = test.systems.uploads.part(exported.file.unwrap(), 0).unwrap().chunk;
    assert_eq!(chunk.bytes().len() as u64, exported.bytes);
    (exported, String::from_utf8(chunk.bytes().to_vec()).unwrap())
}

#[tokio::test]
async fn what_is_exported_is_imported_elsewhere_without_loss() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start_at(&sandbox, Arc::new(home())).await;
    test.until_ready().await;
    let (main, other) = (sandbox.main_guild(), sandbox.children()[0]);
    test.systems.services.store().write(move |change| Ok(change.make_main(guild(other))?)).await.unwrap();
    let reasons = ["=HYPERLINK(\"x\")", "two\nlines, \"quoted\"", "'@ünï😀", "-", "x\r\ny"];
    let people = people(&sandbox, 5);
    let id = |number: usize| people[number];
    let mut list = Vec::new();
    let mut writer = crate::lists::Writer::begin(&mut list, Kind::Csv, guild(main)).unwrap();
    for (number, reason) in (0..).zip(reasons) {
        let entry = crate::store::Entry {
            user_id: user(id(number)),
            reason: Some(reason.parse().unwrap()),
            expires_at: (number == 1).then(|| "2099-01-01T00:00:00Z".parse().unwrap()),
            moderator_id: None,
            created_at: None,
        };
        writer.push(&entry).unwrap();
    }
    writer.end().unwrap();
    import(&test, main, std::str::from_utf8(&list).unwrap(), false).await.unwrap();
    let standing = |of: u64| {
        test.read(move |view| {
            let entries = view.standing_bans(guild(of), None, view.now(), 50).unwrap();
            entries.into_iter().map(|(_, one)| (one.user_id, one.reason, one.expires_at)).collect::<Vec<_>>()
        })
    };
    for format in [ListFormat::Csv, ListFormat::Json] {
        let (exported, text) = export(&test, main, format, ListSource::Ours).await;
        assert_eq!(exported.bans, reasons.len() as u64);
        let imported = import(&test, other, &text, false).await.unwrap();
        assert_eq!(imported.count(Fate::New) + imported.count(Fate::Already), reasons.len() as u64);
    }
    assert_eq!(standing(main).await, standing(other).await);
    test.settled().await;
    let (exported, text) = export(&test, main, ListFormat::Json, ListSource::Discord).await;
    assert_eq!(exported.bans, reasons.len() as u64);
    let rows: Vec<_> = ListReader::open(text.as_bytes()).unwrap().map(|line| line.unwrap()).collect();
    assert!(matches!(&rows[0], Line::Row(row) if row.user == user(id(0))), "{rows:?}");
    let first = Some(user(id(0)));
    let deliveries = test.read(move |view| view.punishments(None, first, None, 5).unwrap()).await;
    assert_eq!(deliveries.len(), 2);
    let origin = test.read(move |view| view.origin_of(deliveries[0].id).unwrap()).await;
    assert!(origin.is_none_or(|origin| origin.state == DeliveryState::Applied));
}
