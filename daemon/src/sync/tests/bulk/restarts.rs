//! Bulk bans of ours that are met in the audit log: before their answer, and again by the next start.

use super::*;

/// Waits until all of these in the child are known by their entries to be ours.
async fn until_heard(test: &TestDaemon, child: u64, count: i64) {
    let sql = format!("SELECT count(*) FROM deliveries WHERE guild_id = {child} AND echo IS NOT NULL");
    test.until("our own entries", move |view| view.number(&sql).unwrap() >= count).await;
}

#[tokio::test]
async fn the_entry_of_a_bulk_ban_that_was_taken_back_is_no_word_of_the_guilds_staff_when_it_is_read_again() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (hang, victims, ids) = three(&sandbox, &test, child).await;
    sandbox.clear(hang);
    until_all(&test, &ids, Applied, 1).await;
    until_heard(&test, child, 4).await;
    for victim in victims {
        let unban = test.unban(main, victim).await;
        test.until_counted(unban, Applied, 1).await;
    }

    let home = test.home();
    drop(test);
    sandbox.wait_until(|discord| discord.connected_sessions() == 0, PATIENCE).await.unwrap();
    let test = TestDaemon::start_at(&sandbox, home).await;
    test.until_ready().await;
    let sql = "SELECT count(*) FROM local_causes";
    assert_eq!(test.read(move |view| view.number(sql).unwrap()).await, 0, "nobody but us has banned anybody");
    let again = test.ban(main, victims[0]).await;
    test.until_counted(again, Applied, 1).await;
    let unban = test.unban(main, victims[0]).await;
    test.until_counted(unban, Applied, 1).await;
    assert!(!sandbox.is_banned(child, victims[0]));
}

#[tokio::test]
async fn what_was_blocked_and_leaves_once_the_bot_is_back_is_no_word_of_the_guilds_staff() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    sandbox.people().remove_bot(child).unwrap();
    let victims: [u64; 3] = strangers(&sandbox);
    let ids = ban_all(&test, main, &victims).await;
    until_all(&test, &ids, DeliveryState::Blocked, 1).await;
    // They are banned and Discord tells of it, and the answer does not come.
    let hang = sandbox.inject(Fault::HangAfterHeaders { at: bulk(child) });
    sandbox.people().invite_bot(child).unwrap();
    until_heard(&test, child, 3).await;
    let sql = "SELECT count(*) FROM local_causes";
    assert_eq!(test.read(move |view| view.number(sql).unwrap()).await, 0, "nobody but us has banned anybody");
    sandbox.clear(hang);
    until_all(&test, &ids, Applied, 1).await;
}
