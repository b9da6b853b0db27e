//! Who may do what. The peer is this process, whose user is no owner at the doors of these tests.

use super::super::accounts::Accounts;
use super::super::limits::LOOKUPS;
use super::super::refusals::Refusals;
use super::super::roles::Standing;
use super::super::{Door, connection};
use super::*;
use crate::settings::{Principal, Settings};
use crate::store::{AuditFilter, AuditFrom};
use futures::FutureExt;
use tokio::sync::Semaphore;
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::audit::AuditEntry;
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::value::{Chunk, UploadId, UserId};

/// Somebody else than this process owns the daemon.
const STRANGE: Limits = Limits {
    hello: Duration::from_secs(60),
    frame: Duration::from_secs(60),
    write: Duration::from_secs(60),
    refusals: Duration::from_secs(3_600),
    rate: super::super::limits::RATE_OF_ONE,
    modest: super::super::limits::RATE_OF_MODEST,
    socket_check: Duration::from_secs(600),
    owner: Some(u32::MAX - 1),
};

fn own() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

/// Changes who may do what, as a SIGHUP does.
fn set(test: &TestDaemon, change: impl FnOnce(&mut Settings)) {
    let mut settings = Settings::clone(&test.systems.services.settings());
    change(&mut settings);
    test.systems.reload.put(settings);
}

async fn rows(test: &TestDaemon, operation: &str) -> Vec<AuditEntry> {
    test.audit().await.into_iter().filter(|entry| entry.operation == operation).collect()
}

fn actor(entry: &AuditEntry) -> &str {
    entry.actor.as_ref().map_or("", |actor| actor.raw())
}

fn message(entry: &AuditEntry) -> &str {
    entry.message.as_ref().map_or("", |message| message.raw())
}

async fn ban(client: &Client, user: u64) -> Fault {
    client.run(Envelope::new(&Ban::new(UserId::new(user).unwrap()).into())).await.unwrap_err()
}

#[tokio::test]
async fn whoever_is_struck_from_the_settings_loses_at_once_what_an_open_connection_had() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let path = door(&test, STRANGE);
    set(&test, |settings| settings.control.operators = vec![Principal::User(own().0)]);
    let client = Client::connect(&path, ClientSurface::Cli).await.unwrap();
    client.call(Status {}).await.unwrap();
    set(&test, |settings| {
        settings.control.operators.clear();
        settings.control.observers = vec![Principal::User(own().0)];
    });
    client.call(Status {}).await.unwrap();
    assert_eq!(ban(&client, 7).await.kind, FaultKind::Denied, "an observer changes nothing");
    set(&test, |settings| settings.control.observers.clear());
    let gone = client.call(Status {}).await.unwrap_err();
    assert!(gone.kind == FaultKind::Denied && gone.message.contains("no role any more"), "{gone}");
}

#[tokio::test]
async fn fault_31_a_user_without_a_role_is_refused_and_a_flood_of_them_is_two_rows() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let path = door(&test, STRANGE);
    for _ in 0..40 {
        let refused = Client::connect(&path, ClientSurface::Cli).await.unwrap_err();
        assert_eq!(refused.kind, FaultKind::Denied);
        let hints = refused.hints.join("\n");
        assert!(hints.contains(&format!("control.operators = [\"user:{}\"]", own().0)), "{hints}");
    }
    let first = rows(&test, "connect").await;
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(first[0].result, AuditResult::Denied);
    assert_eq!(actor(&first[0]), format!("unix user {}", own().0));
    // At the end of the while, or here of the daemon, the others are told.
    test.systems.services.lifecycle().close();
    let more = test.until_audited("the rest", |entry| {
        entry.operation == "connect" && message(entry).starts_with("39 more: ")
    });
    assert_eq!(more.await.result, AuditResult::Denied);
    assert_eq!(rows(&test, "connect").await.len(), 2);
}

#[tokio::test]
async fn after_a_while_the_next_refusal_is_told_at_once_again() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let path = door(&test, Limits { refusals: Duration::from_millis(1), ..STRANGE });
    let again = async {
        loop {
            Client::connect(&path, ClientSurface::Cli).await.unwrap_err();
            let told = rows(&test, "connect").await;
            let firsts = told.iter().filter(|entry| !message(entry).contains("more: "));
            if firsts.count() >= 2 {
                return;
            }
        }
    };
    assert!(tokio::time::timeout(PATIENCE, again).await.is_ok(), "only the first was told");
}

