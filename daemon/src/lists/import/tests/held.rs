//! What an import sends to children: it waits in a hold of its own, leaves as there is room, and survives a restart.

use super::*;
use crate::testing::{PATIENCE, confirmed};
use wayhaven_sandbox::{At, Fault as Trouble, FaultId};
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::config::ConfigNotifications;
use wayhaven_shared::operations::hold::{Hold, HoldKind, SyncApprove, SyncDiscard, SyncHolds};
use wayhaven_shared::operations::job::JobCancel;
use wayhaven_shared::operations::setup::{SecurityLevel, SetupSecurityLevel};
use wayhaven_shared::value::{ChannelId, JobId};

const BAN: &str = "/guilds/{guild_id}/bans/{user_id}";
const BANS: &str = "/guilds/{guild_id}/bulk-ban";

fn list(people: &[u64]) -> String {
    people.iter().map(|one| format!("{one}\n")).collect()
}

fn applied() -> Request {
    SyncImport { file: "bans.csv".parse().unwrap(), apply: true, ignore_column: Vec::new() }.into()
}

async fn holds(test: &TestDaemon, sandbox: &Sandbox) -> Vec<Hold> {
    asked(test, sandbox.main_guild(), SyncHolds {}, false).await.unwrap().holds
}

fn banned(sandbox: &Sandbox, guilds: &[u64], people: &[u64]) -> usize {
    people.iter().map(|one| sandbox.banned_in(guilds, *one)).sum()
}

async fn approve(test: &TestDaemon, sandbox: &Sandbox, hold: HoldId) {
    let request = SyncApprove { id: Some(hold), all: false };
    asked(test, sandbox.main_guild(), request, false).await.unwrap();
}

#[tokio::test]
async fn an_import_waits_in_one_hold_of_its_own_and_spends_nobodys_budget() {
    let sandbox = sandbox(2).await;
    let tight = crate::network::Budget { most: 1, seconds: 300 };
    let test = TestDaemon::start_with(&sandbox, |settings| {
        settings.network.budgets = crate::network::Budgets { moderator: tight, network: tight };
    })
    .await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    let (first, second) = (people(&sandbox, 3), people(&sandbox, 2));
    let by_admin = || by_member(sandbox.admin(), main, permissions::ADMINISTRATOR, request());
    let one = import_as(&test, by_admin(), &list(&first), false).await.unwrap();
    let two = import_as(&test, by_admin(), &list(&second), false).await.unwrap();
    let (hold, other) = (one.hold.unwrap(), two.hold.unwrap());
    assert_ne!(hold, other, "each import waits by itself");
    assert_eq!((one.held, one.waits, two.held), (6, true, 4));
    let report = one.report();
    assert!(report.hints.iter().any(|hint| hint.contains(&format!("sync approve {hold}"))), "{report:?}");
    test.settled().await;
    assert_eq!(banned(&sandbox, &[main], &first), 3, "in the main it is done");
    assert_eq!(banned(&sandbox, &children, &first) + banned(&sandbox, &children, &second), 0);
    let held = holds(&test, &sandbox).await;
    let shown: Vec<_> = held.iter().map(|one| (one.id, one.kind, one.users, one.deliveries)).collect();
    assert_eq!(shown, [(hold, HoldKind::Import, 3, 6), (other, HoldKind::Import, 2, 4)]);
    assert_eq!(held[0].moderator_id, Some(user(sandbox.admin())));
    assert_eq!(test.alerts().await, ["approval_needed"; 2], "one for each import, and none of a budget");

    // The same moderator's next ban is within their budget of one.
    let whom = sandbox.stranger();
    let ban = by_member(sandbox.admin(), main, permissions::ADMINISTRATOR, Ban::new(user(whom)).into());
    let recorded = test.ask(ban).await.unwrap().punished().cloned().unwrap().punishment.unwrap();
    test.until_counted(recorded.id, DeliveryState::Applied, 2).await;

    approve(&test, &sandbox, hold).await;
    let discarded = SyncDiscard { id: Some(other), all: false };
    asked(&test, main, discarded, false).await.unwrap();
    test.settled().await;
    assert_eq!((banned(&sandbox, &children, &first), banned(&sandbox, &children, &second)), (6, 0));
    assert!(holds(&test, &sandbox).await.is_empty());
}

