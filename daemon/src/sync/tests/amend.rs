//! A corrected reason: both versions are kept, and what is still to be sent carries the new one.

use crate::testing::{PATIENCE, TestDaemon, asked, by_member, guild, sandbox, user};
use wayhaven_sandbox::{At, Fault as Trouble, permissions};
use wayhaven_shared::FaultKind;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::punishment::{DeliveryState, PunishmentShow};
use wayhaven_shared::operations::reversal::PunishmentAmend;
use wayhaven_shared::value::{PunishmentId, Untrusted};

fn amend(id: PunishmentId, reason: &str) -> PunishmentAmend {
    PunishmentAmend { id, reason: Untrusted::clipped(reason) }
}

#[tokio::test]
async fn a_corrected_reason_is_shown_with_those_before_and_what_is_still_to_be_sent_carries_it() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, slow, quick) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    let at = At::route("PUT", "/guilds/{guild_id}/bans/{user_id}").guild(slow);
    let hang = sandbox.inject(Trouble::Hang { at });
    test.ban(main, sandbox.stranger()).await;
    sandbox.wait_until(|sandbox| !sandbox.effects_in(slow).is_empty(), PATIENCE).await.unwrap();
    let victim = sandbox.stranger();
    let ban = Ban { reason: Some(Untrusted::clipped("first")), ..Ban::new(user(victim)) };
    let id = asked(&test, main, ban, false).await.unwrap().punishment.unwrap().id;
    test.until_counted(id, DeliveryState::Applied, 1).await;

    let plan = asked(&test, main, amend(id, "second"), true).await.unwrap();
    assert_eq!((plan.open, plan.amended, plan.already), (1, 1, false));
    let amended = asked(&test, main, amend(id, "second"), false).await.unwrap();
    assert_eq!(amended.before.unwrap().raw(), "first");
    let same = asked(&test, main, amend(id, "second"), false).await.unwrap();
    assert!(same.already && same.amended == 1, "{same:?}");
    asked(&test, main, amend(id, "third"), false).await.unwrap();
    sandbox.clear(hang);
    test.until_counted(id, DeliveryState::Applied, 2).await;
    test.systems.engine.drain().await;

    let reason = |of: u64| sandbox.bans(of).into_iter().find(|(whom, _)| *whom == victim).unwrap().1.unwrap();
    assert!(reason(slow).contains("third"), "{}", reason(slow));
    assert!(reason(quick).contains("first"), "what was delivered stays: {}", reason(quick));
    assert_eq!(sandbox.effects_in(slow).len(), 2, "each ban once");
    let shown = asked(&test, main, PunishmentShow { id }, false).await.unwrap();
    assert_eq!(shown.punishment.reason.as_ref().unwrap().raw(), "third");
    let before: Vec<_> = shown.amendments.iter().map(|one| one.before.as_ref().unwrap().raw()).collect();
    assert_eq!(before, ["first", "second"]);
    let report = shown.report();
    assert!(report.fields.iter().any(|(name, _)| name == "Corrected") && report.tables.len() == 2);
}

#[tokio::test]
async fn only_the_guild_that_decided_a_punishment_corrects_it() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let id = test.ban(main, sandbox.stranger()).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    let by = |of: u64| {
        let request: Request = amend(id, "theirs").into();
        test.ask(by_member(sandbox.owner(), of, permissions::MODERATE_MEMBERS, request))
    };
    assert_eq!(by(child).await.unwrap_err().kind, FaultKind::NotFound, "it reached them, and is not theirs");
    let operator = asked(&test, child, amend(id, "theirs"), false).await.unwrap_err();
    assert_eq!(operator.kind, FaultKind::NotFound, "nor may an operator who names the wrong guild");
    assert!(test.read(move |view| view.amendments_of(id).unwrap()).await.is_empty());
    by(main).await.unwrap();
    let amendments = test.read(move |view| view.amendments_of(id).unwrap()).await;
    assert_eq!(amendments.len(), 1);
    assert_eq!(amendments[0].by, Some(user(sandbox.owner())));
    let missing = asked(&test, main, amend(PunishmentId::new(99).unwrap(), "x"), false).await;
    assert_eq!(missing.unwrap_err().kind, FaultKind::NotFound);
    assert!(test.read(move |view| view.punishment(id).unwrap()).await.unwrap().guild_id == guild(main));
}
