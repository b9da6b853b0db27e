//! What a main could not do itself: its children do not get it as if it had been done.

use crate::store::{AlertFilter, Settlement, View};
use crate::testing::{TestDaemon, asked, by_operator, guild, sandbox, user};
use serde_json::{Value, json};
use wayhaven_sandbox::{At, Fault, Sandbox, permissions};
use wayhaven_shared::FaultKind;
use wayhaven_shared::control::Role;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::hold::{Hold, HoldKind, SyncApprove, SyncDiscard, SyncHolds};
use wayhaven_shared::operations::punishment::{Action, DeliveryState, OriginOutcome};
use wayhaven_shared::operations::reversal::PunishmentRevert;
use wayhaven_shared::operations::setup::{Mode, SetupAccept};
use wayhaven_shared::value::PunishmentId;

const BAN: &str = "/guilds/{guild_id}/bans/{user_id}";

/// A user that Discord does not know.
const NOBODY: u64 = 424_242_424_242;

async fn origin(test: &TestDaemon, id: PunishmentId) -> OriginOutcome {
    let one = test.read(move |view| view.origin_of(id).unwrap().unwrap()).await;
    OriginOutcome { guild_id: one.guild_id, state: one.state, reason: one.reason }
}

async fn status(test: &TestDaemon, id: PunishmentId) -> String {
    test.read(move |view| view.punishment(id).unwrap().unwrap().status).await
}

async fn holds(test: &TestDaemon, main: u64) -> Vec<Hold> {
    asked(test, main, SyncHolds {}, false).await.unwrap().holds
}

/// How many requests for the user have come to a guild.
fn asked_for(sandbox: &Sandbox, of: u64, whom: u64) -> usize {
    sandbox.read(|world| {
        let log = world.log.entries();
        log.iter()
            .filter(|entry| entry.effect && entry.guild == Some(of) && entry.users().contains(&whom))
            .count()
    })
}

/// Somebody in the main whom the bot cannot punish there, and who ranks nowhere else. To be called before the daemon starts:
/// an event about roles has what is blocked tried again.
fn ranked(sandbox: &Sandbox) -> u64 {
    let main = sandbox.main_guild();
    sandbox.people().move_role(main, sandbox.role(main, "Moderator"), 9).unwrap();
    sandbox.moderator()
}

fn request(operation: &str, whom: u64) -> Value {
    json!({ "operation": operation, "arguments": { "user": whom.to_string() } })
}

#[tokio::test]
async fn what_discord_would_answer_with_no_member_is_refused_for_a_user_whom_it_does_not_know() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    super::hand::set_mute_roles(&sandbox, &test).await;
    for (operation, more) in [("warn", "reason"), ("kick", ""), ("mute", ""), ("timeout", "for")] {
        for dry_run in [false, true] {
            let mut whole = request(operation, NOBODY);
            match more {
                "reason" => whole["arguments"]["reason"] = "spam".into(),
                "for" => whole["arguments"]["for"] = "1h".into(),
                _ => {}
            }
            let mut invocation = by_operator(Role::Owner, Some(main), serde_json::from_value(whole).unwrap());
            invocation.dry_run = dry_run;
            let fault = test.ask(invocation).await.unwrap_err();
            assert_eq!(fault.kind, FaultKind::NotFound, "{operation}: {fault}");
            assert!(fault.message.contains(&NOBODY.to_string()) && !fault.hints.is_empty(), "{fault}");
        }
        // A user who is no member of anything is one all the same.
        let stranger = sandbox.stranger();
        if operation == "warn" {
            let warned = json!({ "operation": "warn", "arguments": { "user": stranger.to_string(), "reason": "spam" } });
            test.punish(main, warned).await;
        }
    }
    let punished =
        test.read(|view| view.punishments(None, Some(user(NOBODY)), None, 50).unwrap().len()).await;
    assert_eq!(punished, 0);
}

