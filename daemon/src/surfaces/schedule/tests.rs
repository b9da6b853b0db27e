//! What comes due by itself, against a sandbox Discord in the same process.

mod expiry;
mod overlaps;
mod renewal;
mod warnings;

use crate::testing::TestDaemon;
use std::sync::Arc;
use tempfile::TempDir;
use wayhaven_sandbox::Sandbox;

/// Ends a daemon and waits until its session is over; its home is left.
async fn end(sandbox: &Sandbox, test: TestDaemon) -> Arc<TempDir> {
    let home = test.home();
    drop(test);
    sandbox.wait_until(|discord| discord.connected_sessions() == 0, crate::testing::PATIENCE).await.unwrap();
    home
}

/// Gives a guild its role "Muted" as mute role.
async fn set_mute_role(test: &TestDaemon, sandbox: &Sandbox, of: u64) -> u64 {
    let role = sandbox.role(of, "Muted");
    name_mute_role(test, of, Some(role)).await;
    role
}

/// Gives a guild another mute role, or none.
async fn name_mute_role(test: &TestDaemon, of: u64, role: Option<u64>) {
    let arguments = match role {
        Some(role) => serde_json::json!({ "role": role.to_string() }),
        None => serde_json::json!({ "unset": true }),
    };
    configure(test, of, "config muterole", arguments).await;
}

async fn configure(test: &TestDaemon, of: u64, operation: &str, arguments: serde_json::Value) {
    let request = serde_json::json!({ "operation": operation, "arguments": arguments });
    let request = serde_json::from_value(request).unwrap();
    let asked = crate::testing::by_operator(wayhaven_shared::control::Role::Owner, Some(of), request);
    test.ask(asked).await.unwrap();
}

fn has_role(sandbox: &Sandbox, of: u64, user: u64, role: u64) -> bool {
    sandbox
        .read(|world| world.guilds[&of].members.get(&user).is_some_and(|member| member.roles.contains(&role)))
}
