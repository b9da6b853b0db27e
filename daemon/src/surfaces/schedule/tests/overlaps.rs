//! Punishments that overlap: what the daemon does by itself leaves what lasts longer.

use super::{configure, end, has_role, set_mute_role};
use crate::clock::Clock;
use crate::store::NewPunishment;
use crate::sync::record::{AtOrigin, record};
use crate::testing::{TestDaemon, asked, by_operator, guild, make_second_main, sandbox, user};
use serde_json::{Value, json};
use std::time::Duration;
use wayhaven_sandbox::{At, Fault, Sandbox};
use wayhaven_shared::control::Role;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::punished::Punished;
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin};
use wayhaven_shared::operations::reversal::PunishmentRevert;
use wayhaven_shared::value::{PunishmentId, Timestamp};

const WEEK: Duration = Duration::from_secs(7 * 86_400);

fn ask(operation: &str, whom: u64, span: Option<&str>) -> Value {
    match span {
        Some(span) => {
            json!({ "operation": operation, "arguments": { "user": whom.to_string(), "for": span } })
        }
        None => json!({ "operation": operation, "arguments": { "user": whom.to_string() } }),
    }
}

async fn warn(test: &TestDaemon, of: u64, whom: u64, steps: &str) {
    configure(test, of, "config warnings", json!({ "steps": steps })).await;
    let warn = json!({ "operation": "warn", "arguments": { "user": whom.to_string(), "reason": "spam" } });
    test.punish(of, warn).await;
}

async fn plan(test: &TestDaemon, of: u64, request: Value) -> Punished {
    let request: Request = serde_json::from_value(request).unwrap();
    let asked = by_operator(Role::Owner, Some(of), request);
    let reply = test.ask(crate::invocation::Invocation { dry_run: true, ..asked }).await.unwrap();
    reply.punished().cloned().unwrap()
}

async fn revert(test: &TestDaemon, of: u64, id: PunishmentId) {
    let request = PunishmentRevert { punishments: vec![id], ..PunishmentRevert::default() };
    asked(test, of, request, false).await.unwrap();
    test.settled().await;
}

/// What the report says of what is replaced.
fn replaces(punished: &Punished) -> Option<String> {
    let fields = punished.report().fields;
    fields.into_iter().find(|(name, _)| name == "Replaces").map(|(_, cell)| cell.text.line())
}

/// In how many guilds of the network the user is banned.
fn banned(sandbox: &Sandbox, whom: u64) -> usize {
    let mut guilds = sandbox.children();
    guilds.push(sandbox.main_guild());
    sandbox.banned_in(&guilds, whom)
}

fn until(sandbox: &Sandbox, of: u64, whom: u64) -> Option<Timestamp> {
    serde_json::from_value(sandbox.member(of, whom)["communication_disabled_until"].clone()).unwrap()
}

fn joined(sandbox: &Sandbox, guilds: &[u64]) -> u64 {
    let whom = sandbox.stranger();
    for of in guilds {
        sandbox.people().had_joined(*of, whom).unwrap();
    }
    whom
}

async fn expired(test: &TestDaemon, id: PunishmentId) {
    test.until("its end", move |view| view.punishment(id).unwrap().unwrap().status == "expired").await;
    test.settled().await;
}

/// Of what follows a warning: that it is not carried out anywhere, and why.
async fn kept(test: &TestDaemon, id: PunishmentId, children: usize, because: PunishmentId) {
    test.until_counted(id, DeliveryState::Skipped, children).await;
    let origin = test.read(move |view| view.origin_of(id).unwrap().unwrap()).await;
    assert_eq!(origin.state, DeliveryState::Skipped);
    let why = origin.reason.unwrap();
    assert!(why.starts_with("a longer punishment stands") && why.contains(&format!("#{because} ")), "{why}");
}

