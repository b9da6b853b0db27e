//! What the gateway did not tell, found in the audit log (FAULTS 12, 14, 17).

use crate::testing::{self, PATIENCE, TestDaemon, guild, sandbox, user};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use wayhaven_sandbox::{At, Discord, EventFate, Fault, Options, Recorded, Sandbox, Trouble};
use wayhaven_shared::event::Change;
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin};
use wayhaven_shared::operations::setup::Mode;

const LOG: &str = "/guilds/{guild_id}/audit-logs";

/// Ends a daemon and waits until its session is over; its home is left.
async fn end(sandbox: &Sandbox, test: TestDaemon) -> Arc<TempDir> {
    let home = test.home();
    drop(test);
    sandbox.wait_until(|discord| discord.connected_sessions() == 0, PATIENCE).await.unwrap();
    home
}

/// Starts a daemon in a home that was one's before.
async fn again(sandbox: &Sandbox, home: Arc<TempDir>) -> TestDaemon {
    let test = TestDaemon::start_at(sandbox, home).await;
    test.until_ready().await;
    test
}

/// The requests that read on in a guild's log.
fn readings(sandbox: &Discord, of: u64) -> usize {
    let reads_on = |request: &Recorded| request.query.iter().any(|(name, _)| name == "after");
    let log = sandbox.log();
    log.iter()
        .filter(|request| request.route == LOG && request.guild == Some(of) && reads_on(request))
        .count()
}

fn lose(sandbox: &Sandbox, of: u64) -> u64 {
    sandbox.inject(Fault::Events { name: None, guild: Some(of), times: None, fate: EventFate::Drop })
}

async fn punishments(test: &TestDaemon, of: u64) -> Vec<(Action, Origin)> {
    let all = test.read(move |view| view.punishments(None, Some(user(of)), None, 50).unwrap()).await;
    all.into_iter().rev().map(|punishment| (punishment.action, punishment.origin)).collect()
}

#[tokio::test]
async fn fault_12_a_ban_made_while_the_connection_was_half_open_is_delivered_once() {
    let options = Options {
        children: 2,
        global_limit: 0,
        heartbeat_interval: Duration::from_millis(1_500),
        ..Options::default()
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let test = TestDaemon::start(&sandbox).await;
    sandbox.inject(Fault::Gateway { trouble: Trouble::HalfOpen });
    let victim = sandbox.stranger();
    sandbox.people().ban(sandbox.main_guild(), sandbox.moderator(), victim, Some("why")).unwrap();
    let id = test.punishment(victim, 1).await;
    test.until_counted(id, DeliveryState::Applied, 2).await;
    test.until_ready().await;
    test.systems.engine.drain().await;
    assert_eq!(sandbox.identifies(), 2, "serenity does not resume a session without acknowledgements");
    assert_eq!(sandbox.effect_count(), 2, "delivered once");
    assert_eq!(test.punishment(victim, 1).await, id);
    let stored = test.read(move |view| view.punishment(id).unwrap().unwrap()).await;
    assert_eq!(stored.moderator_id, Some(user(sandbox.moderator())));
    let audited = test.audit().await;
    let surfaces: Vec<_> =
        audited.iter().filter(|row| row.operation == "ban").map(|row| row.surface.clone()).collect();
    assert_eq!(surfaces, ["gateway"]);
    assert!(test.alerts().await.is_empty());
}

#[tokio::test]
async fn what_happened_while_the_daemon_was_away_is_taken_in_at_the_next_start() {
    let sandbox = sandbox(2).await;
    let home = end(&sandbox, TestDaemon::start(&sandbox).await).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    let (victim, lifted) = (sandbox.stranger(), sandbox.stranger());
    let people = sandbox.people();
    people.ban(children[0], sandbox.child_moderator(children[0]), victim, Some("ours")).unwrap();
    people.ban(main, sandbox.moderator(), victim, Some("why")).unwrap();
    people.ban(main, sandbox.moderator(), lifted, None).unwrap();
    people.unban(main, sandbox.moderator(), lifted, None).unwrap();

    let test = again(&sandbox, home).await;
    let id = test.punishment(victim, 1).await;
    test.until_counted(id, DeliveryState::Applied, 2).await;
    assert_eq!(
        punishments(&test, lifted).await,
        [(Action::Ban, Origin::Guild), (Action::Unban, Origin::Guild)]
    );
    test.systems.engine.drain().await;
    assert_eq!(sandbox.banned_in(&children, lifted), 0);

    // The child's own ban is a cause that no undo of ours touches, although nobody saw it being made.
    let undo = test.unban(main, victim).await;
    test.until_counted(undo, DeliveryState::Applied, 1).await;
    test.until_counted(undo, DeliveryState::Skipped, 1).await;
    assert!(sandbox.is_banned(children[0], victim) && !sandbox.is_banned(children[1], victim));
    let contained = |change: &Change| matches!(change, Change::Contained { .. });
    assert_eq!(test.told().await.into_iter().filter(contained).count(), 1);
}

#[tokio::test]
async fn a_restart_with_nothing_to_do_changes_nothing_and_raises_no_alert() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    sandbox.people().ban(main, sandbox.moderator(), victim, None).unwrap();
    let id = test.punishment(victim, 1).await;
    test.until_counted(id, DeliveryState::Applied, 2).await;
    let home = end(&sandbox, test).await;
    let before = sandbox.log().len();
    let test = again(&sandbox, home).await;
    test.systems.engine.drain().await;
    let asked: Vec<_> = sandbox.log().split_off(before);
    assert!(asked.iter().all(|request| request.method == "GET"), "{asked:?}");
    assert!(readings(&sandbox, main) >= 2, "it looked");
    assert_eq!(test.punishment(victim, 1).await, id, "what came live is not worked again");
    assert!(test.alerts().await.is_empty());
}

