//! How deliveries begin.

use super::{ban, guild, open, user};
use crate::store::{First, NewPunishment, Scope};
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin};
use wayhaven_shared::operations::setup::Mode;

#[tokio::test]
async fn whoever_was_punished_before_by_anybody_and_however_is_not_new() {
    let (store, _home) = open();
    let first = store.write(|change| {
        let first = change.insert_punishment(&ban(1, 10))?;
        let another = change.insert_punishment(&ban(1, 11))?;
        Ok([change.is_first_of(&first)?, change.is_first_of(&another)?])
    });
    assert_eq!(first.await.unwrap(), [true, true]);
    let again = store.write(|change| {
        // Another guild, and another measure.
        let ban = change.insert_punishment(&ban(2, 10))?;
        let kick = NewPunishment::new(guild(1), user(11), Action::Kick, Origin::Guild);
        let kick = change.insert_punishment(&kick)?;
        Ok([change.is_first_of(&ban)?, change.is_first_of(&kick)?])
    });
    assert_eq!(again.await.unwrap(), [false, false]);
}

#[tokio::test]
async fn deliveries_are_numbered_in_their_order_and_wall_2_takes_all_or_none_of_them() {
    let (store, _home) = open();
    let to = |child: u64, link| First {
        guild: guild(child),
        scope: Scope::Child(link),
        state: DeliveryState::Pending,
        reason: None,
        hold: None,
    };
    let stored = store.write(move |change| {
        change.make_main(guild(1))?;
        change.activate_link(guild(1), guild(2), Mode::Active)?;
        change.activate_link(guild(1), guild(3), Mode::Active)?;
        let topology = change.topology_here()?;
        let link = |child| topology.link(guild(1), guild(child)).unwrap().id;
        let (second, third) = (link(2), link(3));
        let punishment = change.insert_punishment(&ban(1, 10))?;
        let ids = change.insert_deliveries(&punishment, &[to(3, third), to(2, second)])?;
        assert!(ids.is_sorted() && ids.len() == 2);
        Ok((second, third))
    });
    let (second, third) = stored.await.unwrap();
    let guilds = |sql: &str| store_number(&store, sql);
    assert_eq!(guilds("SELECT guild_id FROM deliveries ORDER BY delivery_id LIMIT 1"), 3);
    let leak = store.write(move |change| {
        let punishment = change.insert_punishment(&ban(1, 11))?;
        // The link to guild 2 authorises nothing in guild 3.
        Ok(change.insert_deliveries(&punishment, &[to(3, third), to(3, second)])?)
    });
    let refused = leak.await.unwrap_err();
    assert!(refused.message.starts_with("zero-leak:"), "{refused}");
    assert_eq!(guilds("SELECT count(*) FROM deliveries"), 2);
}

fn store_number(store: &crate::store::Store, sql: &str) -> i64 {
    super::shell(store).query_row(sql, [], |row| row.get(0)).unwrap()
}