#[tokio::test]
async fn an_escalation_leaves_a_ban_by_hand_without_end_also_after_a_restart() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    sandbox.people().ban(main, sandbox.moderator(), victim, Some("for good")).unwrap();
    let by_hand = test.punishment(victim, 1).await;
    test.until_counted(by_hand, DeliveryState::Applied, 2).await;
    warn(&test, main, victim, "1:ban:20s").await;
    let escalation = test.punishment(victim, 3).await;
    kept(&test, escalation, 2, by_hand).await;
    test.settled().await;
    let effects = sandbox.effect_count();
    let home = end(&sandbox, test).await;
    let later = Clock::default();
    later.shift(60_000);
    sandbox.advance(Duration::from_secs(60));
    let test = TestDaemon::start_then(&sandbox, home, later, |_| {}).await;
    test.until_ready().await;
    expired(&test, escalation).await;
    assert_eq!((banned(&sandbox, victim), sandbox.effect_count()), (3, effects));
    assert_eq!(
        test.history(victim).await,
        [
            (Action::Ban, "active".to_owned()),
            (Action::Warn, "active".to_owned()),
            (Action::Ban, "expired".to_owned())
        ]
    );
}

#[tokio::test]
async fn a_longer_ban_that_is_reverted_hands_over_to_the_escalation_with_its_remaining_end() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, by_hand, by_command) = (sandbox.main_guild(), sandbox.stranger(), sandbox.stranger());
    sandbox.people().ban(main, sandbox.moderator(), by_hand, None).unwrap();
    test.punishment(by_hand, 1).await;
    test.ban(main, by_command).await;
    test.settled().await;
    for victim in [by_hand, by_command] {
        let longer = test.punishment(victim, 1).await;
        warn(&test, main, victim, "1:ban:1h").await;
        let shorter = test.punishment(victim, 3).await;
        kept(&test, shorter, 2, longer).await;
        revert(&test, main, longer).await;
        assert_eq!(banned(&sandbox, victim), 3, "the shorter one has taken over");
    }
    test.advance(&sandbox, "2h").await;
    for victim in [by_hand, by_command] {
        let unban = test.punishment(victim, 4).await;
        test.until_counted(unban, DeliveryState::Applied, 2).await;
        test.settled().await;
        assert_eq!(banned(&sandbox, victim), 0);
    }
}

#[tokio::test]
async fn an_escalation_that_lasts_longer_is_carried_out_and_outlives_the_shorter_one() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    test.punish(main, ask("ban", victim, Some("1h"))).await;
    test.settled().await;
    let short = test.punishment(victim, 1).await;
    warn(&test, main, victim, "1:ban:1d").await;
    let long = test.punishment(victim, 3).await;
    test.until_counted(long, DeliveryState::Applied, 2).await;
    test.advance(&sandbox, "2h").await;
    expired(&test, short).await;
    assert_eq!(banned(&sandbox, victim), 3);
    test.advance(&sandbox, "1d").await;
    let unban = test.punishment(victim, 4).await;
    test.until_counted(unban, DeliveryState::Applied, 2).await;
    test.settled().await;
    assert_eq!(banned(&sandbox, victim), 0);
}

#[tokio::test]
async fn a_shorter_ban_that_is_asked_for_replaces_a_longer_one_and_says_so() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    sandbox.people().ban(main, sandbox.moderator(), victim, None).unwrap();
    let by_hand = test.punishment(victim, 1).await;
    test.settled().await;
    let foreseen = plan(&test, main, ask("ban", victim, Some("1h"))).await;
    let words = replaces(&foreseen).unwrap();
    assert!(words.starts_with(&format!("#{by_hand} (ban without end): the ban would end at ")), "{words}");
    assert_eq!(test.history(victim).await, [(Action::Ban, "active".to_owned())], "a plan changes nothing");
    let done = test.punish(main, ask("ban", victim, Some("1h"))).await;
    let end = done.punishment.as_ref().unwrap().expires_at.unwrap();
    assert_eq!(replaces(&done), Some(format!("#{by_hand} (ban without end): the ban now ends at {end}")));
    assert_eq!(replaces(&test.punish(main, ask("ban", victim, Some("2h"))).await), None, "a longer one");
    test.settled().await;
    test.advance(&sandbox, "3h").await;
    let unban = test.punishment(victim, 4).await;
    test.until_counted(unban, DeliveryState::Applied, 2).await;
    test.settled().await;
    assert_eq!(banned(&sandbox, victim), 0, "also the ban that was made by hand");
}