#[tokio::test]
async fn a_user_whom_discord_does_not_know_is_punished_nowhere_and_never() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    for span in [None, Some("1h")] {
        let mut arguments = json!({ "user": NOBODY.to_string() });
        if let Some(span) = span {
            arguments["for"] = span.into();
        }
        let asked = test.punish(main, json!({ "operation": "ban", "arguments": arguments })).await;
        let id = asked.punishment.unwrap().id;
        // The second one begins once the first has failed: it would take the place of what is open.
        test.until_counted(id, DeliveryState::Failed, 2).await;
        assert_eq!(status(&test, id).await, "failed");
        let outcome = origin(&test, id).await;
        assert_eq!(
            (outcome.state, outcome.reason.as_deref()),
            (DeliveryState::Failed, Some("404 Discord knows no such user"))
        );
    }
    test.settled().await;
    for child in &children {
        assert_eq!(asked_for(&sandbox, *child, NOBODY), 0, "no child is asked");
    }
    let unfinished = test.read(|view| view.unfinished_by_guild(None).unwrap().len()).await;
    assert_eq!(unfinished, 0, "no guild is unwell because of it");
    // Nothing applies it later: no comparison, no retry, no new link, no end.
    let reconcile = json!({"operation": "sync reconcile", "arguments": {"apply": true}});
    test.ask(by_operator(Role::Owner, Some(main), serde_json::from_value(reconcile).unwrap())).await.unwrap();
    let child = children[0];
    let relink = test.systems.services.store().write(move |change| {
        let link = change.link(guild(main), guild(child))?.unwrap();
        change.close_link(link.id, guild(main), guild(child))?;
        Ok(change.activate_link(guild(main), guild(child), Mode::Active)?)
    });
    relink.await.unwrap();
    test.settled().await;
    test.advance(&sandbox, "2h").await;
    test.settled().await;
    let (wanted, causes) = test
        .read(move |view| {
            let (main, whom) = (guild(main), user(NOBODY));
            let wanted = view.decided_for((main, guild(child)), Action::Ban, whom, view.now()).unwrap();
            (wanted, view.causes(main, whom, Action::Ban, view.now()).unwrap())
        })
        .await;
    assert_eq!((wanted, causes), (None, Vec::new()));
    assert_eq!(test.history(NOBODY).await.len(), 2, "no undo was made at the end");
    for child in children {
        assert_eq!(asked_for(&sandbox, child, NOBODY), 0);
    }
}

#[tokio::test]
async fn what_the_main_refuses_is_held_until_somebody_approves_or_discards_it() {
    for approve in [true, false] {
        let sandbox = sandbox(2).await;
        let whom = ranked(&sandbox);
        let test = TestDaemon::start(&sandbox).await;
        let (main, children) = (sandbox.main_guild(), sandbox.children());
        let id = test.ban(main, whom).await;
        test.until_counted(id, DeliveryState::Held, 2).await;
        test.settled().await;
        assert_eq!(origin(&test, id).await.state, DeliveryState::Blocked);
        assert_eq!(sandbox.banned_in(&children, whom), 0);
        let shown = holds(&test, main).await;
        assert_eq!((shown.len(), shown[0].kind, shown[0].deliveries), (1, HoldKind::Refused, 2));
        let alerts = test.alerts().await;
        assert!(alerts.contains(&"origin_refused".to_owned()), "{alerts:?}");
        let told = test.told().await;
        let details = told.into_iter().find_map(|change| match change {
            wayhaven_shared::event::Change::Alert { kind, details, .. } if kind == "origin_refused" => {
                Some(details.line())
            }
            _ => None,
        });
        let (details, hold) = (details.unwrap(), shown[0].id);
        for part in ["ranks above the bot", &format!("wayhaven sync approve {hold} --guild {main}")] {
            assert!(details.contains(part), "{details}");
        }
        match approve {
            true => {
                drop(asked(&test, main, SyncApprove { id: Some(hold), all: false }, false).await.unwrap())
            }
            false => {
                drop(asked(&test, main, SyncDiscard { id: Some(hold), all: false }, false).await.unwrap())
            }
        }
        test.settled().await;
        assert_eq!(sandbox.banned_in(&children, whom), if approve { 2 } else { 0 });
        assert!(holds(&test, main).await.is_empty());
        let open = test.read(|view| view.open_alerts(None).unwrap()).await;
        assert_eq!(open, 1, "only that the delivery in the main is blocked");
        // Mended, the main does it; what was discarded for the children stays so.
        sandbox.people().move_role(main, sandbox.role(main, "Moderator"), 1).unwrap();
        test.until("the main's own ban", move |view| {
            view.origin_of(id).unwrap().unwrap().state == DeliveryState::Applied
        })
        .await;
        test.settled().await;
        assert!(sandbox.is_banned(main, whom));
        assert_eq!(sandbox.banned_in(&children, whom), if approve { 2 } else { 0 });
    }
}

