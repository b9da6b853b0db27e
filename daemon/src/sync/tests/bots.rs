//! What integrations do, and what is done to bots: the first stays where it was done, of the second only what somebody
//! has approved leaves.

use super::hand::{by_hand, muted, request, set_mute_roles, until_settled};
use crate::testing::{TestDaemon, asked, by_operator, confirmed, guild, sandbox, user};
use serde_json::{Value, json};
use wayhaven_sandbox::{At, EventFate, Fault, FaultId, Options, Sandbox, permissions};
use wayhaven_shared::FaultKind;
use wayhaven_shared::control::Role;
use wayhaven_shared::event::Change;
use wayhaven_shared::operations::audit::AuditEntry;
use wayhaven_shared::operations::hold::{HoldKind, SyncHolds};
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin};
use wayhaven_shared::operations::setup::{Mode, SetupMode};
use wayhaven_shared::operations::{Reply, Request};
use wayhaven_shared::value::HoldId;

const ALL: [Action; 4] = [Action::Ban, Action::Kick, Action::Mute, Action::Timeout];

/// A bot of another maker in the main and in every child, which may do nothing there.
fn old_bot(sandbox: &Sandbox) -> u64 {
    let bot = sandbox.people().invite_other_bot(sandbox.main_guild(), 0).unwrap();
    sandbox.children().into_iter().for_each(|child| sandbox.people().had_joined(child, bot).unwrap());
    bot
}

async fn until_heard(sandbox: &Sandbox, test: &TestDaemon) {
    let marker = sandbox.stranger();
    sandbox.people().ban(sandbox.main_guild(), sandbox.moderator(), marker, None).unwrap();
    until_settled(test, marker, 1).await;
}

async fn count(test: &TestDaemon, of: u64) -> usize {
    test.read(move |view| view.punishments(None, Some(user(of)), None, 50).unwrap().len()).await
}

/// What the audit has of something done to a user by hand: the operation, and its parameters.
async fn audited(test: &TestDaemon, whom: u64) -> Vec<(String, Value)> {
    let about = |entry: &AuditEntry| entry.surface == "gateway" && entry.target == Some(user(whom));
    let rows = test.audit().await.into_iter().rev().filter(about);
    let parameters = |entry: &AuditEntry| {
        let text = serde_json::to_value(&entry.parameters).unwrap();
        let text =
            text.as_str().map_or(text.clone(), |text| serde_json::from_str(text).unwrap_or(Value::Null));
        (entry.operation.clone(), text)
    };
    rows.map(|entry| parameters(&entry)).collect()
}

fn listen_to(test: &TestDaemon, bots: &[u64]) {
    let mut settings = (*test.systems.services.settings()).clone();
    settings.network.bots = bots.iter().copied().map(user).collect();
    test.systems.reload.put(settings);
}

async fn decide(test: &TestDaemon, main: u64, operation: &str, hold: HoldId) -> Reply {
    let arguments = json!({ "id": hold.to_string() });
    let request: Request =
        serde_json::from_value(json!({ "operation": operation, "arguments": arguments })).unwrap();
    test.ask(confirmed(by_operator(Role::Owner, Some(main), request))).await.unwrap()
}

#[tokio::test]
async fn what_an_integration_does_stays_in_the_main_whoever_is_named_and_says_its_kind() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    set_mute_roles(&sandbox, &test).await;
    let (main, child, people) = (sandbox.main_guild(), sandbox.children()[0], sandbox.people());
    for actor in [None, Some(sandbox.owner()), Some(sandbox.moderator())] {
        let victim = sandbox.stranger();
        [main, child].into_iter().for_each(|place| people.had_joined(place, victim).unwrap());
        let role = muted(&sandbox, main);
        people.integration_role(main, "youtube", actor, victim, (role, true)).unwrap();
        people.integration_role(main, "youtube", actor, victim, (role, false)).unwrap();
        people.integration_kick(main, "twitch", actor, victim).unwrap();
        until_heard(&sandbox, &test).await;
        assert_eq!(count(&test, victim).await, 0, "{actor:?}");
        let told = audited(&test, victim).await;
        let kinds: Vec<_> =
            told.iter().map(|(what, how)| (what.as_str(), how["integration"].as_str().unwrap())).collect();
        assert_eq!(kinds, [("mute", "youtube"), ("unmute", "youtube"), ("kick", "twitch")], "{actor:?}");
        assert!(told.iter().all(|(_, how)| how["local"].as_str().unwrap().starts_with("not propagated")));
        assert!(sandbox.is_member(child, victim));
        let contained = |change: &Change| matches!(change, Change::Contained { guild_id, user_id, .. } if (*guild_id, *user_id) == (guild(main), user(victim)));
        assert_eq!(test.told().await.iter().filter(|change| contained(change)).count(), 3);
    }
    assert_eq!(sandbox.effects_in(child).len(), 3, "the markers");
    assert!(test.alerts().await.is_empty());
}

