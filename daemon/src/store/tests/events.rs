//! Events that share a row are read as if they did not.

use super::{open, shell};
use crate::store::{Change, Store};
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::value::GuildId;

/// An event that is known by its number.
fn event(number: u64) -> Changed {
    Changed::Guild { guild_id: GuildId::new(number).unwrap(), name: None, presence: "ok".to_owned() }
}

/// The sequences and numbers of what is read after a place, and whether something is missing before it.
async fn after(store: &Store, sequence: u64, limit: usize) -> (Vec<(u64, u64)>, bool) {
    let (events, gap) = store.read(move |view| Ok(view.events_after(sequence, limit)?)).await.unwrap();
    let number = |change| match change {
        Changed::Guild { guild_id, .. } => guild_id.get(),
        _ => 0,
    };
    (events.into_iter().map(|event| (event.sequence, number(event.change))).collect(), gap)
}

/// Tells of these in one job.
async fn tell(store: &Store, numbers: impl IntoIterator<Item = u64> + Send + 'static) {
    let told =
        move |change: &Change<'_>| Ok(numbers.into_iter().try_for_each(|one| change.tell(&event(one)))?);
    store.write(told).await.unwrap();
}

/// Tells of 1, then of 2 to 701 at once, then of 702, in a store that has told of nothing before.
async fn seven_hundred(store: &Store) {
    tell(store, 1..=1).await;
    tell(store, 2..=701).await;
    tell(store, []).await;
    tell(store, [702]).await;
}

#[tokio::test]
async fn what_is_told_at_once_shares_rows_and_has_a_sequence_each() {
    let (store, _home) = open();
    seven_hundred(&store).await;
    assert_eq!(*store.sequence().borrow(), 702);
    let rows: i64 = shell(&store).query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 5, "one, three lists, one");
    for (from, limit) in
        [(0, 1_000), (0, 1), (1, 500), (2, 500), (100, 3), (256, 2), (257, 2), (700, 5), (701, 5), (702, 5)]
    {
        let to = (from + limit).min(702);
        let expected: Vec<_> = (from + 1..=to).map(|number| (number, number)).collect();
        let limit = usize::try_from(limit).unwrap();
        assert_eq!(after(&store, from, limit).await, (expected, false), "{limit} after {from}");
    }
}

#[tokio::test]
async fn what_is_gone_with_the_first_of_a_row_is_missed_and_with_the_last_it_is_not() {
    let (store, _home) = open();
    seven_hundred(&store).await;
    // The first event, and the first list: 2 to 257.
    assert_eq!(shell(&store).execute("DELETE FROM events WHERE sequence <= 257", []).unwrap(), 2);
    for (from, gap) in [(0, true), (1, true), (256, true), (257, false), (258, false)] {
        let (events, missing) = after(&store, from, 1).await;
        let first = if gap { 258 } else { from + 1 };
        assert_eq!((events, missing), (vec![(first, first)], gap), "after {from}");
    }
}

#[tokio::test]
async fn what_a_failed_change_told_takes_no_place() {
    let (store, _home) = open();
    let failed = store.write(|change| {
        change.tell(&event(8))?;
        Err::<(), _>(wayhaven_shared::Fault::internal("not this one"))
    });
    failed.await.unwrap_err();
    seven_hundred(&store).await;
    assert_eq!(after(&store, 0, 2).await, (vec![(1, 1), (2, 2)], false));
}

#[tokio::test]
async fn one_in_a_row_that_is_not_understood_takes_no_other_with_it() {
    let (store, _home) = open();
    seven_hundred(&store).await;
    tell(&store, [703, 704]).await;
    let sql = r#"UPDATE events SET body = '[{"type":"guild","guild_id":7},{"type":"guild","guild_id":"9","name":null,"presence":"ok"}]'
                  WHERE sequence = 704"#;
    let nonsense = "UPDATE events SET body = '[' WHERE sequence = 257";
    let shell = shell(&store);
    assert_eq!((shell.execute(sql, []).unwrap(), shell.execute(nonsense, []).unwrap()), (1, 1));
    assert_eq!(after(&store, 702, 9).await, (vec![(703, 0), (704, 9)], false));
    // Whoever reads on gets past it.
    assert_eq!(after(&store, 1, 2).await, (vec![(257, 0), (258, 258)], true));
}
