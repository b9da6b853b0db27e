//! Telling users, with a real daemon and the sandbox: what they read, what becomes of the punishment, and what a restart
//! makes of a message that was on its way.

mod reach;
mod restarts;
mod trouble;

use crate::testing::{TestDaemon, by_operator, sandbox, user};
use serde_json::Value;
use wayhaven_sandbox::Sandbox;
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::kick::Kick;
use wayhaven_shared::operations::punished::Punished;
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::operations::timeout::Timeout;
use wayhaven_shared::operations::told::{Told, ToldState};
use wayhaven_shared::operations::warn::Warn;
use wayhaven_shared::operations::{Reply, Request};
use wayhaven_shared::value::{PunishmentId, Untrusted};

const OPEN: &str = "/users/@me/channels";
const POST: &str = "/channels/{channel_id}/messages";
const BAN: &str = "/guilds/{guild_id}/bans/{user_id}";

/// A daemon that tells users.
async fn start(sandbox: &Sandbox) -> TestDaemon {
    TestDaemon::start_with(sandbox, |settings| settings.moderation.direct_messages = true).await
}

fn ban(whom: u64) -> Request {
    Ban::new(user(whom)).into()
}

fn kick(whom: u64) -> Request {
    Kick { user: user(whom), reason: None, evidence: None }.into()
}

fn warn(whom: u64) -> Request {
    Warn { user: user(whom), reason: Untrusted::clipped("be kind"), evidence: None }.into()
}

/// What an operator's punishment answers.
async fn asked(test: &TestDaemon, main: u64, request: Request) -> Punished {
    match test.ask(by_operator(Role::Owner, Some(main), request)).await.unwrap() {
        Reply::Ban(done)
        | Reply::Kick(done)
        | Reply::Warn(done)
        | Reply::Unban(done)
        | Reply::Timeout(done) => done,
        other => panic!("{other:?}"),
    }
}

async fn punish(test: &TestDaemon, main: u64, request: Request) -> PunishmentId {
    asked(test, main, request).await.punishment.unwrap().id
}

/// How the user of a punishment was told, once that is known.
async fn told(test: &TestDaemon, id: PunishmentId) -> Told {
    let known =
        move |view: &crate::store::View<'_>| view.told(id).unwrap().is_some_and(|told| !told.is_waiting());
    test.until("whether they were told", known).await;
    test.read(move |view| view.told(id).unwrap().unwrap()).await
}

fn content(message: &Value) -> &str {
    message["content"].as_str().unwrap()
}

/// The places in the log of the requests with this method and route.
fn places(sandbox: &Sandbox, method: &str, route: &str) -> Vec<usize> {
    let log = sandbox.log();
    let is = |(at, one): (usize, &wayhaven_sandbox::Recorded)| {
        (one.method == method && one.route == route).then_some(at)
    };
    log.iter().enumerate().filter_map(is).collect()
}

#[tokio::test]
async fn a_user_reads_once_what_happened_before_it_is_done_anywhere() {
    let sandbox = sandbox(3).await;
    let test = start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0]);
    let reason = "\u{1b}[1m@everyone <@1> **spam**";
    let request = Ban { reason: Some(Untrusted::clipped(reason)), ..Ban::new(user(victim)) };
    let done = asked(&test, main, request.into()).await;
    assert_eq!(done.told, Some(Told::new(ToldState::Waiting, None)));
    let id = done.punishment.unwrap().id;
    test.until_counted(id, DeliveryState::Applied, 3).await;
    assert_eq!(told(&test, id).await, Told::new(ToldState::Told, None));

    let messages = sandbox.direct_messages(victim);
    assert_eq!(messages.len(), 1, "one for all guilds: {messages:?}");
    let text = content(&messages[0]);
    assert!(text.starts_with("You have been banned from **"), "{text}");
    assert!(text.contains("the servers linked to it") && text.contains("spam"), "{text}");
    // FAULTS 32.
    assert!(!text.contains('\u{1b}') && !text.contains("@everyone") && !text.contains("**spam"), "{text}");
    assert_eq!(messages[0]["mentions"].as_array().map(Vec::len), Some(0));
    let sent = places(&sandbox, "POST", POST);
    let bans = places(&sandbox, "PUT", BAN);
    assert_eq!((sent.len(), bans.len()), (1, 4));
    assert!(sent[0] < bans[0], "told first: {sent:?} {bans:?}");
    let log = sandbox.log();
    let body = log[sent[0]].body.as_ref().unwrap();
    assert_eq!(body["allowed_mentions"]["parse"].as_array().map(Vec::len), Some(0), "{body}");
    assert_eq!(body["enforce_nonce"], true);
}