#[tokio::test]
async fn a_replaced_ban_stands_again_once_the_shorter_one_is_reverted() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    let forever = test.ban(main, victim).await;
    let hour = test.punish(main, ask("ban", victim, Some("1h"))).await.punishment.unwrap().id;
    let minute = test.punish(main, ask("ban", victim, Some("1m"))).await.punishment.unwrap().id;
    test.settled().await;
    // Of a chain the one in the middle is gone: the first is still replaced by the last.
    revert(&test, main, hour).await;
    let statuses: Vec<_> = test.history(victim).await.into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses, ["superseded", "reversed", "active"]);
    let plan = PunishmentRevert { punishments: vec![minute], ..PunishmentRevert::default() };
    assert_eq!(asked(&test, main, plan, true).await.unwrap().one_of_several, 1);
    revert(&test, main, minute).await;
    let stands = test.read(move |view| view.punishment(forever).unwrap().unwrap().status).await;
    assert_eq!((stands.as_str(), banned(&sandbox, victim)), ("active", 2));
    test.advance(&sandbox, "2h").await;
    test.settled().await;
    assert_eq!(banned(&sandbox, victim), 2);
    revert(&test, main, forever).await;
    assert_eq!(banned(&sandbox, victim), 0);
}

#[tokio::test]
async fn a_mute_without_end_outlives_an_escalation_and_is_replaced_on_request_alone() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let roles = [
        (main, set_mute_role(&test, &sandbox, main).await),
        (child, set_mute_role(&test, &sandbox, child).await),
    ];
    let victim = joined(&sandbox, &[main, child]);
    let muted = || roles.iter().filter(|(of, role)| has_role(&sandbox, *of, victim, *role)).count();
    let forever = test.punish(main, ask("mute", victim, None)).await.punishment.unwrap().id;
    test.settled().await;
    warn(&test, main, victim, "1:mute:1m").await;
    let escalation = test.punishment(victim, 3).await;
    kept(&test, escalation, 1, forever).await;
    test.advance(&sandbox, "2m").await;
    expired(&test, escalation).await;
    assert_eq!(muted(), 2);
    let done = test.punish(main, ask("mute", victim, Some("1m"))).await;
    assert!(replaces(&done).unwrap().starts_with(&format!("#{forever} (mute without end)")));
    test.settled().await;
    test.advance(&sandbox, "2m").await;
    test.until_counted(test.punishment(victim, 5).await, DeliveryState::Applied, 1).await;
    test.settled().await;
    assert_eq!(muted(), 0);
}

#[tokio::test]
async fn an_escalation_cuts_no_longer_timeout_whoever_has_made_it() {
    let sandbox = sandbox(1).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    // Nobody has told Wayhaven of this one.
    let before = joined(&sandbox, &[main, child]);
    for of in [main, child] {
        sandbox.people().timeout(of, sandbox.owner(), before, Some(WEEK), None).unwrap();
    }
    let test = TestDaemon::start(&sandbox).await;
    let [by_command, by_hand] = [joined(&sandbox, &[main, child]), joined(&sandbox, &[main, child])];
    test.punish(main, ask("timeout", by_command, Some("7d"))).await;
    sandbox.people().timeout(main, sandbox.moderator(), by_hand, Some(WEEK), None).unwrap();
    test.punishment(by_hand, 1).await;
    test.settled().await;
    for (victim, earlier) in [(by_command, 1), (by_hand, 1), (before, 0)] {
        let ends = [until(&sandbox, main, victim), until(&sandbox, child, victim)];
        assert!(ends.iter().all(Option::is_some), "{ends:?}");
        warn(&test, main, victim, "1:timeout:1m").await;
        let escalation = test.punishment(victim, earlier + 2).await;
        test.until_counted(escalation, DeliveryState::Skipped, 1).await;
        test.settled().await;
        assert_eq!([until(&sandbox, main, victim), until(&sandbox, child, victim)], ends);
        let why = test.delivery(escalation, child).await.reason.unwrap();
        assert!(why.starts_with("a longer punishment stands"), "{why}");
    }
}

