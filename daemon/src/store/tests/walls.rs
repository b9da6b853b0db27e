//! ZERO-LEAK, wall 2: what the database refuses whatever the code above it believes.

use super::{guild, network, open, shell};
use crate::store::Store;
use wayhaven_shared::operations::setup::Mode;
use wayhaven_shared::{Fault, FaultKind};

/// Runs a statement from outside; what was said against it.
pub(super) fn refused(store: &Store, sql: &str) -> String {
    match shell(store).execute_batch(sql) {
        Ok(()) => panic!("it was taken: {sql}"),
        Err(error) => error.to_string(),
    }
}

fn delivery(punishment: u64, of: u64, scope: &str, link: &str, action: &str, whom: u64) -> String {
    format!(
        "INSERT INTO deliveries (punishment_id, guild_id, scope, link_id, action, target_user, state, created_at, updated_at)
         VALUES ({punishment}, {of}, '{scope}', {link}, '{action}', {whom}, 'pending', 0, 0)"
    )
}

#[tokio::test]
async fn a_delivery_follows_an_active_link_of_its_main_or_stays_at_home() {
    let (store, _home) = network().await;
    let leaks = [
        ("without a link", delivery(1, 2, "child", "NULL", "ban", 7)),
        ("to a guild that is no child", delivery(1, 20, "child", "1", "ban", 7)),
        ("by another child's link", delivery(1, 2, "child", "2", "ban", 7)),
        ("by another main's link", delivery(1, 11, "child", "3", "ban", 7)),
        ("by a link that is not there", delivery(1, 2, "child", "99", "ban", 7)),
        ("for another user", delivery(1, 2, "child", "1", "ban", 8)),
        ("of another action", delivery(1, 2, "child", "1", "unban", 7)),
        ("of no punishment", delivery(99, 2, "child", "1", "ban", 7)),
        ("as its own in another guild", delivery(1, 2, "origin", "NULL", "ban", 7)),
        ("at home along a link", delivery(1, 1, "origin", "1", "ban", 7)),
    ];
    for (what, sql) in leaks {
        let why = refused(&store, &sql);
        assert!(why.contains("zero-leak") || why.contains("CHECK"), "{what}: {why}");
    }
    let shell = shell(&store);
    shell.execute_batch(&delivery(1, 2, "child", "1", "ban", 7)).unwrap();
    shell.execute_batch(&delivery(1, 1, "origin", "NULL", "ban", 7)).unwrap();
    assert!(refused(&store, &delivery(1, 2, "child", "1", "ban", 7)).contains("UNIQUE"), "not twice");
    for state in ["'closing'", "'closed', accepted_at = NULL", "'proposed'"] {
        shell.execute_batch(&format!("UPDATE guild_relationships SET state = {state} WHERE id = 2")).unwrap();
        assert!(refused(&store, &delivery(1, 3, "child", "2", "ban", 7)).contains("zero-leak"), "{state}");
    }
}

#[tokio::test]
async fn an_undo_of_a_delivery_goes_along_the_closing_link_by_which_that_was_sent_and_nowhere_else() {
    let (store, _home) = network().await;
    let shell = shell(&store);
    // Delivered to guild 2, stored for guild 3 and never sent, done in the main itself.
    shell.execute_batch(&delivery(1, 2, "child", "1", "ban", 7)).unwrap();
    shell.execute_batch(&delivery(1, 3, "child", "2", "ban", 7)).unwrap();
    shell.execute_batch(&delivery(1, 1, "origin", "NULL", "ban", 7)).unwrap();
    shell
        .execute_batch(
            "UPDATE deliveries SET state = iif(guild_id = 3, 'skipped', 'applied'), sent = guild_id <> 3",
        )
        .unwrap();
    let undo = |of: u64, scope: &str, link: &str, action: &str, whom: u64| {
        delivery(1, of, scope, link, action, whom)
    };
    let close = |state: &str| {
        shell
            .execute_batch(&format!("UPDATE guild_relationships SET state = {state} WHERE id IN (1, 2)"))
            .unwrap();
    };
    let refuse = |what: &str, sql: String| {
        let why = refused(&store, &sql);
        assert!(why.contains("zero-leak") || why.contains("CHECK"), "{what}: {why}");
    };
    refuse("along an active link", undo(2, "child", "1", "unban", 7));
    refuse("in the main itself", undo(1, "origin", "NULL", "unban", 7));
    close("'closing'");
    refuse("of what was never sent", undo(3, "child", "2", "unban", 7));
    refuse("where nothing was delivered", undo(20, "child", "1", "unban", 7));
    refuse("by another link", undo(2, "child", "2", "unban", 7));
    refuse("for another user", undo(2, "child", "1", "unban", 8));
    refuse("of another measure", undo(2, "child", "1", "unmute", 7));
    refuse("in the main along the link", undo(1, "child", "1", "unban", 7));
    // A new unban of the main is no undo of that delivery.
    shell
        .execute_batch(
            "INSERT INTO punishments (source_guild, target_user, action, origin, created_at) VALUES (1, 7, 'unban', 'operator', 0)",
        )
        .unwrap();
    refuse("of a punishment that was never delivered there", delivery(2, 2, "child", "1", "unban", 7));
    shell.execute_batch(&undo(2, "child", "1", "unban", 7)).unwrap();
    assert!(refused(&store, &undo(2, "child", "1", "unban", 7)).contains("UNIQUE"), "not twice");
    shell.execute_batch("DELETE FROM deliveries WHERE action = 'unban'").unwrap();
    close("'closed', accepted_at = NULL");
    refuse("along a closed link", undo(2, "child", "1", "unban", 7));
}