#[tokio::test]
async fn what_an_integration_or_an_application_did_while_nobody_listened_is_told_apart_by_the_log() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, people) = (sandbox.main_guild(), sandbox.children()[0], sandbox.people());
    let victims = [sandbox.stranger(), sandbox.stranger(), sandbox.stranger()];
    for victim in victims {
        [main, child].into_iter().for_each(|place| people.had_joined(place, victim).unwrap());
    }
    let (name, guild, times) = (None, Some(main), None);
    let lost = sandbox.inject(Fault::Events { name, guild, times, fate: EventFate::Drop });
    people.integration_kick(main, "twitch", None, victims[0]).unwrap();
    people.integration_kick(main, "guild_subscription", Some(sandbox.owner()), victims[1]).unwrap();
    people.application_kick(main, victims[2]).unwrap();
    sandbox.clear(lost);
    test.systems.ingest.gaps().catch_up();
    test.systems.ingest.gaps().idle().await;
    for victim in victims {
        assert_eq!((count(&test, victim).await, audited(&test, victim).await.len()), (0, 1));
        assert!(sandbox.is_member(child, victim));
    }
    // What is read once more is told once.
    test.systems.ingest.gaps().catch_up();
    test.systems.ingest.gaps().idle().await;
    assert_eq!(audited(&test, victims[0]).await.len(), 1);
}

#[tokio::test]
async fn something_that_is_no_user_acts_for_nobody() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    [main, child].into_iter().for_each(|place| sandbox.people().had_joined(place, victim).unwrap());
    sandbox.people().application_kick(main, victim).unwrap();
    until_heard(&sandbox, &test).await;
    assert_eq!(count(&test, victim).await, 0);
    assert!(sandbox.is_member(child, victim));
}

#[tokio::test]
async fn a_bot_that_is_kicked_muted_or_timed_out_by_hand_stays_in_the_children() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    set_mute_roles(&sandbox, &test).await;
    let (main, bot) = (sandbox.main_guild(), old_bot(&sandbox));
    let by = sandbox.owner();
    for action in [Action::Timeout, Action::Untimeout, Action::Mute, Action::Unmute, Action::Kick] {
        by_hand(&sandbox, main, by, bot, action).unwrap();
    }
    until_heard(&sandbox, &test).await;
    assert_eq!(count(&test, bot).await, 0);
    let told = audited(&test, bot).await;
    let operations: Vec<_> = told.iter().map(|(operation, _)| operation.as_str()).collect();
    assert_eq!(operations, ["timeout", "untimeout", "mute", "unmute", "kick"]);
    assert!(told.iter().all(|(_, how)| how["local"] == "not propagated: the user is a bot"));
    for child in sandbox.children() {
        assert!(sandbox.is_member(child, bot));
        assert!(sandbox.effects_in(child).iter().all(|effect| effect.user != Some(bot)));
    }
}

#[tokio::test]
async fn a_ban_of_a_bot_by_hand_waits_for_an_approval_whose_commands_are_told() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    for (decision, state) in
        [("sync approve", DeliveryState::Applied), ("sync discard", DeliveryState::Skipped)]
    {
        let bot = old_bot(&sandbox);
        by_hand(&sandbox, main, sandbox.owner(), bot, Action::Ban).unwrap();
        let id = test.punishment(bot, 1).await;
        let stored = test.read(move |view| view.punishment(id).unwrap().unwrap()).await;
        assert_eq!((stored.action, stored.origin), (Action::Ban, Origin::Guild));
        test.until_counted(id, DeliveryState::Held, 2).await;
        test.until_worked_off().await;
        assert_eq!(sandbox.banned_in(&sandbox.children(), bot), 0);
        let holds = test.read(|view| view.open_holds(None).unwrap()).await;
        assert_eq!((holds.len(), holds[0].kind, &holds[0].whom), (1, HoldKind::Bot, &vec![user(bot)]));
        let hold = holds[0].id;
        let alert = test.told().await.into_iter().rev().find_map(|change| match change {
            Change::Alert { kind, details, .. } if kind == "approval_needed" => Some(details),
            _ => None,
        });
        let text = alert.unwrap();
        for command in ["approve", "discard"] {
            let command = format!("wayhaven sync {command} {hold} --guild {main}");
            assert!(text.raw().contains(&command), "{text:?}");
        }
        decide(&test, main, decision, hold).await;
        test.until_counted(id, state, 2).await;
        let banned = if state == DeliveryState::Applied { 2 } else { 0 };
        assert_eq!(sandbox.banned_in(&sandbox.children(), bot), banned);
    }
}