#[tokio::test]
async fn fault_31_an_observer_reads_and_whatever_changes_something_is_refused_and_audited() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    set(&test, |settings| settings.control.observers = vec![Principal::User(own().0)]);
    let path = door(&test, STRANGE);
    let observer = Client::connect(&path, ClientSurface::Cli).await.unwrap();
    assert_eq!(observer.welcome().role, Role::Observer);
    observer.call(Status {}).await.unwrap();
    let before = sandbox.effect_count();
    for _ in 0..20 {
        let refused = ban(&observer, sandbox.stranger()).await;
        assert_eq!(refused.kind, FaultKind::Denied);
        assert!(refused.message.contains("needs the role operator"), "{refused}");
    }
    let list = std::io::Cursor::new(b"700000000000000001,why\n".to_vec());
    assert_eq!(observer.upload(list).await.unwrap_err().kind, FaultKind::Denied);
    let mut held = Vec::new();
    let refused = observer.download(UploadId::new([7; 16]), &mut held).await.unwrap_err();
    assert_eq!((refused.kind, held.len()), (FaultKind::Denied, 0));
    assert_eq!(test.systems.uploads.count(), 0);
    assert_eq!(sandbox.effect_count(), before, "nothing has left for Discord");
    for operation in ["ban", "upload", "download"] {
        let told = rows(&test, operation).await;
        assert_eq!(told.len(), 1, "{operation}: {told:?}");
        assert_eq!(told[0].result, AuditResult::Denied, "{operation}");
        assert_eq!(actor(&told[0]), format!("unix user {}", own().0));
    }
    test.systems.services.lifecycle().close();
    test.until_audited("the other bans", |entry| {
        entry.operation == "ban" && message(entry).starts_with("19 more: ")
    })
    .await;
}

#[tokio::test]
async fn the_first_of_owner_operator_and_observer_counts_by_user_or_group() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let (uid, gid) = own();
    let path = door(&test, STRANGE);
    let (user, group) = (Principal::User(uid), Principal::Group(gid));
    let (nobody, none) = (Principal::User(uid + 1), Principal::Group(gid + 1));
    for (operators, observers, expected) in [
        (vec![], vec![], None),
        (vec![nobody, none], vec![none], None),
        // A number is a user's or a group's, and never both.
        (vec![Principal::Group(uid + 77)], vec![Principal::User(gid + 77)], None),
        (vec![user], vec![], Some(Role::Operator)),
        (vec![], vec![user], Some(Role::Observer)),
        (vec![nobody, group], vec![user], Some(Role::Operator)),
        (vec![], vec![nobody, group], Some(Role::Observer)),
        (vec![user], vec![group], Some(Role::Operator)),
    ] {
        set(&test, |settings| {
            settings.control.operators.clone_from(&operators);
            settings.control.observers.clone_from(&observers);
        });
        let role = Client::connect(&path, ClientSurface::Cli).await.ok().map(|client| client.welcome().role);
        assert_eq!(role, expected, "{operators:?} {observers:?}");
    }
    let owned = door(&test, Limits { owner: Some(uid), ..STRANGE });
    set(&test, |settings| settings.control.observers = vec![user]);
    assert_eq!(Client::connect(&owned, ClientSurface::Cli).await.unwrap().welcome().role, Role::Owner);
}

#[tokio::test]
async fn an_operator_changes_what_an_administrator_may_and_not_what_an_owner_may() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    set(&test, |settings| settings.control.operators = vec![Principal::User(own().0)]);
    let operator = Client::connect(&door(&test, STRANGE), ClientSurface::Cli).await.unwrap();
    let refused = operator.call(DaemonStop {}).await.unwrap_err();
    assert_eq!(refused.kind, FaultKind::Denied, "{refused}");
    let guild = Some(crate::testing::guild(sandbox.main_guild()).into());
    let request = Ban::new(UserId::new(sandbox.stranger()).unwrap()).into();
    operator.run(Envelope { guild, ..Envelope::new(&request) }).await.unwrap();
    let changed = test
        .read(|view| view.audit_entries(&AuditFilter::default(), AuditFrom::Below(u64::MAX), 500).unwrap())
        .await;
    assert!(
        changed.iter().any(|row| row.operation == "ban" && row.result == AuditResult::Success),
        "{changed:?}"
    );
}