#[tokio::test]
async fn along_an_active_link_a_delivery_is_taken_back_alone_where_an_exception_was_asked_for_and_nowhere_else()
 {
    let (store, _home) = network().await;
    let shell = shell(&store);
    shell.execute_batch(&delivery(1, 2, "child", "1", "ban", 7)).unwrap();
    shell.execute_batch(&delivery(1, 3, "child", "2", "ban", 7)).unwrap();
    let undo = |of: u64, link: &str| delivery(1, of, "child", link, "unban", 7);
    let except = |of: u64, whom: u64, measure: &str, origin: &str| {
        let sql = format!(
            "DELETE FROM exceptions; INSERT INTO exceptions (guild_id, user_id, measure, origin, since)
             VALUES ({of}, {whom}, '{measure}', '{origin}', 0)"
        );
        shell.execute_batch(&sql).unwrap();
    };
    except(2, 7, "ban", "command");
    assert!(refused(&store, &undo(2, "1")).contains("zero-leak"), "it has not left");
    shell.execute_batch("UPDATE deliveries SET state = 'applied', sent = 1").unwrap();
    for (of, whom, measure, origin) in [
        (3, 7, "ban", "command"),
        (2, 8, "ban", "command"),
        (2, 7, "mute", "command"),
        (2, 7, "ban", "override"),
    ] {
        except(of, whom, measure, origin);
        assert!(refused(&store, &undo(2, "1")).contains("zero-leak"), "{of} {whom} {measure} {origin}");
    }
    except(2, 7, "ban", "command");
    assert!(refused(&store, &undo(3, "2")).contains("zero-leak"), "another child's");
    assert!(refused(&store, &undo(2, "2")).contains("zero-leak"), "by another link");
    shell.execute_batch(&undo(2, "1")).unwrap();
}

#[tokio::test]
async fn a_main_that_is_none_any_more_delivers_nothing() {
    let (store, _home) = network().await;
    shell(&store).execute_batch("UPDATE guild_settings SET is_main = 0 WHERE guild_id = 1").unwrap();
    assert!(refused(&store, &delivery(1, 2, "child", "1", "ban", 7)).contains("zero-leak"));
}

#[tokio::test]
async fn a_delivery_keeps_its_guild_link_action_and_user_and_so_does_its_punishment() {
    let (store, _home) = network().await;
    shell(&store).execute_batch(&delivery(1, 2, "child", "1", "ban", 7)).unwrap();
    for column in [
        "guild_id = 3",
        "punishment_id = 2",
        "scope = 'origin'",
        "link_id = 2",
        "link_id = NULL",
        "action = 'unban'",
        "target_user = 8",
    ] {
        let why = refused(&store, &format!("UPDATE deliveries SET {column}"));
        assert!(why.contains("zero-leak"), "{column}: {why}");
    }
    for column in ["source_guild = 10", "target_user = 8", "action = 'unban'"] {
        let why = refused(&store, &format!("UPDATE punishments SET {column}"));
        assert!(why.contains("zero-leak"), "{column}: {why}");
    }
    shell(&store).execute_batch("UPDATE deliveries SET state = 'applied', attempts = 1").unwrap();
}

