//! Too much of everything: whoever asks for it waits, and nobody else.

use super::super::accounts::{Accounts, Bucket, Pace};
use super::super::limits::{
    CONNECTIONS_OF_ONE, CONNECTIONS_OF_OTHERS, IN_FLIGHT, RATE_OF_ALL_MODEST, RATE_OF_ONE, Rate, STRANGERS,
    WATCHES, WORK_OF_ONE,
};
use super::*;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::time::Instant;

#[tokio::test]
async fn fault_30_a_reader_that_never_reads_is_disconnected_and_others_go_on() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let path = door(&test, Limits { write: Duration::from_millis(50), ..Limits::default() });
    let other = Client::connect(&path, ClientSurface::Cli).await.unwrap();
    let mut deaf = UnixStream::connect(&path).await.unwrap();
    deaf.write_all(&hello_frame()).await.unwrap();
    let asks = async {
        let envelope = serde_json::to_value(status()).unwrap();
        let mut id = 0;
        // It asks until its own pipe is full, and then until there is nobody any more.
        loop {
            id += 1;
            let ask = frame(id, json!({ "Run": { "envelope": envelope } }));
            if deaf.write_all(&ask).await.is_err() {
                return;
            }
        }
    };
    assert!(tokio::time::timeout(PATIENCE, asks).await.is_ok(), "it stays connected");
    other.call(Status {}).await.unwrap();
}

#[tokio::test]
async fn what_is_asked_at_once_on_one_connection_waits_at_the_client_and_nobody_else_waits() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let (greedy, other) = (client(&test).await, client(&test).await);
    // While the writer is busy, whatever changes something waits.
    let (free, held) = std::sync::mpsc::channel::<()>();
    let (begun, busy) = tokio::sync::oneshot::channel();
    let store = test.systems.services.store().clone();
    let blocked = tokio::spawn(async move {
        store
            .write(move |_| {
                let _ = begun.send(());
                let _ = held.recv();
                Ok(())
            })
            .await
    });
    busy.await.unwrap();
    let guild = Some(crate::testing::guild(sandbox.main_guild()).into());
    let change = |index: u64| {
        let user = wayhaven_shared::value::UserId::new(sandbox.stranger() + index).unwrap();
        let request = wayhaven_shared::operations::ban::Ban::new(user).into();
        let (greedy, envelope) =
            (greedy.clone(), Envelope { guild: guild.clone(), ..Envelope::new(&request) });
        async move { greedy.run(envelope).await }
    };
    let mut changes = Box::pin(join_all((0..IN_FLIGHT as u64).map(change)));
    assert!(changes.as_mut().now_or_never().is_none(), "they are asked and wait");
    let mut behind = Box::pin({
        let greedy = greedy.clone();
        async move { greedy.call(Status {}).await }
    });
    assert!(behind.as_mut().now_or_never().is_none());
    for _ in 0..50 {
        other.call(Status {}).await.unwrap();
        assert!(behind.as_mut().now_or_never().is_none(), "more is at work than a connection may have");
    }
    free.send(()).unwrap();
    blocked.await.unwrap().unwrap();
    for answered in changes.await {
        answered.unwrap();
    }
    behind.await.unwrap();
}

#[tokio::test]
async fn a_thousand_calls_at_once_are_all_answered_and_watches_have_their_own_few() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let client = client(&test).await;
    let calls = (0..1_000).map(|_| client.call(Status {}));
    assert!(join_all(calls).await.into_iter().all(|answered| answered.is_ok()));

    let here = client.watch(None, Duration::ZERO).await.unwrap().cursor;
    let watch = || client.watch(Some(here.clone()), Duration::from_secs(30));
    let mut watches: Vec<_> = (0..=WATCHES).map(|_| Box::pin(watch())).collect();
    let (refused, _, _) = futures::future::select_all(watches.iter_mut()).await;
    assert_eq!(refused.unwrap_err().kind, FaultKind::RateLimited);
    client.call(Status {}).await.unwrap();
}

#[tokio::test]
async fn whoever_asks_too_often_is_told_when_to_come_again_and_that_is_one_row() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    // A call a second, but for the first five, and the two beside the hello that a connection has of its own.
    let (rate, modest) = (Rate { a_second: 1, burst: 5 }, Rate { a_second: 1, burst: 3 });
    let path = door(&test, Limits { rate, modest, ..Limits::default() });
    let client = Client::connect(&path, ClientSurface::Cli).await.unwrap();
    let calls = join_all((0..50).map(|_| client.call(Status {}))).await;
    let refused: Vec<_> = calls.into_iter().filter_map(Result::err).collect();
    assert!((40..50).contains(&refused.len()), "{}", refused.len());
    for fault in &refused {
        assert_eq!(fault.kind, FaultKind::RateLimited, "{fault}");
        assert!(fault.message.contains("come again in ") && !fault.hints.is_empty(), "{fault}");
    }
    let audited = test.audit().await;
    let limited = audited.iter().filter(|row| row.operation == "status" && row.result == AuditResult::Error);
    assert_eq!(limited.count(), 1);
}