#[tokio::test]
async fn what_a_guilds_staff_did_before_it_was_linked_is_not_taken_in() {
    let sandbox = sandbox(1).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    sandbox.people().ban(main, sandbox.moderator(), victim, None).unwrap();
    // Entries and cursors are told apart by milliseconds, as Discord's are.
    while sandbox.stranger() >> 22 <= (victim >> 22) + 1 {
        tokio::task::yield_now().await;
    }
    let home = end(&sandbox, TestDaemon::start(&sandbox).await).await;
    let test = again(&sandbox, home).await;
    assert_eq!(punishments(&test, victim).await, []);
    assert_eq!(sandbox.effect_count(), 0);
}

#[tokio::test]
async fn a_gap_of_several_pages_is_read_to_its_end_though_the_daemon_dies_in_between() {
    let sandbox = sandbox(1).await;
    let home = end(&sandbox, TestDaemon::start(&sandbox).await).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let people = sandbox.people();
    let victims: Vec<u64> = (0..250).map(|_| sandbox.stranger()).collect();
    for victim in &victims {
        people.ban(main, sandbox.moderator(), *victim, None).unwrap();
    }
    // Behind all the bans.
    people.unban(main, sandbox.moderator(), victims[0], None).unwrap();

    let before = readings(&sandbox, main);
    let at = At::route("GET", LOG).guild(main).times(1);
    sandbox.inject(Fault::Latency { at, by: Duration::from_millis(500) });
    let dying = TestDaemon::start_at(&sandbox, Arc::clone(&home)).await;
    let asked = |discord: &Discord| readings(discord, main) == before + 1;
    sandbox.wait_until(asked, PATIENCE).await.unwrap();
    // The second page never comes; the next daemon's request does.
    sandbox.inject(Fault::Hang { at: At::route("GET", LOG).guild(main).times(1) });
    dying
        .until("the first page", move |view| view.punishments(None, None, None, 500).unwrap().len() >= 100)
        .await;
    let stored = dying.read(|view| view.punishments(None, None, None, 500).unwrap().len()).await;
    assert_eq!(stored, 100, "the second page hangs");
    // Whatever the first one still does, it does without Discord.
    dying.systems.services.rest().budget().stop();
    let next = TestDaemon::start_at(&sandbox, home).await;
    drop(dying);
    next.until_ready().await;
    next.systems.engine.drain().await;
    let stored = next.read(|view| view.punishments(None, None, None, 500).unwrap()).await;
    assert_eq!(stored.len(), 251, "each once");
    let order: Vec<u64> = stored.iter().rev().map(|punishment| punishment.user_id.get()).collect();
    let expected: Vec<u64> = victims.iter().copied().chain([victims[0]]).collect();
    assert_eq!(order, expected, "in the order in which they were made");
    assert_eq!(sandbox.bans(child).len(), 249);
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_told_once_and_read_when_it_can_be() {
    let view_audit_log = crate::discord::directory::VIEW_AUDIT_LOG;
    let options = Options {
        children: 2,
        global_limit: 0,
        without_permission: vec![(0, view_audit_log)],
        ..Options::default()
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let home = end(&sandbox, TestDaemon::start(&sandbox).await).await;
    let test = again(&sandbox, home).await;
    let blind = sandbox.children()[0];
    let told = |all: Vec<Change>| -> Vec<_> {
        let alerts = all.into_iter().filter_map(|change| match change {
            Change::Alert { kind, guild_id, count, .. } => Some((kind, guild_id, count)),
            _ => None,
        });
        alerts.collect()
    };
    let once = [("gap_not_filled".to_owned(), Some(guild(blind)), 1)];
    assert_eq!(told(test.told().await), once);
    assert_eq!(readings(&sandbox, blind), 0, "a refusal that is foreseen is not asked for");
    let home = end(&sandbox, test).await;
    let victim = sandbox.stranger();
    sandbox.people().ban(blind, sandbox.child_moderator(blind), victim, None).unwrap();
    let test = again(&sandbox, home).await;
    assert_eq!(told(test.told().await), once);

    sandbox.people().set_bot_permissions(blind, wayhaven_sandbox::permissions::LEAST_FOR_BOT).unwrap();
    test.until("its own ban", move |view| {
        view.is_done_locally(guild(blind), user(victim), Action::Ban).unwrap()
    })
    .await;
}

#[tokio::test]
async fn where_discord_refuses_the_mains_log_it_is_told_and_the_rest_goes_on() {
    let sandbox = sandbox(1).await;
    let home = end(&sandbox, TestDaemon::start(&sandbox).await).await;
    let at = At::route("GET", LOG).guild(sandbox.main_guild());
    let refusal = sandbox.inject(Fault::Answer { at, status: 403, code: 50013, message: String::new() });
    let test = again(&sandbox, home).await;
    assert_eq!(test.alerts().await, ["gap_not_filled"]);
    sandbox.clear(refusal);
    let victim = sandbox.stranger();
    sandbox.people().ban(sandbox.main_guild(), sandbox.moderator(), victim, None).unwrap();
    let id = test.punishment(victim, 1).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
}

#[tokio::test]
async fn fault_17_an_event_that_cannot_be_read_is_told_and_found_in_the_log() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    for trouble in [Trouble::MalformedJson, Trouble::UnknownOp, Trouble::UnknownEvent] {
        sandbox.inject(Fault::Gateway { trouble });
    }
    let lost = lose(&sandbox, main);
    let victim = sandbox.stranger();
    sandbox.people().ban(main, sandbox.moderator(), victim, Some("why")).unwrap();
    sandbox.clear(lost);
    let odd = format!(
        r#"{{"op":0,"s":900,"t":"GUILD_BAN_ADD","d":{{"guild_id":"{main}","user":{{"id":"a secret"}}}}}}"#
    );
    sandbox.inject(Fault::Gateway { trouble: Trouble::Raw(odd) });
    let id = test.punishment(victim, 1).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    assert_eq!(test.alerts().await, ["event_not_understood"]);
    let leaked = |change: &Change| format!("{change:?}").contains("a secret");
    assert!(!test.told().await.iter().any(leaked), "no payload");

    let next = sandbox.stranger();
    sandbox.people().ban(main, sandbox.moderator(), next, None).unwrap();
    test.punishment(next, 1).await;
}

#[tokio::test]
async fn a_hand_made_ban_that_is_found_late_does_not_undo_what_was_asked_after_it() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    for echo_too in [false, true] {
        let victim = sandbox.stranger();
        let first = test.ban(main, victim).await;
        test.until_counted(first, DeliveryState::Applied, 2).await;
        test.systems.engine.drain().await;
        sandbox.people().unban(main, sandbox.moderator(), victim, None).unwrap();
        test.punishment(victim, 2).await;
        // Nobody hears that they are banned again, and then an operator lifts it.
        let lost = lose(&sandbox, main);
        sandbox.people().ban(main, sandbox.moderator(), victim, None).unwrap();
        if !echo_too {
            sandbox.clear(lost);
        }
        let asked = test.unban(main, victim).await;
        test.systems.engine.drain().await;
        sandbox.clear(lost);
        assert!(!sandbox.is_banned(main, victim));
        test.systems.ingest.gaps().catch_up();
        test.systems.ingest.gaps().idle().await;
        test.systems.engine.drain().await;
        assert_eq!(sandbox.banned_in(&children, victim), 0, "the last word in the main was the unban");
        let last = test
            .read(move |view| {
                view.last_decision(guild(main), user(victim), Action::Ban).unwrap().map(|(last, _)| last)
            })
            .await;
        assert_eq!(last, Some(Action::Unban), "{asked}");
    }
}