#[tokio::test]
async fn an_operator_applies_at_once_except_at_security_level_maximum() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    let (first, second) = (people(&sandbox, 3), people(&sandbox, 2));
    let by_owner = || by_operator(Role::Owner, Some(main), applied());
    let done = import_as(&test, by_owner(), &list(&first), false).await.unwrap();
    assert_eq!((done.held, done.waits), (6, false));
    test.settled().await;
    assert_eq!(banned(&sandbox, &children, &first), 6);
    assert!(test.alerts().await.is_empty() && holds(&test, &sandbox).await.is_empty());

    let level = SetupSecurityLevel { level: SecurityLevel::Maximum };
    asked(&test, main, level, false).await.unwrap();
    let done = import_as(&test, by_owner(), &list(&second), false).await.unwrap();
    assert!(done.waits, "{done:?}");
    test.settled().await;
    assert_eq!((banned(&sandbox, &[main], &second), banned(&sandbox, &children, &second)), (2, 0));
    // Who has imported it does not approve it.
    let third = people(&sandbox, 1);
    let by_admin = by_member(sandbox.admin(), main, permissions::ADMINISTRATOR, request());
    let own = import_as(&test, by_admin, &list(&third), false).await.unwrap().hold;
    let approves = SyncApprove { id: own, all: false };
    let approve_own = by_member(sandbox.admin(), main, permissions::ADMINISTRATOR, approves.into());
    assert_eq!(test.ask(confirmed(approve_own)).await.unwrap_err().kind, FaultKind::Denied);
    approve(&test, &sandbox, own.unwrap()).await;
    test.settled().await;
    assert_eq!(banned(&sandbox, &children, &third), 2);
}

/// What a guild has not taken yet waits in the store, however much was approved.
#[tokio::test]
async fn what_is_approved_leaves_as_its_guild_has_room() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let children = sandbox.children();
    let people = people(&sandbox, 240);
    let done = import(&test, sandbox.main_guild(), &list(&people), false).await.unwrap();
    test.settled().await;
    let slow = children[0];
    let hangs = [("PUT", BAN), ("POST", BANS)]
        .map(|(method, route)| Trouble::Hang { at: At::route(method, route).guild(slow) });
    let hangs = hangs.map(|hang| sandbox.inject(hang));
    approve(&test, &sandbox, done.hold.unwrap()).await;
    // The other one is done meanwhile.
    let fast = children[1];
    test.until("the other child is done", move |view| {
        view.moving_in(guild(fast)).unwrap() == 0 && {
            let held = "SELECT count(*) FROM deliveries WHERE state = 'held'";
            view.number(held).unwrap() == 140
        }
    })
    .await;
    let open = test.read(move |view| view.moving_in(guild(slow)).unwrap()).await;
    assert_eq!(open, crate::store::OPEN_IN_A_GUILD);
    for hang in hangs {
        sandbox.clear(hang);
    }
    test.settled().await;
    assert_eq!(banned(&sandbox, &children, &people), 480);
}

/// An import that takes no more: so much is under way, and nothing of it ends before what hangs is cleared.
async fn stuck(sandbox: &Sandbox, test: &TestDaemon, people: &[u64]) -> ([FaultId; 2], JobId) {
    let hang = |(method, route)| sandbox.inject(Trouble::Hang { at: At::route(method, route) });
    let hangs = [("PUT", BAN), ("POST", BANS)].map(hang);
    let upload = Some(Upload::Staged(staged(test, list(people))));
    let asked_for = confirmed(by_operator(Role::Owner, Some(sandbox.main_guild()), request()));
    let Reply::SyncImport(job) = test.ask(Invocation { upload, ..asked_for }).await.unwrap() else {
        panic!()
    };
    test.until("it waits", |view| view.under_way().unwrap() >= UNDER_WAY).await;
    (hangs, job.id)
}

/// A daemon that ends in the middle of an import, as a kill would end it, and the next one.
#[tokio::test]
async fn an_import_goes_on_after_a_restart_from_its_stored_cursor() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start_with(&sandbox, |_| {}).await;
    let main = sandbox.main_guild();
    let people = people(&sandbox, 900);
    let (hangs, id) = stuck(&sandbox, &test, &people).await;
    let before = test.read(move |view| view.job(id).unwrap().unwrap()).await;
    assert!(before.is_running() && before.done < 900, "{before:?}");
    let Some(JobResult::Imported(so_far)) = before.result else { panic!("{before:?}") };
    let home = test.home();
    drop(test);
    for hang in hangs {
        sandbox.clear(hang);
    }
    let test = TestDaemon::start_at(&sandbox, home).await;
    test.until("the import is over", move |view| !view.job(id).unwrap().unwrap().is_running()).await;
    let after = test.read(move |view| view.job(id).unwrap().unwrap()).await;
    let Some(JobResult::Imported(done)) = after.result else { panic!("{after:?}") };
    assert_eq!((done.count(Fate::New), done.held), (900, 900));
    assert_eq!(done.hold, so_far.hold, "it is the same hold");
    let number = "SELECT count(*) FROM punishments";
    assert_eq!(test.read(move |view| view.number(number).unwrap()).await, 900, "none twice");
    test.settled().await;
    assert_eq!(banned(&sandbox, &[main], &people), 900);
    let files = std::fs::read_dir(test.systems.services.layout().state.join("imports")).unwrap();
    assert_eq!(files.count(), 0);
}