#[tokio::test]
async fn what_the_main_refused_goes_on_by_itself_once_it_is_done_there_and_others_stay_held() {
    let sandbox = sandbox(2).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    let (freed, ranked) = (sandbox.stranger(), ranked(&sandbox));
    sandbox.people().set_bot_permissions(main, permissions::VIEW_CHANNEL).unwrap();
    let test = TestDaemon::start(&sandbox).await;
    let ids = [test.ban(main, freed).await, test.ban(main, ranked).await];
    for id in ids {
        test.until_counted(id, DeliveryState::Held, 2).await;
    }
    assert_eq!(holds(&test, main).await.len(), 1, "one hold for what one moderator decided");
    let home = test.home();
    drop(test);
    let test = TestDaemon::start_at(&sandbox, home).await;
    test.until_ready().await;
    test.settled().await;
    for id in ids {
        test.until_counted(id, DeliveryState::Held, 2).await;
    }
    let bits = permissions::BAN_MEMBERS | permissions::VIEW_AUDIT_LOG | permissions::VIEW_CHANNEL;
    sandbox.people().set_bot_permissions(main, bits).unwrap();
    test.until_counted(ids[0], DeliveryState::Applied, 2).await;
    test.settled().await;
    assert_eq!((sandbox.banned_in(&children, freed), sandbox.banned_in(&children, ranked)), (2, 0));
    assert_eq!(holds(&test, main).await[0].users, 1);
}

#[tokio::test]
async fn every_measure_waits_for_the_main() {
    let sandbox = sandbox(1).await;
    let whom = ranked(&sandbox);
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    if !sandbox.is_member(child, whom) {
        sandbox.people().had_joined(child, whom).unwrap();
    }
    let timeout = json!({"operation": "timeout", "arguments": {"user": whom.to_string(), "for": "1h"}});
    for asked in [timeout, request("kick", whom), request("ban", whom)] {
        let id = test.punish(main, asked.clone()).await.punishment.unwrap().id;
        test.until_counted(id, DeliveryState::Held, 1).await;
        test.settled().await;
        assert_eq!(sandbox.effects_in(child).len(), 0, "{asked}");
    }
}

#[tokio::test]
async fn trouble_in_the_main_that_passes_delays_no_child() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    let stumbles = |status| Fault::Answer {
        at: At::route("PUT", BAN).guild(main),
        status,
        code: 0,
        message: String::new(),
    };
    let mut victims = Vec::new();
    for fault in [stumbles(502), Fault::CutBefore { at: At::route("PUT", BAN).guild(main) }] {
        let (fault, victim) = (sandbox.inject(fault), sandbox.stranger());
        let id = test.ban(main, victim).await;
        test.until_counted(id, DeliveryState::Applied, 2).await;
        assert!(!origin(&test, id).await.state.is_final());
        sandbox.clear(fault);
        victims.push(victim);
    }
    sandbox.people().outage(main).unwrap();
    let systems = std::sync::Arc::clone(&test.systems);
    test.until("the outage is known", move |_| {
        systems.services.directory().presence(guild(main))
            == Some(crate::discord::directory::Presence::Outage)
    })
    .await;
    let victim = sandbox.stranger();
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 2).await;
    sandbox.people().restore(main).unwrap();
    test.until("the main's own ban", move |view| {
        view.origin_of(id).unwrap().unwrap().state == DeliveryState::Applied
    })
    .await;
    victims.push(victim);
    for victim in victims {
        assert_eq!(sandbox.banned_in(&children, victim), 2);
    }
}