/// Until the shard has handed on every event of the main so far, although nothing can be stored: a command that came behind
/// them is acknowledged. Discord takes an acknowledgement for three seconds, and a busy machine may need longer for the
/// events, so another command is sent every second.
async fn until_handed_on(sandbox: &Sandbox) {
    let (main, people) = (sandbox.main_guild(), sandbox.people());
    let mut asked = Vec::new();
    let acknowledged = async {
        loop {
            asked.push(people.slash(main, sandbox.owner(), "sync status", serde_json::json!({})).unwrap());
            let any = |_: &Discord| asked.iter().any(|one| people.interaction(*one).unwrap().was_deferred);
            if sandbox.wait_until(any, Duration::from_secs(1)).await.is_ok() {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, acknowledged).await.unwrap();
}

#[tokio::test]
async fn a_queue_that_overflows_is_told_and_what_was_lost_is_read() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start_at(&sandbox, Arc::new(testing::home())).await;
    // Seen and not sent: what matters here is that each is known.
    test.link(&sandbox, Mode::Monitor).await;
    test.until_ready().await;
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let store = test.systems.services.store().clone();
    let hold = move |_: &crate::store::Change<'_>| {
        let _ = wait.recv();
        Ok(())
    };
    let held = tokio::spawn(async move { store.write(hold).await });
    let (main, people) = (sandbox.main_guild(), sandbox.people());
    let victims: Vec<u64> = (0..2_500).map(|_| sandbox.stranger()).collect();
    for victim in &victims {
        people.ban(main, sandbox.moderator(), *victim, None).unwrap();
    }
    until_handed_on(&sandbox).await;
    go_on.send(()).unwrap();
    held.await.unwrap().unwrap();
    let count = victims.len();
    test.until("all", move |view| view.punishments(None, None, None, 5_000).unwrap().len() >= count).await;
    assert!(test.alerts().await.contains(&"event_gap".to_owned()));
    test.until_worked_off().await;
    let all = test.read(|view| view.punishments(None, None, None, 5_000).unwrap()).await;
    assert_eq!(all.len(), count, "each once");
}

#[tokio::test]
async fn a_raid_shares_commits() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start_at(&sandbox, Arc::new(testing::home())).await;
    test.link(&sandbox, Mode::Monitor).await;
    test.until_ready().await;
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let store = test.systems.services.store().clone();
    let hold = move |_: &crate::store::Change<'_>| {
        let _ = wait.recv();
        Ok(())
    };
    let held = tokio::spawn(async move { store.write(hold).await });
    let (main, people) = (sandbox.main_guild(), sandbox.people());
    for _ in 0..100 {
        people.ban(main, sandbox.moderator(), sandbox.stranger(), None).unwrap();
    }
    until_handed_on(&sandbox).await;
    go_on.send(()).unwrap();
    held.await.unwrap().unwrap();
    test.until("all", move |view| view.punishments(None, None, None, 500).unwrap().len() >= 100).await;
    let all = test.read(|view| view.punishments(None, None, None, 500).unwrap()).await;
    // Everything in a commit has its time.
    let commits: std::collections::BTreeSet<_> = all.iter().map(|punishment| punishment.created_at).collect();
    assert!(commits.len() <= 20, "{} commits for {} punishments", commits.len(), all.len());
}
