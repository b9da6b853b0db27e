//! ZERO-LEAK, wall 2: what the database refuses of consent, of a link's way through its states, and of locks.

use super::walls::{link, refused};
use super::{guild, network, shell};
use crate::network::LinkState;
use crate::store::{Store, Terms, migrations};
use crate::testing;
use rusqlite::Connection;
use wayhaven_shared::operations::setup::{AllowedActions, Mode, SecurityLevel};
use wayhaven_shared::{Fault, FaultKind};

const CONSENT: &str = "both sides agreed";
const WAY: &str = "from this state to that";
const LOCKED: &str = "locked: ";

fn update(store: &Store, id: u64, set: &str) -> Result<(), String> {
    let sql = format!("UPDATE guild_relationships SET {set} WHERE id = {id}");
    shell(store).execute_batch(&sql).map_err(|error| error.to_string())
}

fn set_lock(store: &Store, of: u64, locked: bool) {
    let locked = u8::from(locked);
    let sql = format!("UPDATE guild_settings SET relationship_lock_enabled = {locked} WHERE guild_id = {of}");
    shell(store).execute_batch(&sql).unwrap();
}

#[tokio::test]
async fn no_link_is_made_active_without_consent_and_none_proposed_with_it() {
    let (store, _home) = network().await;
    let made = |state: &str, accepted: &str| {
        format!(
            "INSERT INTO guild_relationships (main_guild_id, child_guild_id, state, accepted_at, created_at, updated_at)
             VALUES (1, 20, '{state}', {accepted}, 0, 0)"
        )
    };
    for (state, accepted) in [("active", "NULL"), ("closing", "NULL"), ("proposed", "5"), ("closed", "5")] {
        let why = refused(&store, &made(state, accepted));
        assert!(why.contains(CONSENT), "{state} with {accepted}: {why}");
    }
    shell(&store).execute_batch(&made("proposed", "NULL")).unwrap();
}

#[tokio::test]
async fn no_link_becomes_active_without_consent_or_keeps_it_when_it_is_closed() {
    let (store, _home) = network().await;
    shell(&store).execute_batch(&link(1, 20, "proposed")).unwrap();
    let why = update(&store, 4, "state = 'active'").unwrap_err();
    assert!(why.contains(CONSENT), "{why}");
    let why = update(&store, 4, "accepted_at = 5").unwrap_err();
    assert!(why.contains(CONSENT), "consent is no proposal's: {why}");
    for (what, set) in [
        ("active without it", "accepted_at = NULL"),
        ("closing without it", "state = 'closing', accepted_at = NULL"),
        ("closed with it", "state = 'closed'"),
    ] {
        let why = update(&store, 1, set).unwrap_err();
        assert!(why.contains(CONSENT), "{what}: {why}");
    }
    update(&store, 4, "state = 'active', accepted_at = 5").unwrap();
}

#[tokio::test]
async fn a_link_goes_from_state_to_state_on_its_way_only() {
    let (store, _home) = network().await;
    shell(&store).execute_batch(&link(1, 20, "proposed")).unwrap();
    let set = |state: &str| match state {
        "active" | "closing" => format!("state = '{state}', accepted_at = coalesce(accepted_at, 7)"),
        state => format!("state = '{state}', accepted_at = NULL"),
    };
    // From where it stands: what is refused, and then where it goes on to.
    let way = [
        ("proposed", vec!["closing"], "active"),
        ("active", vec!["proposed"], "closing"),
        ("closing", vec!["proposed", "active"], "closed"),
        ("closed", vec!["closing"], "proposed"),
        ("proposed", vec![], "closed"),
        ("closed", vec![], "active"),
        ("active", vec![], "closed"),
    ];
    for (from, refused, next) in way {
        for to in refused {
            let why = update(&store, 4, &set(to)).unwrap_err();
            assert!(why.contains(WAY), "{from} to {to}: {why}");
        }
        update(&store, 4, &set(next)).unwrap_or_else(|why| panic!("{from} to {next}: {why}"));
    }
}

#[tokio::test]
async fn consent_is_not_moved_and_a_closed_link_takes_a_new_one() {
    let (store, _home) = network().await;
    let why = update(&store, 1, "accepted_at = accepted_at + 1").unwrap_err();
    assert!(why.contains("consent is given once"), "{why}");
    let (main, child) = (guild(1), guild(2));
    let before = store.read(move |view| Ok(view.link(main, child)?.unwrap())).await.unwrap();
    assert!(before.accepted_at.is_some());
    let closed = store.write(move |change| Ok(change.close_link(before.id, main, child)?)).await.unwrap();
    assert_eq!(closed.accepted_at, None);
    let terms = Terms { mode: Mode::Active, actions: AllowedActions::all() };
    let proposed = store
        .write(move |change| Ok(change.put_link(main, child, LinkState::Proposed, &terms)?))
        .await
        .unwrap();
    assert_eq!((proposed.state.as_str(), proposed.accepted_at), ("proposed", None));
    let active =
        store.write(move |change| Ok(change.activate_link(main, child, Mode::Active)?)).await.unwrap();
    assert_eq!(active.state, "active");
    assert!(active.accepted_at.is_some());
}