#[tokio::test]
async fn a_longer_timeout_that_is_reverted_hands_over_to_the_shorter_one_until_its_end() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let victim = joined(&sandbox, &[main, child]);
    sandbox.people().timeout(main, sandbox.moderator(), victim, Some(WEEK), None).unwrap();
    let longer = test.punishment(victim, 1).await;
    test.settled().await;
    warn(&test, main, victim, "1:timeout:1h").await;
    let shorter = test.punishment(victim, 3).await;
    kept(&test, shorter, 1, longer).await;
    test.settled().await;
    let end = test.read(move |view| view.punishment(shorter).unwrap().unwrap().expires_at).await;
    revert(&test, main, longer).await;
    assert_eq!([until(&sandbox, main, victim), until(&sandbox, child, victim)], [end, end]);
}

#[tokio::test]
async fn a_timeout_that_a_childs_own_staff_made_is_not_cut_by_the_main() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let victim = joined(&sandbox, &[main, child]);
    sandbox.people().timeout(child, sandbox.child_moderator(child), victim, Some(WEEK), None).unwrap();
    test.until("the child's own timeout", move |view| {
        view.is_done_locally(guild(child), user(victim), Action::Timeout).unwrap()
    })
    .await;
    let theirs = until(&sandbox, child, victim);
    let id = test.punish(main, ask("timeout", victim, Some("1h"))).await.punishment.unwrap().id;
    test.until_counted(id, DeliveryState::Skipped, 1).await;
    test.settled().await;
    assert_eq!(until(&sandbox, child, victim), theirs);
    assert!(until(&sandbox, main, victim) < theirs && until(&sandbox, main, victim).is_some());
}

#[tokio::test]
async fn of_two_mains_the_longer_timeout_stands_and_hands_over_when_it_is_taken_back() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (first, shared, second) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    make_second_main(&test, first, second, shared).await;
    let guilds = [first, second, shared];
    // The longer one comes first, or last.
    for longer_first in [true, false] {
        let victim = joined(&sandbox, &guilds);
        let spans = if longer_first { ["7d", "1h"] } else { ["1h", "7d"] };
        let mut made = Vec::new();
        for (main, span) in [first, second].into_iter().zip(spans) {
            made.push(test.punish(main, ask("timeout", victim, Some(span))).await.punishment.unwrap());
            test.settled().await;
        }
        let (longer, shorter) = if longer_first { (&made[0], &made[1]) } else { (&made[1], &made[0]) };
        let near = |end: Option<Timestamp>, of: &wayhaven_shared::operations::punishment::Punishment| {
            end.unwrap().millis().abs_diff(of.expires_at.unwrap().millis()) < 2_000
        };
        assert!(near(until(&sandbox, shared, victim), longer), "longer first: {longer_first}");
        revert(&test, longer.guild_id.get(), longer.id).await;
        assert!(near(until(&sandbox, shared, victim), shorter), "longer first: {longer_first}");
        revert(&test, shorter.guild_id.get(), shorter.id).await;
        assert_eq!(until(&sandbox, shared, victim), None);
    }
}

