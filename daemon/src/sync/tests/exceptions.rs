//! What a child does not apply to somebody because it was asked for: from its beginning to its end.

use crate::network::Freeze;
use crate::testing::{PATIENCE, TestDaemon, asked, guild, sandbox, user};
use wayhaven_sandbox::fault::Scope;
use wayhaven_sandbox::{At, Fault as Trouble, Sandbox, permissions};
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::exception::{
    Before, ExceptionChanged, Measure, SyncExceptionAdd, SyncExceptionRemove,
};
use wayhaven_shared::operations::punishment::{Action, Delivery, DeliveryState};
use wayhaven_shared::operations::setup::{Mode, SecurityLevel, SetupSecurityLevel};
use wayhaven_shared::operations::timeout::Timeout;
use wayhaven_shared::value::PunishmentId;

mod ends;

const BAN: &str = "/guilds/{guild_id}/bans/{user_id}";

fn exception(whom: u64) -> SyncExceptionAdd {
    SyncExceptionAdd { user: user(whom), measure: None, until: None, reason: None, lift: false }
}

async fn add(test: &TestDaemon, child: u64, add: SyncExceptionAdd) -> ExceptionChanged {
    asked(test, child, add, false).await.unwrap()
}

async fn lift(test: &TestDaemon, child: u64, whom: u64) -> ExceptionChanged {
    add(test, child, SyncExceptionAdd { lift: true, ..exception(whom) }).await
}

async fn remove(test: &TestDaemon, child: u64, whom: u64) -> ExceptionChanged {
    let remove = SyncExceptionRemove { user: user(whom), measure: None };
    let ended = asked(test, child, remove, false).await.unwrap();
    test.settled().await;
    ended
}

/// A delivery of a punishment by its action, once it has ended.
async fn ended(test: &TestDaemon, of: PunishmentId, child: u64, action: Action) -> Delivery {
    test.until(&format!("{action} of {of} has ended"), move |view| {
        view.stand(of, guild(child), action).unwrap().is_some_and(|stand| stand.state.is_final())
    })
    .await;
    let all = test.read(move |view| view.deliveries_of(of).unwrap()).await;
    all.into_iter().find(|one| one.guild_id == guild(child) && one.action == action).unwrap()
}

/// Makes the second child a main too, with the first as its child.
async fn second_main(test: &TestDaemon, sandbox: &Sandbox) -> u64 {
    let (main, child, second) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    let work = move |change: &crate::store::Change<'_>| {
        if let Some(link) = change.link(guild(main), guild(second))? {
            change.close_link(link.id, guild(main), guild(second))?;
        }
        change.make_main(guild(second))?;
        Ok(change.activate_link(guild(second), guild(child), Mode::Active)?)
    };
    test.systems.services.store().write(work).await.unwrap();
    second
}

#[tokio::test]
async fn what_is_decided_later_is_skipped_there_alone_and_the_plan_says_so() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let changed = add(&test, child, exception(victim)).await;
    let exception = changed.exception.unwrap();
    assert_eq!((changed.changed, changed.done, changed.open), (true, Some(Before::Nothing), 0));

    let preview = asked(&test, main, Ban::new(user(victim)), true).await.unwrap();
    assert_eq!((preview.deliveries.skipped, preview.deliveries.pending), (1, 1));
    let planned = preview.plan.iter().find(|step| step.guild_id == guild(child)).unwrap();
    assert_eq!(planned.reason.as_deref(), Some(format!("exception {} of the guild", exception.id).as_str()));
    let id = test.ban(main, victim).await;
    test.settled().await;
    let skipped = test.delivery(id, child).await;
    assert_eq!((skipped.state, skipped.reason), (DeliveryState::Skipped, planned.reason.clone()));
    assert!(!sandbox.is_banned(child, victim) && sandbox.is_banned(sandbox.children()[1], victim));
    // Neither another measure nor another user.
    sandbox.people().had_joined(child, victim).unwrap();
    let timeout = Timeout { user: user(victim), span: "1h".parse().unwrap(), reason: None, evidence: None };
    asked(&test, main, timeout, false).await.unwrap();
    test.ban(main, sandbox.stranger()).await;
    test.settled().await;
    assert!(sandbox.member(child, victim)["communication_disabled_until"].is_string());
    assert_eq!(sandbox.effects_in(child).len(), 2);
}