#[tokio::test]
async fn a_connection_that_floods_takes_nothing_from_another_of_the_same_user() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let (rate, modest) = (Rate { a_second: 1, burst: 5 }, Rate { a_second: 1, burst: 3 });
    let path = door(&test, Limits { rate, modest, ..Limits::default() });
    let greedy = Client::connect(&path, ClientSurface::Cli).await.unwrap();
    let flood = async {
        loop {
            join_all((0..20).map(|_| greedy.call(Status {}))).await;
        }
    };
    let modest = async {
        let other = Client::connect(&path, ClientSurface::Cli).await.unwrap();
        other.call(Status {}).await.unwrap();
        other.call(Status {}).await.unwrap();
        // What is beyond its own comes out of what they share, of which nothing is left.
        let beyond = join_all((0..20).map(|_| other.call(Status {}))).await;
        assert!(beyond.iter().any(Result::is_err));
    };
    tokio::select! {
        () = flood => {}
        () = modest => {}
    }
}

#[tokio::test(start_paused = true)]
async fn ever_more_connections_get_a_user_no_more_than_as_many_at_once() {
    let accounts = Accounts::new(&Limits::default());
    let now = Instant::now();
    let mut calls = 0;
    for _ in 0..1_000 {
        // One after the other: between two of them the user has no connection at all.
        let place = accounts.place(1_000, false).unwrap();
        let mut pace = Pace::new(&Limits::default());
        calls += (0..100).filter(|_| pace.take(&place.account, now).is_ok_and(|wait| wait.is_zero())).count();
    }
    assert_eq!(calls, (RATE_OF_ONE.burst + RATE_OF_ALL_MODEST.burst) as usize);
    let other = accounts.place(1_001, false).unwrap();
    assert!(Pace::new(&Limits::default()).take(&other.account, now).unwrap().is_zero());
}

#[tokio::test(start_paused = true)]
async fn a_bucket_makes_wait_what_can_wait_and_refuses_the_rest() {
    let mut bucket = Bucket::new(Rate { a_second: 10, burst: 3 });
    let now = Instant::now();
    let waits: Vec<_> = (0..8).map(|_| bucket.take(now).unwrap().as_millis()).collect();
    assert_eq!(waits, [0, 0, 0, 100, 200, 300, 400, 500]);
    let refused = bucket.take(now).unwrap_err();
    assert!(refused.message.contains("come again in 1 s"), "{refused}");
    // What was refused has taken nothing, and what was taken comes back.
    assert_eq!(bucket.take(now + Duration::from_millis(100)).unwrap().as_millis(), 500);
    assert_eq!(bucket.take(now + Duration::from_secs(60)).unwrap(), Duration::ZERO);
}

#[tokio::test]
async fn one_users_idle_connections_lock_nobody_else_out_and_an_owner_always_gets_in() {
    let accounts = Accounts::new(&Limits::default());
    let mut places: Vec<_> = (0..CONNECTIONS_OF_ONE).map(|_| accounts.place(1_000, false).unwrap()).collect();
    assert!(accounts.place(1_000, false).is_none());
    let others = (1_001..1_100).flat_map(|uid| (0..CONNECTIONS_OF_ONE).map(move |_| uid));
    places.extend(others.filter_map(|uid| accounts.place(uid, false)));
    assert_eq!(places.len(), CONNECTIONS_OF_OTHERS);
    assert!(accounts.place(0, true).is_some());
    places.pop();
    assert!(accounts.place(5_000, false).is_some(), "a place comes back");
}

#[tokio::test]
async fn one_users_work_leaves_room_for_anothers() {
    let accounts = Accounts::new(&Limits::default());
    let (greedy, other) = (accounts.place(1_000, false).unwrap(), accounts.place(1_001, false).unwrap());
    let mut turns = Vec::new();
    for _ in 0..WORK_OF_ONE {
        turns.push(greedy.account.turn().await.unwrap());
    }
    // So many turns at once use up what tokio gives a task; afresh, it is the shares alone that make anybody wait.
    tokio::task::yield_now().await;
    assert!(greedy.account.turn().now_or_never().is_none(), "it waits for its own");
    assert!(other.account.turn().now_or_never().is_some(), "and nobody else does");
    turns.pop();
    assert!(greedy.account.turn().now_or_never().is_some());
}

#[tokio::test]
async fn idle_connections_are_capped_over_the_socket_and_those_without_a_role_more_so() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    for (owner, most) in [(None, CONNECTIONS_OF_ONE), (Some(u32::MAX - 1), STRANGERS)] {
        let path = door(&test, Limits { owner, hello: Duration::from_secs(600), ..Limits::default() });
        let mut idle = FuturesUnordered::new();
        for _ in 0..most + 20 {
            let mut stream = UnixStream::connect(&path).await.unwrap();
            idle.push(async move { stream.read_u8().await.unwrap_err() });
        }
        // Those that are too many are closed, and no other is.
        for _ in 0..20 {
            assert!(tokio::time::timeout(PATIENCE, idle.next()).await.is_ok(), "one too many stays");
        }
        let asks = Client::connect(&path, ClientSurface::Cli).await;
        assert!(asks.is_err(), "there is room for more than {most}");
        assert!(idle.next().now_or_never().is_none());
        assert_eq!(idle.len(), most);
    }
}