#[tokio::test]
async fn an_end_lifts_no_ban_that_was_there_before_or_was_taken_over_by_an_import() {
    let sandbox = sandbox(1).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let [before, imported] = [sandbox.stranger(), sandbox.stranger()];
    for whom in [before, imported] {
        sandbox.people().ban(main, sandbox.owner(), whom, Some("long ago")).unwrap();
    }
    let test = TestDaemon::start(&sandbox).await;
    test.punish(main, ask("ban", before, Some("1h"))).await;
    // As an import takes over what the main has banned by itself.
    let end = Timestamp::from_millis(test.systems.services.clock().now().millis() + 3_600_000);
    let mut new = NewPunishment::new(guild(main), user(imported), Action::Ban, Origin::Import);
    new.expires_at = Some(end);
    test.systems
        .services
        .store()
        .write(move |change| Ok(record(change, &new, AtOrigin::Done)?))
        .await
        .unwrap();
    test.settled().await;
    assert_eq!((banned(&sandbox, before), banned(&sandbox, imported)), (2, 2));
    test.advance(&sandbox, "2h").await;
    for whom in [before, imported] {
        let unban = test.punishment(whom, 2).await;
        test.until_counted(unban, DeliveryState::Applied, 1).await;
        test.settled().await;
        assert!(sandbox.is_banned(main, whom) && !sandbox.is_banned(child, whom));
        let origin = test.read(move |view| view.origin_of(unban).unwrap().unwrap()).await;
        assert_eq!(origin.reason.as_deref(), Some("they were banned there already, not by Wayhaven"));
    }
}

#[tokio::test]
async fn a_ban_of_ours_ends_in_a_main_that_does_not_show_its_log() {
    let sandbox = sandbox(1).await;
    let main = sandbox.main_guild();
    let bits = wayhaven_sandbox::permissions::LEAST_FOR_BOT & !wayhaven_sandbox::permissions::VIEW_AUDIT_LOG;
    sandbox.people().set_bot_permissions(main, bits).unwrap();
    let test = TestDaemon::start(&sandbox).await;
    let victim = sandbox.stranger();
    test.punish(main, ask("ban", victim, Some("1h"))).await;
    test.settled().await;
    test.advance(&sandbox, "2h").await;
    test.until_counted(test.punishment(victim, 2).await, DeliveryState::Applied, 1).await;
    test.settled().await;
    assert_eq!(banned(&sandbox, victim), 0);
}

#[tokio::test]
async fn a_timeout_that_only_discord_knows_is_cut_short_on_request_and_the_answer_says_so() {
    let sandbox = sandbox(1).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    sandbox.people().had_joined(main, victim).unwrap();
    sandbox.people().timeout(main, sandbox.moderator(), victim, Some(WEEK), None).unwrap();
    let test = TestDaemon::start(&sandbox).await;
    for done in [
        plan(&test, main, ask("timeout", victim, Some("1h"))).await,
        test.punish(main, ask("timeout", victim, Some("1h"))).await,
    ] {
        assert!(done.cuts_short.is_some(), "{done:?}");
        let words = format!("{:?}", done.report());
        assert!(words.contains("early: it was to last until "), "{words}");
    }
    let longer = test.punish(main, ask("timeout", victim, Some("14d"))).await;
    assert_eq!(longer.cuts_short, None);
}

#[tokio::test]
async fn a_ban_that_only_discord_knows_outlives_a_shorter_one() {
    let sandbox = sandbox(1).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    sandbox.people().ban(main, sandbox.moderator(), victim, None).unwrap();
    let test = TestDaemon::start(&sandbox).await;
    let id = test.punish(main, ask("ban", victim, Some("1h"))).await.punishment.unwrap().id;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    test.settled().await;
    test.advance(&sandbox, "2h").await;
    test.until("its end", move |view| view.punishment(id).unwrap().unwrap().status != "active").await;
    test.settled().await;
    assert!(sandbox.is_banned(main, victim));
}

#[tokio::test]
async fn a_timeout_is_stored_before_discord_has_said_what_it_cuts_short() {
    let sandbox = sandbox(1).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    sandbox.people().had_joined(main, victim).unwrap();
    let test = TestDaemon::start(&sandbox).await;
    sandbox.inject(Fault::Hang { at: At::route("GET", "/guilds/{guild_id}/members/{user_id}") });
    let asked = test.systems.services.clock().now();
    let done = test.punish(main, ask("timeout", victim, Some("1h"))).await;
    assert!(test.systems.services.clock().now().millis() - asked.millis() >= 2_000, "the answer waits");
    let stored = done.punishment.unwrap().created_at;
    assert!(stored.millis() - asked.millis() < 1_900, "{asked} {stored}");
}