#[tokio::test]
async fn an_import_that_is_cancelled_says_what_it_has_done_and_keeps_nothing_on_its_way() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let people = people(&sandbox, 900);
    let (hangs, id) = stuck(&sandbox, &test, &people).await;
    asked(&test, main, JobCancel { id }, false).await.unwrap();
    test.until("it is over", move |view| !view.job(id).unwrap().unwrap().is_running()).await;
    let ended = test.read(move |view| view.job(id).unwrap().unwrap()).await;
    let Some(JobResult::Imported(done)) = ended.result else { panic!("{ended:?}") };
    let taken = done.count(Fate::New);
    assert!((UNDER_WAY..900).contains(&taken) && done.waits && done.held == taken, "{done:?}");
    for hang in hangs {
        sandbox.clear(hang);
    }
    test.settled().await;
    assert_eq!(banned(&sandbox, &[main], &people) as u64, taken, "what was taken is done");
    assert_eq!(
        holds(&test, &sandbox).await[0].deliveries,
        taken,
        "and what goes to the child can be decided"
    );
    let directory = test.systems.services.layout().state.join("imports");
    test.until("its list is gone", move |_| std::fs::read_dir(&directory).unwrap().count() == 0).await;
}

#[tokio::test]
async fn a_guild_is_told_of_an_import_as_a_whole() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let mut channels = Vec::new();
    for of in [main, child] {
        let channel = sandbox.channel(of, "general");
        let told = ConfigNotifications { channel: ChannelId::new(channel), off: false };
        asked(&test, of, told, false).await.unwrap();
        channels.push(channel);
    }
    let people = people(&sandbox, 40);
    let done = import(&test, main, &list(&people), false).await.unwrap();
    approve(&test, &sandbox, done.hold.unwrap()).await;
    test.settled().await;
    // What comes after it is told after it, so that nothing more of it is to come then.
    let last = sandbox.stranger();
    test.ban(main, last).await;
    for (channel, says) in channels.iter().zip(["40 new", "import of 40 bans"]) {
        let is_told = |discord: &wayhaven_sandbox::Discord| {
            discord.messages(*channel).iter().any(|message| message.to_string().contains(&last.to_string()))
        };
        sandbox.wait_until(is_told, PATIENCE).await.unwrap();
        let lines: Vec<String> = sandbox
            .messages(*channel)
            .iter()
            .flat_map(|message| {
                let text = message["embeds"][0]["description"].as_str().unwrap_or_default().to_owned();
                text.lines().map(str::to_owned).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains(says), "{lines:?}");
    }
}

#[tokio::test]
async fn a_ban_that_ends_before_the_list_says_is_no_reason_to_leave_the_row_out() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let people = people(&sandbox, 2);
    for (whom, span) in people.iter().zip([Some("1h"), None]) {
        let ban = Ban { span: span.map(|span| span.parse().unwrap()), ..Ban::new(user(*whom)) };
        asked(&test, main, ban, false).await.unwrap();
    }
    test.settled().await;
    // Longer than the one, and shorter than the other, which is not replaced.
    let rows: String = people.iter().map(|one| format!("{one},x,2099-01-01T00:00:00Z\n")).collect();
    let rows = format!("user_id,reason,expires_at\n{rows}");
    let by_owner = by_operator(Role::Owner, Some(main), applied());
    let done = import_as(&test, by_owner, &rows, false).await.unwrap();
    assert_eq!((done.count(Fate::New), done.count(Fate::Already)), (1, 1));
    test.settled().await;
    test.advance(&sandbox, "2h").await;
    let first = people[0];
    test.until("the end of the shorter one", move |view| {
        let all = view.punishments(None, Some(user(first)), None, 9).unwrap();
        all.iter().any(|one| one.status == "expired")
    })
    .await;
    test.settled().await;
    assert_eq!(banned(&sandbox, &[main, child], &people), 4);
}

#[tokio::test]
async fn what_the_main_refuses_of_an_import_is_held_though_the_import_was_approved() {
    let sandbox = sandbox(1).await;
    let main = sandbox.main_guild();
    // Above the bot, and without power: whoever moderates is left out of an import.
    let role = sandbox.role(main, "Moderator");
    sandbox.people().move_role(main, role, 9).unwrap();
    sandbox.people().set_role_permissions(main, role, 0).unwrap();
    let test = TestDaemon::start(&sandbox).await;
    let (refused, nobody, done) = (sandbox.moderator(), 424_242_424_242_424_242, sandbox.stranger());
    let by_owner = by_operator(Role::Owner, Some(main), applied());
    import_as(&test, by_owner, &list(&[refused, nobody, done]), false).await.unwrap();
    test.settled().await;
    let child = sandbox.children()[0];
    assert_eq!(banned(&sandbox, &[child], &[refused, nobody, done]), 1);
    let held = holds(&test, &sandbox).await;
    assert_eq!((held.len(), held[0].kind, held[0].whom.clone()), (1, HoldKind::Refused, vec![user(refused)]));
    assert_eq!(test.history(nobody).await, [(Action::Ban, "failed".to_owned())]);
    approve(&test, &sandbox, held[0].id).await;
    test.settled().await;
    assert!(sandbox.is_banned(child, refused));
}