#[tokio::test]
async fn a_daemon_that_dies_before_the_main_has_answered_asks_the_main_first() {
    let sandbox = sandbox(2).await;
    let whom = ranked(&sandbox);
    let test = TestDaemon::start(&sandbox).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    let at = At::route("PUT", BAN).guild(main);
    let hangs = sandbox.inject(Fault::Hang { at });
    let other = sandbox.stranger();
    let ids = [test.ban(main, whom).await, test.ban(main, NOBODY).await, test.ban(main, other).await];
    for id in ids {
        test.until_counted(id, DeliveryState::Pending, 2).await;
    }
    let home = test.home();
    drop(test);
    sandbox.clear(hangs);
    let test = TestDaemon::start_at(&sandbox, home).await;
    test.until_counted(ids[0], DeliveryState::Held, 2).await;
    test.until_counted(ids[1], DeliveryState::Failed, 2).await;
    test.until_counted(ids[2], DeliveryState::Applied, 2).await;
    assert_eq!((sandbox.banned_in(&children, whom), sandbox.banned_in(&children, other)), (0, 2));
    for child in children {
        assert_eq!(asked_for(&sandbox, child, NOBODY) + asked_for(&sandbox, child, whom), 0);
    }
}

#[tokio::test]
async fn what_the_main_refused_waits_also_in_a_child_that_is_linked_later() {
    let sandbox = sandbox(1).await;
    let whom = ranked(&sandbox);
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    test.propose(main, child).await;
    let id = test.ban(main, whom).await;
    test.until("the refusal", move |view| {
        view.origin_of(id).unwrap().unwrap().state == DeliveryState::Blocked
    })
    .await;
    let accept = SetupAccept { main: guild(main), no_backfill: false };
    asked(&test, child, accept, false).await.unwrap();
    test.until_counted(id, DeliveryState::Held, 1).await;
    test.settled().await;
    assert!(!sandbox.is_banned(child, whom));
    sandbox.people().move_role(main, sandbox.role(main, "Moderator"), 1).unwrap();
    test.until_counted(id, DeliveryState::Applied, 1).await;
    assert!(sandbox.is_banned(child, whom));
}

#[tokio::test]
async fn a_plan_says_that_the_children_would_wait() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    sandbox.people().set_bot_permissions(main, permissions::VIEW_CHANNEL).unwrap();
    let first: Request = serde_json::from_value(request("ban", sandbox.stranger())).unwrap();
    let asked = by_operator(Role::Owner, Some(main), first);
    let systems = std::sync::Arc::clone(&test.systems);
    test.until("the loss", move |_| {
        systems.services.directory().may(guild(main), Action::Ban) == Some(false)
    })
    .await;
    let plan = test.ask(crate::invocation::Invocation { dry_run: true, ..asked }).await.unwrap();
    let plan = plan.punished().cloned().unwrap();
    assert_eq!((plan.origin.state, plan.plan[0].state), (DeliveryState::Blocked, DeliveryState::Held));
    assert_eq!(plan.plan[0].reason.as_deref(), Some("the main could not do it itself"));
    assert!(plan.report().fields.iter().any(|(name, _)| name == "Here"));
}

#[tokio::test]
async fn a_refusal_that_follows_on_passing_trouble_holds_what_has_not_left_by_then() {
    let sandbox = sandbox(2).await;
    let whom = ranked(&sandbox);
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    sandbox.people().set_bot_permissions(children[1], permissions::VIEW_CHANNEL).unwrap();
    let test = TestDaemon::start(&sandbox).await;
    let stumbles = sandbox.inject(Fault::Answer {
        at: At::route("PUT", BAN).guild(main),
        status: 502,
        code: 0,
        message: String::new(),
    });
    let id = test.ban(main, whom).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    test.until_counted(id, DeliveryState::Blocked, 1).await;
    sandbox.clear(stumbles);
    test.until_counted(id, DeliveryState::Held, 1).await;
    let bits = permissions::BAN_MEMBERS | permissions::VIEW_AUDIT_LOG | permissions::VIEW_CHANNEL;
    sandbox.people().set_bot_permissions(children[1], bits).unwrap();
    test.settled().await;
    assert_eq!((sandbox.banned_in(&children, whom), sandbox.is_banned(main, whom)), (1, false));
    let shown = holds(&test, main).await;
    assert_eq!((shown.len(), shown[0].kind, shown[0].deliveries), (1, HoldKind::Refused, 1));
    let told = test.told().await.into_iter().find_map(|change| match change {
        wayhaven_shared::event::Change::Alert { kind, details, .. } if kind == "origin_refused" => {
            Some(details.line())
        }
        _ => None,
    });
    assert!(told.unwrap().contains("1 deliveries to children had been sent before Discord refused it"));
    drop(asked(&test, main, SyncApprove { id: Some(shown[0].id), all: false }, false).await.unwrap());
    test.settled().await;
    assert_eq!(
        sandbox.banned_in(&children, whom),
        2,
        "the decision counts, whatever the main answers after it"
    );
}