#[tokio::test]
async fn while_a_guild_is_locked_no_link_it_takes_part_in_is_made_changed_or_deleted() {
    let (store, _home) = network().await;
    shell(&store).execute_batch(&link(1, 20, "proposed")).unwrap();
    shell(&store).execute_batch("INSERT INTO guild_settings (guild_id, updated_at) VALUES (21, 0)").unwrap();
    // As the main of a link, and as the child of one.
    for (locked, id, inserted) in [(1, 4, link(1, 21, "proposed")), (20, 4, link(10, 20, "active"))] {
        set_lock(&store, locked, true);
        for state in ["proposed", "active", "closed"] {
            let sql = link(if locked == 1 { 1 } else { 10 }, if locked == 1 { 21 } else { 20 }, state);
            assert!(refused(&store, &sql).contains(LOCKED), "{sql}");
        }
        for set in [
            "state = 'active', accepted_at = 5",
            "state = 'closed'",
            "sync_mode = 'MONITOR'",
            "allowed_actions = '[]'",
            "auto_sync_enabled = 0",
            "updated_at = 9",
        ] {
            let why = update(&store, id, set).unwrap_err();
            assert!(why.contains(LOCKED), "{locked}: {set}: {why}");
        }
        let delete = format!("DELETE FROM guild_relationships WHERE id = {id}");
        assert!(refused(&store, &delete).contains(LOCKED));
        // The links of others are not concerned.
        update(&store, 3, "sync_mode = 'MONITOR'").unwrap();
        set_lock(&store, locked, false);
        shell(&store).execute_batch(&inserted).unwrap();
        update(&store, id, "sync_mode = 'MONITOR'").unwrap();
    }
}

#[tokio::test]
async fn a_locked_guild_stays_the_main_or_none_and_keeps_its_security_level() {
    let (store, _home) = network().await;
    let set = |of: u64, what: &str| format!("UPDATE guild_settings SET {what} WHERE guild_id = {of}");
    set_lock(&store, 1, true);
    set_lock(&store, 20, true);
    for sql in [
        set(1, "is_main = 0"),
        set(1, "is_main = 0, relationship_lock_enabled = 0"),
        set(1, "security_level = 'high'"),
        set(20, "is_main = 1"),
        "INSERT OR REPLACE INTO guild_settings (guild_id, is_main, updated_at) VALUES (20, 1, 0)".into(),
    ] {
        let why = refused(&store, &sql);
        assert!(why.contains(LOCKED), "{sql}: {why}");
    }
    // What is no link and no main goes on: names, channels, and being heard of again.
    shell(&store).execute_batch(&set(1, "name = 'x', log_channel_id = 4")).unwrap();
    store.write(|change| Ok(change.ensure_guild(guild(1))?)).await.unwrap();
    set_lock(&store, 1, false);
    shell(&store).execute_batch(&set(1, "security_level = 'high'")).unwrap();
}

#[tokio::test]
async fn what_a_lock_refuses_is_a_conflict_that_says_who_takes_it_off() {
    let (store, _home) = network().await;
    set_lock(&store, 1, true);
    let faults: [Result<(), Fault>; 3] = [
        store.write(|change| Ok(change.activate_link(guild(1), guild(2), Mode::Monitor).map(drop)?)).await,
        store.write(|change| Ok(change.set_security_level(guild(1), SecurityLevel::High)?)).await,
        store.write(|change| Ok(change.unmake_main(guild(1))?)).await,
    ];
    for fault in faults {
        let fault = fault.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Conflict, "{fault}");
        assert!(fault.hints[0].contains("setup unlock"), "{fault}");
    }
    assert!(store.topology().is_main(guild(1)));
}

