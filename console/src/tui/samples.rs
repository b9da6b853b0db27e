//! What tests show in the console: a network of a main and its children, and two punishments on their way.

use super::input::Snapshot;
use serde_json::{Value, json};
use shared::operations::punishment::{Delivery, Punishment};
use wayhaven_shared as shared;

/// A delivery.
pub(crate) fn delivery(id: u64, punishment: u64, guild: u64, state: &str, reason: Option<&str>) -> Delivery {
    let name = match guild {
        2001 => "ru-gaming \u{1b}[31m",
        2002 => "fr-community",
        2003 => "日本語サーバー",
        _ => "art-hub",
    };
    let value = json!({
        "id": id.to_string(), "punishment_id": punishment.to_string(), "action": "ban",
        "guild_id": guild.to_string(), "guild_name": name, "user_id": "912345678901234567",
        "state": state, "reason": reason, "attempts": 2,
        "created_at": "2026-01-02T10:30:00Z", "updated_at": "2026-01-02T10:30:00.400Z",
    });
    serde_json::from_value(value).unwrap()
}

/// A punishment.
pub(crate) fn punishment(id: u64, reason: &str) -> Punishment {
    let value = json!({
        "id": id.to_string(), "action": "ban", "guild_id": "1000", "user_id": "912345678901234567",
        "moderator_id": "812345678901234567", "origin": "command", "reason": reason, "status": "active",
        "created_at": "2026-01-02T10:30:00Z",
    });
    serde_json::from_value(value).unwrap()
}

/// Deliveries by state.
pub(crate) fn counts(pending: u64, blocked: u64, applied: u64) -> Value {
    json!({"pending": pending, "held": 0, "sending": 0, "blocked": blocked, "unknown": 0, "applied": applied,
           "skipped": 0, "failed": 0, "superseded": 0})
}

fn child(id: u64, name: &str, mode: &str, presence: &str, counts: Value, reason: Option<&str>) -> Value {
    json!({
        "link": {"id": id.to_string(), "main_guild_id": "1000", "child_guild_id": id.to_string(),
                 "child_name": name, "mode": mode, "state": "active", "allowed_actions": ["ban", "unban"],
                 "updated_at": "2026-01-01T00:00:00Z"},
        "presence": presence, "deliveries": counts, "reason": reason,
    })
}

/// How everything stands.
pub(crate) fn snapshot() -> Snapshot {
    let status = json!({
        "version": "0.1.0", "pid": 4321, "uptime_seconds": 60, "discord": {"state": "ready", "reason": null},
        "guilds": 5, "deliveries": counts(1, 1, 38), "alerts": 2, "audit_rows": 9, "audit_head": "00",
    });
    let children = vec![
        child(2001, "ru-gaming \u{1b}[31m", "active", "ok", counts(0, 1, 0), Some("403 missing permission")),
        child(2002, "fr-community", "active", "ok", counts(1, 0, 0), None),
        child(2003, "日本語サーバー", "monitor", "ok", counts(0, 0, 0), None),
        child(2004, "art-hub", "active", "unknown", counts(0, 0, 0), None),
    ];
    let dashboard = json!({
        "networks": [{"main_guild_id": "1000", "main_name": "Wayhaven", "presence": "ok", "children": children}],
        "alerts": 2,
    });
    let mut deliveries = vec![
        delivery(901, 42, 2001, "blocked", Some("403 missing permission")),
        delivery(902, 42, 2002, "pending", Some("rate limit 2 s")),
        delivery(903, 42, 2003, "skipped", Some("monitor")),
    ];
    deliveries.extend((0..38).map(|number| delivery(1000 + number, 42, 3000 + number, "applied", None)));
    deliveries.push(delivery(801, 41, 2002, "applied", None));
    Snapshot {
        status: Some(serde_json::from_value(status).unwrap()),
        dashboard: Some(serde_json::from_value(dashboard).unwrap()),
        deliveries,
        punishments: vec![
            punishment(42, "raid \u{202e}"),
            punishment(41, "spam in every channel, again and again"),
        ],
        problems: Vec::new(),
    }
}