#[tokio::test]
async fn kicks_and_warnings_are_told_too_and_other_actions_are_not() {
    let sandbox = sandbox(1).await;
    let test = start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (first, second) = (sandbox.members(main)[0], sandbox.members(main)[1]);
    let (kicked, warned) = (punish(&test, main, kick(first)).await, punish(&test, main, warn(second)).await);
    for id in [kicked, warned] {
        assert_eq!(told(&test, id).await.state, ToldState::Told);
    }
    assert!(content(&sandbox.direct_messages(first)[0]).starts_with("You have been kicked"));
    assert!(content(&sandbox.direct_messages(second)[0]).starts_with("You have been warned in **"));
    assert_eq!(
        test.delivery(warned, child).await.state,
        DeliveryState::Applied,
        "a warning waits for nothing"
    );
    // By hand, and by actions that take nobody away.
    let (third, fourth) = (sandbox.members(main)[2], sandbox.members(main)[3]);
    sandbox.people().ban(main, sandbox.moderator(), third, None).unwrap();
    let by_hand = test.punishment(third, 1).await;
    test.until_counted(by_hand, DeliveryState::Applied, 1).await;
    let span = "1h".parse().unwrap();
    let request = Timeout { user: user(fourth), span, reason: None, evidence: None };
    assert_eq!(asked(&test, main, request.into()).await.told, None);
    test.systems.engine.drain().await;
    assert!(sandbox.direct_messages(third).is_empty() && sandbox.direct_messages(fourth).is_empty());
    assert_eq!(test.read(move |view| view.told(by_hand).unwrap()).await, None);
}

#[tokio::test]
async fn turned_off_nobody_is_told_and_the_answers_say_so() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start_with(&sandbox, |settings| settings.moderation.direct_messages = false).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0]);
    let done = asked(&test, main, ban(victim)).await;
    let expected = Told::new(ToldState::NotTold, Some("direct messages are turned off"));
    assert_eq!(done.told, Some(expected));
    test.until_counted(done.punishment.unwrap().id, DeliveryState::Applied, 1).await;
    test.systems.engine.drain().await;
    assert!(places(&sandbox, "POST", OPEN).is_empty());
}

#[tokio::test]
async fn a_dry_run_says_whether_they_would_be_told_and_takes_nobodys_turn() {
    let sandbox = sandbox(1).await;
    let test = start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0]);
    for _ in 0..20 {
        let dry = crate::invocation::Invocation {
            dry_run: true,
            ..by_operator(Role::Owner, Some(main), ban(victim))
        };
        let Reply::Ban(planned) = test.ask(dry).await.unwrap() else { panic!() };
        assert_eq!(planned.told, Some(Told::new(ToldState::Waiting, None)));
        let report = wayhaven_shared::operation::Reported::report(&planned);
        let field = report.fields.iter().find(|(name, _)| name == "Told");
        let text = format!("{:?}", field.unwrap().1);
        assert!(text.contains("would be told"), "{text}");
    }
    assert!(places(&sandbox, "POST", OPEN).is_empty());
    assert!(test.systems.direct.pace().admit());
}

#[tokio::test]
async fn a_raid_is_not_slowed_for_messages() {
    let sandbox = sandbox(2).await;
    let test = start(&sandbox).await;
    let main = sandbox.main_guild();
    // Opening a channel would take for ever: who has no turn must not wait for those that have.
    let hang =
        sandbox.inject(wayhaven_sandbox::Fault::Hang { at: wayhaven_sandbox::At::route("POST", OPEN) });
    let victims: Vec<u64> = sandbox.members(main)[..8].to_vec();
    let mut answers = Vec::new();
    for victim in &victims {
        answers.push(asked(&test, main, ban(*victim)).await);
    }
    let not_told: Vec<_> = answers.iter().filter(|one| !one.told.as_ref().unwrap().is_waiting()).collect();
    // A turn comes back each second, should this take so long.
    assert!((1..=3).contains(&not_told.len()), "{}", not_told.len());
    for one in &not_told {
        assert_eq!(one.told, Some(Told::new(ToldState::NotTold, Some("too many at once"))));
        test.until_counted(one.punishment.as_ref().unwrap().id, DeliveryState::Applied, 2).await;
    }
    sandbox.clear(hang);
    for one in &answers {
        test.until_counted(one.punishment.as_ref().unwrap().id, DeliveryState::Applied, 2).await;
    }
    assert!(places(&sandbox, "POST", OPEN).len() <= 7);
}