/// A link as a forger would write it, with whatever its state needs.
pub(super) fn link(main: u64, child: u64, state: &str) -> String {
    let accepted = if matches!(state, "active" | "closing") { "0" } else { "NULL" };
    format!(
        "INSERT INTO guild_relationships (main_guild_id, child_guild_id, state, accepted_at, created_at, updated_at)
         VALUES ({main}, {child}, '{state}', {accepted}, 0, 0)"
    )
}

#[tokio::test]
async fn there_are_no_chains_no_cycles_and_no_two_way_links() {
    let (store, _home) = network().await;
    for state in ["proposed", "active", "closing"] {
        for (what, main, child) in [
            ("from main to main", 1, 10),
            ("from a child on", 2, 20),
            ("back", 2, 1),
            ("to itself", 1, 1),
            ("from nobody", 20, 2),
        ] {
            let why = refused(&store, &link(main, child, state));
            let chain = why.contains("zero-leak: the ");
            assert!(chain || why.contains("CHECK"), "{what}: {why}");
        }
    }
    // A closed link is only a memory, and waking it up passes the same wall.
    shell(&store).execute_batch(&link(2, 20, "closed")).unwrap();
    assert!(
        refused(
            &store,
            "UPDATE guild_relationships SET state = 'active', accepted_at = 0 WHERE child_guild_id = 20"
        )
        .contains("zero-leak: the source of a link")
    );
    for moved in [
        "main_guild_id = 10",
        "child_guild_id = 20",
        "child_guild_id = 20, state = 'closed', accepted_at = NULL",
    ] {
        let why = refused(&store, &format!("UPDATE guild_relationships SET {moved} WHERE id = 1"));
        assert!(why.contains("zero-leak"), "{moved}: {why}");
    }
    // The same child may have two mains.
    shell(&store).execute_batch(&link(10, 2, "active")).unwrap();
}

#[tokio::test]
async fn a_child_becomes_no_main() {
    let (store, _home) = network().await;
    for sql in [
        "UPDATE guild_settings SET is_main = 1 WHERE guild_id = 2",
        "INSERT OR REPLACE INTO guild_settings (guild_id, is_main, updated_at) VALUES (2, 1, 0)",
    ] {
        let why = refused(&store, sql);
        assert!(why.contains("zero-leak"), "{sql}: {why}");
    }
    let fault: Fault = store.write(|change| Ok(change.make_main(guild(2))?)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Denied);
    let fault = store.write(|change| Ok(change.activate_link(guild(2), guild(20), Mode::Active)?)).await;
    assert_eq!(fault.unwrap_err().kind, FaultKind::Denied);
    assert!(!store.topology().is_main(guild(2)));
}

#[tokio::test]
async fn audit_rows_are_neither_changed_nor_deleted() {
    let (store, _home) = network().await;
    store.write(|change| Ok(change.audit(&super::chain::row(None))?)).await.unwrap();
    for sql in [
        "UPDATE command_audit SET command_name = 'status'",
        "UPDATE command_audit SET guild_id = 5 WHERE id = 1",
        "DELETE FROM command_audit",
    ] {
        assert!(refused(&store, sql).contains("append-only"), "{sql}");
    }
}

#[tokio::test]
async fn defaults_satisfy_their_own_checks() {
    let (store, _home) = open();
    let shell = shell(&store);
    shell.execute_batch("INSERT INTO guild_settings (guild_id, updated_at) VALUES (5, 0)").unwrap();
    shell
        .execute_batch(
            "UPDATE guild_settings SET is_main = 1;
             INSERT INTO guild_settings (guild_id, updated_at) VALUES (6, 0);
             INSERT INTO guild_relationships (main_guild_id, child_guild_id, state, accepted_at, created_at, updated_at)
                 VALUES (5, 6, 'active', 0, 0, 0);
             INSERT INTO punishments (source_guild, target_user, action, origin, created_at)
                 VALUES (5, 7, 'ban', 'system', 0);
             INSERT INTO security_alerts (alert_type, severity, details, day, created_at, updated_at)
                 VALUES ('x', 'low', 'x', 0, 0, 0);
             INSERT INTO system_health (component, status, created_at) VALUES ('x', 'healthy', 0);",
        )
        .unwrap();
    assert!(
        refused(&store, "INSERT INTO guild_settings (guild_id, updated_at) VALUES (9, 'x')")
            .contains("INTEGER")
    );
}