#[tokio::test]
async fn whatever_is_commanded_against_a_bot_waits_and_a_dry_run_says_so() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    set_mute_roles(&sandbox, &test).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    for action in ALL {
        let bot = old_bot(&sandbox);
        let ask = |dry_run| {
            let invocation = by_operator(Role::Owner, Some(main), request(user(bot), action));
            crate::invocation::Invocation { dry_run, ..invocation }
        };
        let plan = test.ask(ask(true)).await.unwrap();
        let plan = &plan.punished().unwrap().plan[0];
        assert_eq!(plan.state, DeliveryState::Held, "{action}");
        let punished = test.ask(ask(false)).await.unwrap();
        let punished = punished.punished().unwrap();
        let (id, hold) = (punished.punishment.as_ref().unwrap().id, punished.hold.unwrap());
        test.until_counted(id, DeliveryState::Held, 1).await;
        test.until_worked_off().await;
        assert!(sandbox.effects_in(child).iter().all(|effect| effect.user != Some(bot)), "{action}");
        decide(&test, main, "sync approve", hold).await;
        test.until_counted(id, DeliveryState::Applied, 1).await;
    }
    // A person is asked for nobody's leave.
    let person = sandbox.stranger();
    let id = test.ban(main, person).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
}

#[tokio::test]
async fn a_bot_that_was_banned_while_no_child_applied_it_waits_when_one_does() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, bot) = (sandbox.main_guild(), sandbox.children()[0], old_bot(&sandbox));
    test.link(&sandbox, Mode::Monitor).await;
    by_hand(&sandbox, main, sandbox.owner(), bot, Action::Ban).unwrap();
    let id = test.punishment(bot, 1).await;
    test.until_counted(id, DeliveryState::Skipped, 1).await;
    test.link(&sandbox, Mode::Active).await;
    // They come back to a child, as whoever is wanted does.
    sandbox.people().leave(child, bot).unwrap();
    sandbox.people().join(child, bot).unwrap();
    test.until_counted(id, DeliveryState::Held, 1).await;
    let holds = test.read(|view| view.open_holds(None).unwrap()).await;
    assert_eq!(holds[0].kind, HoldKind::Bot);
    assert!(!sandbox.is_banned(child, bot));
}

#[tokio::test]
async fn wayhaven_and_the_bots_of_the_settings_are_no_targets_of_any_command() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    set_mute_roles(&sandbox, &test).await;
    let (main, child, bot) = (sandbox.main_guild(), sandbox.children()[0], old_bot(&sandbox));
    listen_to(&test, &[bot]);
    for place in [main, child] {
        for whom in [bot, sandbox.bot_id()] {
            for action in ALL {
                let invocation = by_operator(Role::Owner, Some(place), request(user(whom), action));
                let refused = test.ask(invocation).await.unwrap_err();
                assert_eq!(refused.kind, FaultKind::Denied, "{action} of {whom} in {place}: {refused}");
            }
        }
    }
    assert_eq!((count(&test, bot).await, count(&test, sandbox.bot_id()).await), (0, 0));
    assert_eq!(sandbox.effect_count(), 0);
    // Who is listed no more is a bot like any other.
    listen_to(&test, &[]);
    let id = test.ban(main, bot).await;
    test.until_counted(id, DeliveryState::Held, 1).await;
}

#[tokio::test]
async fn a_listed_bot_that_is_banned_by_hand_stays_in_the_children_whatever_comes_afterwards() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, bot) = (sandbox.main_guild(), sandbox.children()[0], old_bot(&sandbox));
    listen_to(&test, &[bot]);
    by_hand(&sandbox, main, sandbox.owner(), bot, Action::Ban).unwrap();
    let id = test.punishment(bot, 1).await;
    test.until_counted(id, DeliveryState::Skipped, 1).await;
    assert_eq!(test.alerts().await, ["protected_punished"]);
    // Somebody who comes back, and a comparison that is applied, bring nothing about.
    sandbox.people().leave(child, bot).unwrap();
    sandbox.people().join(child, bot).unwrap();
    let arguments = json!({ "apply": true, "child": child.to_string() });
    let request: Request =
        serde_json::from_value(json!({ "operation": "sync reconcile", "arguments": arguments })).unwrap();
    test.ask(confirmed(by_operator(Role::Owner, Some(main), request))).await.unwrap();
    until_heard(&sandbox, &test).await;
    test.settled().await;
    assert!(sandbox.is_member(child, bot) && !sandbox.is_banned(child, bot));
    assert!(sandbox.effects_in(child).iter().all(|effect| effect.user != Some(bot)));
}