#[tokio::test]
async fn what_was_done_stays_and_lift_takes_it_back_and_the_end_does_it_again_as_often_as_asked() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let id = test.ban(main, victim).await;
    test.settled().await;
    assert_eq!(add(&test, child, exception(victim)).await.done, Some(Before::Stays));
    test.settled().await;
    assert!(sandbox.is_banned(child, victim));
    let ended_so = remove(&test, child, victim).await;
    assert_eq!((ended_so.changed, ended_so.again.total()), (true, 0), "it stands: {ended_so:?}");

    for _ in 0..3 {
        let plan =
            asked(&test, child, SyncExceptionAdd { lift: true, ..exception(victim) }, true).await.unwrap();
        let pending = Before::Lifted { state: DeliveryState::Pending, reason: None };
        assert_eq!((plan.exception, plan.done), (None, Some(pending.clone())), "the plan changes nothing");
        assert!(sandbox.is_banned(child, victim));
        let lifted = lift(&test, child, victim).await;
        assert_eq!((lifted.changed, lifted.done), (true, Some(pending)));
        test.settled().await;
        assert_eq!(ended(&test, id, child, Action::Unban).await.state, DeliveryState::Applied);
        assert!(!sandbox.is_banned(child, victim) && sandbox.is_banned(sandbox.children()[1], victim));
        let once_more = lift(&test, child, victim).await;
        assert_eq!((once_more.changed, once_more.done), (false, Some(Before::Nothing)), "nothing twice");
        assert_eq!(remove(&test, child, victim).await.again.pending, 1);
        assert!(sandbox.is_banned(child, victim));
        assert_eq!(ended(&test, id, child, Action::Ban).await.state, DeliveryState::Applied);
    }
    // It is ours as it was before.
    test.unban(main, victim).await;
    test.settled().await;
    assert!(!sandbox.is_banned(child, victim));
    assert!(!test.alerts().await.contains(&"local_override".to_owned()));
}

#[tokio::test]
async fn nothing_is_lifted_that_wayhaven_did_not_do() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (there_before, by_staff) = (sandbox.stranger(), sandbox.stranger());
    sandbox.people().had_banned(child, there_before, None).unwrap();
    let id = test.ban(main, there_before).await;
    test.settled().await;
    lift(&test, child, there_before).await;
    assert_eq!(ended(&test, id, child, Action::Unban).await.state, DeliveryState::Skipped);

    sandbox.people().ban(child, sandbox.child_moderator(child), by_staff, None).unwrap();
    test.until("a cause of the staff's", move |view| {
        view.is_done_locally(guild(child), user(by_staff), Action::Ban).unwrap()
    })
    .await;
    test.ban(main, by_staff).await;
    test.settled().await;
    let kept = lift(&test, child, by_staff).await.done;
    assert_eq!(kept, Some(Before::Kept { reason: "banned there by its own staff".into() }));
    test.settled().await;
    assert!(sandbox.is_banned(child, there_before) && sandbox.is_banned(child, by_staff));
}

#[tokio::test]
async fn it_is_of_all_mains_and_each_has_its_say_again_when_it_ends() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let second = second_main(&test, &sandbox).await;
    test.ban(main, victim).await;
    test.ban(second, victim).await;
    test.settled().await;
    lift(&test, child, victim).await;
    test.settled().await;
    assert!(!sandbox.is_banned(child, victim), "the other main's ban is no cause there");
    assert_eq!(remove(&test, child, victim).await.again.pending, 2);
    assert!(sandbox.is_banned(child, victim));
    test.unban(second, victim).await;
    test.settled().await;
    assert!(sandbox.is_banned(child, victim), "the other main's ban is a cause again");
    test.unban(main, victim).await;
    test.settled().await;
    assert!(!sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn what_is_on_its_way_is_settled_as_it_was_and_lifted_where_that_was_asked_for() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    let (lifting, keeping) = (sandbox.children()[0], sandbox.children()[1]);
    let hangs = [lifting, keeping]
        .map(|child| sandbox.inject(Trouble::HangAfterHeaders { at: At::route("PUT", BAN).guild(child) }));
    let id = test.ban(main, victim).await;
    for child in [lifting, keeping] {
        sandbox.wait_until(|sandbox| sandbox.is_banned(child, victim), PATIENCE).await.unwrap();
    }
    assert_eq!(lift(&test, lifting, victim).await.open, 1);
    assert_eq!(add(&test, keeping, exception(victim)).await.open, 1);
    hangs.into_iter().for_each(|hang| {
        sandbox.clear(hang);
    });
    for child in [lifting, keeping] {
        assert_eq!(ended(&test, id, child, Action::Ban).await.state, DeliveryState::Applied, "it was done");
    }
    assert_eq!(ended(&test, id, lifting, Action::Unban).await.state, DeliveryState::Applied);
    test.settled().await;
    assert!(!sandbox.is_banned(lifting, victim) && sandbox.is_banned(keeping, victim));
}