#[tokio::test]
async fn the_groups_of_a_user_are_those_of_the_machines_lists() {
    let root = super::super::roles::groups_of(0);
    assert!(root.contains(&0), "{root:?}");
    // Whoever the machine lists as another group's member has that group too.
    let listed = std::fs::read_to_string("/etc/group").unwrap();
    for line in listed.lines() {
        let [_, _, gid, members] = line.split(':').collect::<Vec<_>>()[..] else { continue };
        for member in members.split(',').filter(|member| !member.is_empty()) {
            let Some(user) = uzers::get_user_by_name(member) else { continue };
            let groups = super::super::roles::groups_of(user.uid());
            assert!(groups.contains(&gid.parse().unwrap()), "{member} {gid}: {groups:?}");
        }
    }
}

#[tokio::test]
async fn a_directory_of_groups_that_does_not_answer_holds_up_those_who_come_by_group_and_no_thread_of_the_store()
 {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    set(&test, |settings| settings.control.operators = vec![Principal::Group(own().1)]);
    let door = Door {
        accounts: Accounts::new(&STRANGE),
        refusals: Refusals::new(test.systems.services.store().clone(), STRANGE.refusals),
        lookups: Arc::new(Semaphore::new(LOOKUPS)),
        limits: STRANGE,
    };
    let busy = Arc::clone(&door.lookups).acquire_many_owned(LOOKUPS as u32).await.unwrap();
    let standing = Standing::of(own().0, own().1, &test.systems, &door);
    tokio::pin!(standing);
    assert!(standing.as_mut().now_or_never().is_none(), "a third look-up is made");
    let owner = Standing::of(STRANGE.owner.unwrap(), 0, &test.systems, &door).now_or_never();
    assert_eq!(owner.and_then(|standing| standing.latest()), Some(Role::Owner));
    // And it does not keep their places for ever.
    let (mut theirs, ours) = UnixStream::pair().unwrap();
    let impatient = Door {
        limits: Limits { hello: Duration::from_millis(10), ..STRANGE },
        lookups: Arc::clone(&door.lookups),
        accounts: Accounts::new(&STRANGE),
        refusals: Refusals::new(test.systems.services.store().clone(), STRANGE.refusals),
    };
    let place = impatient.accounts.place(own().0, false).unwrap();
    connection(Arc::new(impatient), Arc::clone(&test.systems), ours, own().1, place).await;
    until_closed(&mut theirs).await;
    drop(busy);
    assert_eq!(standing.await.latest(), Some(Role::Operator));
    assert_eq!(door.lookups.available_permits(), LOOKUPS);
}

#[tokio::test]
async fn a_socket_is_given_to_a_group_and_where_that_is_not_possible_the_way_out_is_named() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run/control.sock");
    let _listener = bind(&path).unwrap();
    let group = |id: u32| crate::settings::Group { id, name: format!("g{id}") };
    super::super::give(&path, &group(own().1)).unwrap();
    let gone = home.path().join("gone/control.sock");
    let fault = super::super::give(&gone, &group(own().1)).unwrap_err();
    assert!(fault.message.contains("control.group is g") && !fault.hints.is_empty(), "{fault}");
    if own().0 == 0 {
        use std::os::unix::fs::MetadataExt;
        super::super::give(&path, &group(54_321)).unwrap();
        for place in [&path, path.parent().unwrap()] {
            assert_eq!(std::fs::metadata(place).unwrap().gid(), 54_321);
        }
    }
}

#[test]
fn a_part_of_a_file_fits_into_a_frame() {
    let chunk = Chunk::new(vec![0xff; Chunk::LARGEST]).unwrap();
    let message = json!({ "Upload": { "id": UploadId::new([7; 16]), "offset": u64::MAX, "chunk": chunk } });
    assert!(frame(u64::MAX, message).len() - 4 <= wayhaven_shared::control::LARGEST_REQUEST);
}
