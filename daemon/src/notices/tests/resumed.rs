//! What is read late, skipped, or left for the next start.

use super::*;
use crate::notices::Notices;
use crate::tasks::run_alone;

#[tokio::test]
async fn more_than_can_be_read_is_counted_and_not_posted() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let child = sandbox.children()[0];
    let channel = log(&test, &sandbox, child).await;
    let work = move |change: &crate::store::Change<'_>| {
        for kind in 0..120 {
            change.alert(&format!("kind{kind}"), Severity::Low, Some(guild(child)), None, "x")?;
        }
        Ok(())
    };
    test.systems.services.store().write(work).await.unwrap();
    until_caught_up(&test, &sandbox).await;
    let told = lines(&sandbox, channel);
    assert_eq!(told.len(), 101);
    assert!(told[99].contains("kind99:") && told[100].contains("and 20 more"), "{:?}", &told[99..]);
}

/// Waits until the cursor stands behind everything there is.
async fn until_all_is_read(test: &TestDaemon) {
    let epoch = test.systems.services.store().epoch().to_owned();
    let read = async {
        loop {
            let epoch = epoch.clone();
            let cursors = move |view: &crate::store::View<'_>| {
                (view.notice_cursor().unwrap(), view.notice_cursor_now(&epoch).unwrap())
            };
            // The cursor moves without an event, so it is looked at again and again.
            match test.read(cursors).await {
                (Some(at), now) if at == now => return,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap();
}

/// A child that is told of punishments, one that it was told of, and two bans that came after the end of what tells it.
async fn behind(sandbox: &Sandbox) -> (TestDaemon, u64) {
    let test = TestDaemon::start(sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let channel = notify(&test, sandbox, child).await;
    test.ban(main, sandbox.stranger()).await;
    until_told(sandbox, channel, 1).await;
    until_caught_up(&test, sandbox).await;
    test.systems.services.lifecycle().stop();
    for _ in 0..2 {
        let id = test.ban(main, sandbox.stranger()).await;
        test.until_counted(id, DeliveryState::Applied, 1).await;
    }
    (test, channel)
}

#[tokio::test]
async fn after_a_gap_or_in_a_restored_store_nobody_is_told_what_is_over() {
    for restored in [false, true] {
        let sandbox = sandbox(1).await;
        let (test, channel) = behind(&sandbox).await;
        let store = test.systems.services.store();
        if restored {
            let cursor = NoticeCursor { epoch: "another".into(), event: 0, audit: 0 };
            store.write(move |change| Ok(change.set_notice_cursor(&cursor)?)).await.unwrap();
        } else {
            // All but the last punishment's events are gone.
            let sql = "DELETE FROM events WHERE sequence < (SELECT max(sequence) FROM events WHERE body LIKE '%\"punishment\"%')";
            assert!(shell(store).execute(sql, []).unwrap() > 0);
        }
        let next = TestDaemon::start_at(&sandbox, test.home()).await;
        drop(test);
        next.until_ready().await;
        until_all_is_read(&next).await;
        until_caught_up(&next, &sandbox).await;
        assert_eq!(lines(&sandbox, channel).len(), 1, "restored: {restored}");
        let victim = sandbox.stranger();
        next.ban(sandbox.main_guild(), victim).await;
        let told = until_told(&sandbox, channel, 2).await;
        assert!(told[1].contains(&victim.to_string()), "it goes on: {told:?}");
    }
}

#[tokio::test]
async fn what_came_after_the_end_is_told_after_the_next_start() {
    let sandbox = sandbox(1).await;
    let (test, channel) = behind(&sandbox).await;
    assert_eq!(lines(&sandbox, channel).len(), 1, "it had ended");
    let next = TestDaemon::start_at(&sandbox, test.home()).await;
    drop(test);
    until_told(&sandbox, channel, 3).await;
    until_caught_up(&next, &sandbox).await;
    assert_eq!(lines(&sandbox, channel).len(), 3);
}

#[tokio::test]
async fn it_ends_when_the_daemon_is_asked_to_stop() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let services = test.systems.services.clone();
    let task = tokio::spawn(run_alone(services.clone(), Notices::new(services, crate::notices::PAUSE)));
    test.systems.services.lifecycle().stop();
    tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
}