#[tokio::test]
async fn of_one_whose_answer_was_lost_discord_is_asked_before_it_is_called_skipped() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    let (done, not_done) = (sandbox.children()[0], sandbox.children()[1]);
    let at = |method, of| At::route(method, BAN).guild(of).times(1);
    sandbox.inject(Trouble::CutAfter { at: at("PUT", done) });
    sandbox.inject(Trouble::CutBefore { at: at("PUT", not_done) });
    // Until the exception is there nobody says what became of it.
    let limits = [done, not_done].map(|of| {
        sandbox.inject(Trouble::RateLimit {
            at: At::route("GET", BAN).guild(of),
            scope: Scope::User,
            retry_after: 0.3,
            headers: None,
        })
    });
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Unknown, 2).await;
    for child in [done, not_done] {
        assert_eq!(add(&test, child, exception(victim)).await.open, 1);
    }
    limits.into_iter().for_each(|limit| {
        sandbox.clear(limit);
    });
    assert_eq!(ended(&test, id, done, Action::Ban).await.state, DeliveryState::Applied);
    assert_eq!(ended(&test, id, not_done, Action::Ban).await.state, DeliveryState::Skipped);
    test.settled().await;
    assert!(sandbox.is_banned(done, victim) && !sandbox.is_banned(not_done, victim));
    // And it is taken back by the exception, where that is asked for later.
    lift(&test, done, victim).await;
    test.settled().await;
    assert!(!sandbox.is_banned(done, victim));
}

#[tokio::test]
async fn what_is_blocked_or_held_is_skipped_and_tells_why() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    let (blocked, held) = (sandbox.children()[0], sandbox.children()[1]);
    sandbox.people().set_bot_permissions(blocked, permissions::VIEW_AUDIT_LOG).unwrap();
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Blocked, 1).await;
    add(&test, blocked, exception(victim)).await;
    let skipped = ended(&test, id, blocked, Action::Ban).await;
    assert!(skipped.state == DeliveryState::Skipped && skipped.reason.unwrap().contains("exception"));

    let other = sandbox.stranger();
    let freeze = move |change: &crate::store::Change<'_>| {
        Ok(change.set_freeze(guild(main), Some(Freeze::Everything))?)
    };
    test.systems.services.store().write(freeze).await.unwrap();
    let id = test.ban(main, other).await;
    test.until_counted(id, DeliveryState::Held, 2).await;
    assert_eq!(add(&test, held, exception(other)).await.open, 1);
    let skipped = ended(&test, id, held, Action::Ban).await;
    assert!(skipped.state == DeliveryState::Skipped && skipped.reason.unwrap().contains("exception"));
    assert_eq!(test.delivery(id, blocked).await.state, DeliveryState::Held, "the other child's stays held");
}

#[tokio::test]
async fn what_staff_lift_by_hand_under_an_exception_is_no_override_at_any_level_and_their_ban_ends_nothing() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    asked(&test, main, SetupSecurityLevel { level: SecurityLevel::High }, false).await.unwrap();
    let id = test.ban(main, victim).await;
    test.settled().await;
    add(&test, child, exception(victim)).await;
    let (people, staff) = (sandbox.people(), sandbox.child_moderator(child));
    people.unban(child, staff, victim, None).unwrap();
    people.ban(child, staff, victim, None).unwrap();
    test.until("their own ban", move |view| {
        view.is_done_locally(guild(child), user(victim), Action::Ban).unwrap()
    })
    .await;
    people.unban(child, staff, victim, None).unwrap();
    test.until("its end", move |view| {
        !view.is_done_locally(guild(child), user(victim), Action::Ban).unwrap()
    })
    .await;
    test.settled().await;
    assert!(!sandbox.is_banned(child, victim));
    assert_eq!(test.delivery(id, child).await.state, DeliveryState::Applied);
    assert!(!test.alerts().await.contains(&"local_override".to_owned()));
    assert_eq!(remove(&test, child, victim).await.again.pending, 1, "the main's word holds again");
    assert!(sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn an_exception_from_timeouts_takes_one_back_and_gives_it_again() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    for place in [main, child] {
        sandbox.people().had_joined(place, victim).unwrap();
    }
    let timeout = Timeout { user: user(victim), span: "5h".parse().unwrap(), reason: None, evidence: None };
    asked(&test, main, timeout, false).await.unwrap();
    test.settled().await;
    let is_timed_out = || sandbox.member(child, victim)["communication_disabled_until"].is_string();
    assert!(is_timed_out());
    let measure = Some(Measure::Timeout);
    add(&test, child, SyncExceptionAdd { measure, lift: true, ..exception(victim) }).await;
    test.settled().await;
    assert!(!is_timed_out());
    asked(&test, child, SyncExceptionRemove { user: user(victim), measure }, false).await.unwrap();
    test.settled().await;
    assert!(is_timed_out());
}
