//! What the demo plays on: the sandbox, the daemon, the links, and what people do.

use crate::process::{link, next_punishment, settled};
use crate::{DaemonProcess, Home};
use serde_json::{Value, json};
use wayhaven_sandbox::{Options, Sandbox};
use wayhaven_shared::Fault;
use wayhaven_shared::client::Client;
use wayhaven_shared::operations::punishment::PunishmentDetail;
use wayhaven_shared::operations::setup::Mode;
use wayhaven_shared::value::GuildId;

/// Children in all.
pub(super) const CHILDREN: usize = 12;
/// The child whose bot may not ban.
pub(super) const WITHOUT_PERMISSION: usize = 3;
/// The child that only records.
pub(super) const MONITOR: usize = 5;
/// BAN_MEMBERS.
const BAN_MEMBERS: u64 = 1 << 2;

/// Everything that runs.
pub(super) struct Stage {
    pub(super) sandbox: Sandbox,
    pub(super) home: Home,
    pub(super) daemon: DaemonProcess,
    pub(super) client: Client,
    pub(super) main: GuildId,
    pub(super) children: Vec<GuildId>,
    members: Vec<u64>,
}

pub(super) fn guild(id: u64) -> Result<GuildId, Fault> {
    GuildId::new(id).ok_or_else(|| Fault::internal("a guild without id"))
}

impl Stage {
    /// Starts the sandbox and the daemon, and links the children.
    pub(super) async fn set() -> Result<Self, Fault> {
        let options = Options {
            children: CHILDREN,
            members: 60,
            without_permission: vec![(WITHOUT_PERMISSION, BAN_MEMBERS)],
            ..Options::default()
        };
        let broken = |what: &str, error: std::io::Error| Fault::unavailable(format!("{what}: {error}"));
        let sandbox =
            Sandbox::start(options).await.map_err(|error| broken("the sandbox did not start", error))?;
        let program = std::env::current_exe().map_err(|error| broken("this program is not found", error))?;
        let home = Home::new(&program, &sandbox).map_err(|error| broken("no temporary directory", error))?;
        let home = home.tied();
        let mut daemon = home.start().map_err(|error| broken("the daemon did not start", error))?;
        let client = daemon.ready().await?;
        let main = guild(sandbox.main_guild())?;
        let children = sandbox.children().into_iter().map(guild).collect::<Result<Vec<_>, _>>()?;
        for (index, child) in children.iter().enumerate() {
            let mode = if index == MONITOR { Mode::Monitor } else { Mode::Active };
            link(&client, main, *child, mode).await?;
        }
        // As they are now: a ban takes a member away.
        let members = sandbox.members(main.get());
        Ok(Self { sandbox, home, daemon, client, main, children, members })
    }

    /// Does something in Discord that leads to a punishment, and waits for what comes of it.
    pub(super) async fn leads_to(
        &self,
        act: impl AsyncFnOnce(&Self) -> Result<(), String>,
    ) -> Result<PunishmentDetail, Fault> {
        let cursor = self.client.watch(None, std::time::Duration::ZERO).await?.cursor;
        act(self).await.map_err(|error| Fault::unavailable(format!("the sandbox refused: {error}")))?;
        settled(&self.client, next_punishment(&self.client, cursor).await?).await
    }

    /// A moderator's `/ban`; returns what they were answered at last.
    pub(super) async fn slash_ban(
        &self,
        user: u64,
        reason: &str,
    ) -> Result<(PunishmentDetail, Value), Fault> {
        let options = json!({ "user": user.to_string(), "reason": reason });
        let mut asked = None;
        let detail = self
            .leads_to(async |stage| {
                let (main, moderator) = (stage.sandbox.main_guild(), stage.sandbox.moderator());
                asked = Some(stage.sandbox.people().slash(main, moderator, "ban", options)?);
                Ok(())
            })
            .await?;
        let Some(asked) = asked else { return Err(Fault::internal("nothing was asked")) };
        // The reply is changed as the deliveries go on; the last one says how it ended.
        let last = || self.sandbox.people().replies(asked).pop().unwrap_or_default();
        let told = || last()["embeds"][0]["title"].as_str().is_some_and(|title| !title.starts_with('~'));
        let waited = self.sandbox.wait_until(|_| told(), crate::process::PATIENCE).await;
        waited.map_err(|error| Fault::unavailable(format!("no reply came: {error}")))?;
        Ok((detail, last()))
    }

    /// An ordinary member of the main.
    pub(super) fn member(&self, index: usize) -> u64 {
        self.members[index % self.members.len().max(1)]
    }

    /// The name of a guild, for people.
    pub(super) fn name(&self, guild: GuildId) -> String {
        self.sandbox
            .read(|world| world.guild(guild.get()).map(|guild| guild.name.clone()).unwrap_or_default())
    }

    /// How many changes were asked of guilds other than this one.
    pub(super) fn effects_elsewhere(&self, guild: u64) -> usize {
        self.sandbox.effects().iter().filter(|effect| effect.guild != Some(guild)).count()
    }
}
