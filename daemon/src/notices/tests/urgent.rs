//! How alerts are told: how urgent they are, and what became of them.

use super::*;
use wayhaven_shared::operations::alert::{AlertList, AlertResolve};
use wayhaven_shared::operations::{Reply, Request as Asked};
use wayhaven_shared::value::Untrusted;

#[tokio::test]
async fn the_log_channel_hears_how_urgent_an_alert_is_and_that_it_is_resolved() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let channel = log(&test, &sandbox, main).await;
    let work = move |change: &crate::store::Change<'_>| {
        Ok(change.alert("one", Severity::High, Some(guild(main)), None, "somebody @everyone")?)
    };
    test.systems.services.store().write(work).await.unwrap();
    let told = until_told(&sandbox, channel, 1).await;
    assert!(told[0].contains("high · one"), "{told:?}");
    let list: Asked = AlertList::default().into();
    let Reply::AlertList(list) = test.ask(by_operator(Role::Owner, Some(main), list)).await.unwrap() else {
        panic!("another reply")
    };
    let reason = Untrusted::clipped("it was the cat");
    ask(&test, main, AlertResolve { id: list.alerts[0].id, reason }).await;
    let told = until_told(&sandbox, channel, 2).await;
    assert!(told[1].contains("resolved: one") && told[1].contains("it was the cat"), "{told:?}");
    assert!(told[1].contains("an operator") && !told[1].contains("unix"), "{told:?}");
}
