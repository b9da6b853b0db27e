//! What guilds are told, in a sandbox Discord in the same process.

mod refused;
mod resumed;
mod told;
mod urgent;

use crate::store::tests::shell;
use crate::store::{NoticeCursor, Severity};
use crate::testing::{PATIENCE, TestDaemon, by_operator, guild, sandbox, user};
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use wayhaven_sandbox::world::Overwrite;
use wayhaven_sandbox::{At, Discord, Fault, Sandbox, permissions};
use wayhaven_shared::Request;
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::config::{
    ConfigAudit, ConfigLogchannel, ConfigNotifications, ConfigShow, GuildConfig, Switch,
};
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::value::ChannelId;

const MESSAGES: &str = "/channels/{channel_id}/messages";

async fn ask(test: &TestDaemon, of: u64, request: impl Into<Request>) {
    test.ask(by_operator(Role::Owner, Some(of), request.into())).await.unwrap();
}

/// Has a guild told of punishments in `general`.
async fn notify(test: &TestDaemon, sandbox: &Sandbox, of: u64) -> u64 {
    let channel = sandbox.channel(of, "general");
    ask(test, of, ConfigNotifications { channel: ChannelId::new(channel), off: false }).await;
    channel
}

/// Has a guild's alerts posted in `moderation-log`.
async fn log(test: &TestDaemon, sandbox: &Sandbox, of: u64) -> u64 {
    let channel = sandbox.log_channel(of);
    ask(test, of, ConfigLogchannel { channel: ChannelId::new(channel), unset: false }).await;
    channel
}

/// The lines of all messages in a channel, oldest first.
fn lines(sandbox: &Discord, channel: u64) -> Vec<String> {
    let text = |message: &Value| message["embeds"][0]["description"].as_str().unwrap_or_default().to_owned();
    let bodies: Vec<_> = sandbox.messages(channel).iter().map(text).collect();
    bodies.iter().flat_map(|body| body.lines().map(str::to_owned)).collect()
}

async fn until_told(sandbox: &Sandbox, channel: u64, count: usize) -> Vec<String> {
    let told = sandbox.wait_until(|sandbox| lines(sandbox, channel).len() >= count, PATIENCE).await;
    told.unwrap_or_else(|timeout| panic!("{timeout}; told: {:?}", lines(sandbox, channel)));
    lines(sandbox, channel)
}

async fn alert(test: &TestDaemon, kind: &str, of: Option<u64>) {
    let (kind, of) = (kind.to_owned(), of.map(guild));
    let work = move |change: &crate::store::Change<'_>| {
        Ok(change.alert(&kind, Severity::Low, of, None, "something happened")?)
    };
    test.systems.services.store().write(work).await.unwrap();
}

/// Waits until everything that happened so far was told: a message is taken up after it, and posted.
async fn until_caught_up(test: &TestDaemon, sandbox: &Sandbox) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let channel = log(test, sandbox, sandbox.main_guild()).await;
    for _ in 0..2 {
        // The second one is posted in a round that began after all of the first one's was posted.
        let kind = format!("mark{}", COUNT.fetch_add(1, Ordering::Relaxed));
        alert(test, &kind, None).await;
        let there = |sandbox: &Discord| lines(sandbox, channel).iter().any(|line| line.contains(&kind));
        sandbox.wait_until(there, PATIENCE).await.unwrap();
    }
}

/// How many messages were sent to a channel, whatever became of them.
fn sent(sandbox: &Discord, channel: u64) -> usize {
    let path = format!("/channels/{channel}/messages");
    sandbox.log().iter().filter(|asked| asked.method == "POST" && asked.path == path).count()
}

fn may_not_send(sandbox: &Sandbox, channel: u64, denied: bool) {
    let bot = sandbox.bot_id();
    sandbox.change(|world| {
        let overwrites = &mut world.channels.get_mut(&channel).unwrap().overwrites;
        overwrites.clear();
        if denied {
            overwrites.push(Overwrite { id: bot, member: true, allow: 0, deny: permissions::SEND_MESSAGES });
        }
    });
}