#[tokio::test]
async fn an_active_link_allows_no_more_than_was_accepted_and_accepts_no_more_than_was_proposed() {
    let (store, _home) = network().await;
    let narrow = Terms { mode: Mode::Monitor, actions: "ban".parse().unwrap() };
    let (main, child) = (guild(1), guild(20));
    let made = narrow.clone();
    let made = store.write(move |change| Ok(change.put_link(main, child, LinkState::Active, &made)?));
    let id = made.await.unwrap().id.get();
    let more = "allows no more than its child has accepted";
    let proposed = "accepts no more than was proposed";
    for (set, why) in [
        ("sync_mode = 'ACTIVE'", more),
        ("allowed_actions = '[\"ban\",\"kick\"]'", more),
        ("allowed_actions = '[\"kick\"]'", more),
        ("sync_mode = 'ACTIVE', accepted_mode = 'ACTIVE'", proposed),
        ("accepted_actions = '[\"ban\",\"kick\"]'", proposed),
        ("accepted_actions = '[\"ban\",\"kick\"]', proposed_actions = '[\"kick\"]'", proposed),
        ("accepted_mode = NULL", proposed),
        ("accepted_level = 'high'", proposed),
    ] {
        let refused = update(&store, id, set).unwrap_err();
        assert!(refused.contains(why), "{set}: {refused}");
    }
    // Closing or closed it delivers nothing new, and a link that is accepted again has accepted its terms of then.
    update(&store, id, "state = 'closed', accepted_at = NULL").unwrap();
    update(&store, id, "allowed_actions = '[\"kick\"]', sync_mode = 'ACTIVE'").unwrap();
    update(&store, id, "state = 'proposed'").unwrap();
    update(&store, id, "state = 'active', accepted_at = 7").unwrap();
    assert!(update(&store, id, "allowed_actions = '[\"ban\"]'").unwrap_err().contains(more));
    // By a proposal, the accepted stays accepted.
    let wide = Terms { mode: Mode::Active, actions: "ban,mute".parse().unwrap() };
    let agreed = store.write(move |change| Ok(change.agree_to_terms(main, child, &wide)?)).await.unwrap();
    assert_eq!((agreed.actions(), agreed.proposed.clone()), ("ban,mute".to_owned(), None));
    assert_eq!(agreed.accepted.unwrap().actions.to_string(), "ban,kick,mute");
    update(&store, id, "allowed_actions = '[\"kick\"]', sync_mode = 'MONITOR'").unwrap();
}

#[test]
fn what_links_allowed_before_terms_were_stored_is_what_was_accepted_also_of_locked_guilds() {
    let home = testing::home();
    let path = home.path().join("wayhaven.db");
    let mut connection = Connection::open(&path).unwrap();
    migrations::run_to(&mut connection, 26).unwrap();
    connection
        .execute_batch(
            "INSERT INTO guild_settings (guild_id, is_main, security_level, updated_at)
                 VALUES (1, 1, 'high', 0), (2, 0, 'standard', 0), (3, 0, 'standard', 0);
             INSERT INTO guild_relationships
                 (main_guild_id, child_guild_id, sync_mode, allowed_actions, state, accepted_at, created_at, updated_at)
             VALUES (1, 2, 'MONITOR', '[\"ban\"]', 'active', 4, 4, 5), (1, 3, 'ACTIVE', '[]', 'proposed', NULL, 4, 5);
             UPDATE guild_settings SET relationship_lock_enabled = 1 WHERE guild_id = 2;",
        )
        .unwrap();
    migrations::run(&mut connection).unwrap();
    let read = |child: u64| {
        let sql = format!(
            "SELECT accepted_mode, accepted_actions, accepted_level FROM guild_relationships WHERE child_guild_id = {child}"
        );
        let text = |row: &rusqlite::Row<'_>, at: usize| row.get::<_, Option<String>>(at);
        connection.query_row(&sql, [], |row| Ok((text(row, 0)?, text(row, 1)?, text(row, 2)?))).unwrap()
    };
    let own = |text: &str| Some(text.to_owned());
    assert_eq!(read(2), (own("MONITOR"), own("[\"ban\"]"), own("high")));
    assert_eq!(read(3), (None, None, None));
    let locked =
        connection.execute("UPDATE guild_relationships SET updated_at = 9 WHERE child_guild_id = 2", []);
    assert!(locked.unwrap_err().to_string().contains(LOCKED));
}

#[test]
fn links_from_before_consent_was_stored_are_agreed_to_and_name_no_undo() {
    let home = testing::home();
    let path = home.path().join("wayhaven.db");
    let mut connection = Connection::open(&path).unwrap();
    connection.execute_batch(include_str!("../migrations/0001-foundation.sql")).unwrap();
    connection.pragma_update(None, "application_id", 0x5741_5948).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    connection
        .execute_batch(
            "INSERT INTO guild_settings (guild_id, is_main, updated_at) VALUES (1, 1, 0), (2, 0, 0), (3, 0, 0);
             INSERT INTO guild_relationships (main_guild_id, child_guild_id, state, created_at, updated_at)
             VALUES (1, 2, 'active', 4, 5), (1, 3, 'closed', 4, 5);",
        )
        .unwrap();
    migrations::run(&mut connection).unwrap();
    let read = |child: u64| {
        let sql = format!(
            "SELECT accepted_at, allowed_actions FROM guild_relationships WHERE child_guild_id = {child}"
        );
        connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    assert_eq!(read(2), (Some(5), "[\"ban\"]".to_owned()));
    assert_eq!(read(3), (None, "[\"ban\"]".to_owned()));
}