#[tokio::test]
async fn a_bot_whose_kick_is_told_without_its_account_is_asked_for_once() {
    let options = Options { children: 1, global_limit: 0, members_intent: false, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let bots = [old_bot(&sandbox), old_bot(&sandbox)];
    for bot in bots {
        by_hand(&sandbox, main, sandbox.owner(), bot, Action::Timeout).unwrap();
        by_hand(&sandbox, main, sandbox.owner(), bot, Action::Kick).unwrap();
    }
    until_heard(&sandbox, &test).await;
    for bot in bots {
        assert_eq!(count(&test, bot).await, 0);
        let path = format!("/users/{bot}");
        assert_eq!(sandbox.log().iter().filter(|request| request.path == path).count(), 1);
    }
}

/// No account is told by itself.
fn silent(sandbox: &Sandbox) -> FaultId {
    let at = At::route("GET", "/users/{user_id}");
    sandbox.inject(Fault::Answer { at, status: 500, code: 0, message: String::new() })
}

async fn without_members_intent() -> Sandbox {
    let options = Options { children: 1, global_limit: 0, members_intent: false, ..Options::default() };
    Sandbox::start(options).await.unwrap()
}

#[tokio::test]
async fn what_is_done_by_hand_to_an_account_of_which_discord_does_not_tell_waits_for_a_decision() {
    let sandbox = without_members_intent().await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    silent(&sandbox);
    let at = At::route("GET", "/guilds/{guild_id}/audit-logs");
    sandbox.inject(Fault::Answer { at, status: 500, code: 0, message: String::new() });
    let bot = old_bot(&sandbox);
    by_hand(&sandbox, main, sandbox.owner(), bot, Action::Timeout).unwrap();
    let id = test.punishment(bot, 1).await;
    test.until_counted(id, DeliveryState::Held, 1).await;
    let holds = asked(&test, main, SyncHolds {}, false).await.unwrap().holds;
    assert_eq!((holds.len(), holds[0].kind), (1, HoldKind::Bot));
    assert!(holds[0].kind.why().contains("may be"), "{}", holds[0].kind.why());
    assert!(sandbox.effects_in(child).iter().all(|effect| effect.user != Some(bot)));
    decide(&test, main, "sync approve", holds[0].id).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
}

#[tokio::test]
async fn a_page_of_the_log_tells_of_accounts_that_are_not_told_one_by_one() {
    let sandbox = without_members_intent().await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, bot, person) = (sandbox.main_guild(), old_bot(&sandbox), sandbox.stranger());
    let child = sandbox.children()[0];
    [main, child].into_iter().for_each(|place| sandbox.people().had_joined(place, person).unwrap());
    silent(&sandbox);
    for whom in [bot, person] {
        by_hand(&sandbox, main, sandbox.owner(), whom, Action::Timeout).unwrap();
    }
    let id = test.punishment(person, 1).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    assert_eq!(count(&test, bot).await, 0, "a bot's stays in the main");
}

#[tokio::test]
async fn a_page_of_the_log_tells_also_that_a_bot_did_it() {
    let sandbox = without_members_intent().await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, person) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    [main, child].into_iter().for_each(|place| sandbox.people().had_joined(place, person).unwrap());
    let acting = sandbox.people().invite_other_bot(main, permissions::MODERATE_MEMBERS).unwrap();
    silent(&sandbox);
    by_hand(&sandbox, main, acting, person, Action::Timeout).unwrap();
    until_heard(&sandbox, &test).await;
    assert_eq!(count(&test, person).await, 0, "another bot's deed stays in the main");
}

#[tokio::test]
async fn what_may_be_done_to_a_bot_waits_also_in_a_child_that_begins_to_take_part_later() {
    let sandbox = without_members_intent().await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, bot) = (sandbox.main_guild(), sandbox.children()[0], old_bot(&sandbox));
    let mode = async |mode| {
        let request = SetupMode { child: guild(child), mode, no_backfill: false };
        asked(&test, main, request, false).await.unwrap();
    };
    mode(Mode::Monitor).await;
    silent(&sandbox);
    let at = At::route("GET", "/guilds/{guild_id}/audit-logs");
    sandbox.inject(Fault::Answer { at, status: 500, code: 0, message: String::new() });
    by_hand(&sandbox, main, sandbox.owner(), bot, Action::Timeout).unwrap();
    let id = test.punishment(bot, 1).await;
    test.settled().await;
    mode(Mode::Active).await;
    test.until_counted(id, DeliveryState::Held, 1).await;
    test.settled().await;
    assert!(sandbox.effects_in(child).iter().all(|effect| effect.user != Some(bot)));
}