#[tokio::test]
async fn what_the_main_refused_goes_on_once_its_staff_do_it_by_hand_and_stays_when_that_is_reverted() {
    let sandbox = sandbox(2).await;
    let whom = ranked(&sandbox);
    let test = TestDaemon::start(&sandbox).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    let asked_for = test.ban(main, whom).await;
    test.until_counted(asked_for, DeliveryState::Held, 2).await;
    sandbox.people().ban(main, sandbox.owner(), whom, None).unwrap();
    let hand = test.punishment(whom, 2).await;
    test.until_counted(hand, DeliveryState::Applied, 2).await;
    test.settled().await;
    assert!(holds(&test, main).await.is_empty());
    let open = test.read(|view| view.alerts(&AlertFilter::default(), 10).unwrap()).await;
    let refused: Vec<_> =
        open.iter().filter(|one| one.kind == "origin_refused" && one.resolved.is_none()).collect();
    assert!(refused.is_empty(), "{refused:?}");
    let of_hand = PunishmentRevert { punishments: vec![hand], ..PunishmentRevert::default() };
    asked(&test, main, of_hand, false).await.unwrap();
    test.settled().await;
    assert!(sandbox.is_banned(main, whom), "the other one remains");
    assert_eq!(sandbox.banned_in(&children, whom), 2, "and it counts in the children as well");
}

#[tokio::test]
async fn a_refusal_after_everything_had_left_stays_an_alert_until_the_main_has_done_it() {
    let sandbox = sandbox(1).await;
    let whom = ranked(&sandbox);
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let stumbles = sandbox.inject(Fault::Answer {
        at: At::route("PUT", BAN).guild(main),
        status: 502,
        code: 0,
        message: String::new(),
    });
    let id = test.ban(main, whom).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    sandbox.clear(stumbles);
    test.until("the main's own refusal", move |view| {
        view.origin_of(id).unwrap().unwrap().state == DeliveryState::Blocked
    })
    .await;
    let refused = move |view: &View<'_>| view.has_refused_step(guild(main)).unwrap();
    assert!(test.read(refused).await, "the alert stands on this");
    sandbox.people().move_role(main, sandbox.role(main, "Moderator"), 1).unwrap();
    test.until("the main's own ban", move |view| {
        view.origin_of(id).unwrap().unwrap().state == DeliveryState::Applied
    })
    .await;
    assert!(!test.read(refused).await);
}

#[tokio::test]
async fn once_the_main_has_done_it_a_later_refusal_of_the_same_holds_nothing() {
    let sandbox = sandbox(2).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    let whom = sandbox.stranger();
    for place in [main, children[0], children[1]] {
        sandbox.people().had_joined(place, whom).unwrap();
    }
    sandbox.people().set_bot_permissions(children[1], permissions::VIEW_CHANNEL).unwrap();
    let test = TestDaemon::start(&sandbox).await;
    let at = At::route("PATCH", "/guilds/{guild_id}/members/{user_id}").guild(main);
    let stumbles = sandbox.inject(Fault::Answer { at, status: 502, code: 0, message: String::new() });
    let arguments = json!({ "user": whom.to_string(), "for": "1h" });
    let asked = test.punish(main, json!({ "operation": "timeout", "arguments": arguments })).await;
    let id = asked.punishment.unwrap().id;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    sandbox.clear(stumbles);
    test.until("the main's own timeout", move |view| {
        view.origin_of(id).unwrap().unwrap().state == DeliveryState::Applied
    })
    .await;
    let own = test.read(move |view| view.origin_of(id).unwrap().unwrap().id).await;
    let refuse = move |change: &crate::store::Change<'_>| {
        change.apply_again(own, DeliveryState::Pending, None)?;
        let reason = Some("403 the user ranks above the bot".to_owned());
        let state = DeliveryState::Blocked;
        Ok(change.settle(own, &Settlement { state, reason, attempts: 2, wait: None, was_there: None })?)
    };
    test.systems.services.store().write(refuse).await.unwrap();
    assert_eq!(
        test.delivery(id, children[1]).await.state,
        DeliveryState::Blocked,
        "it waits for its own guild"
    );
    assert!(holds(&test, main).await.is_empty());
}
