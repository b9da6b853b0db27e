//! A running sandbox in the process of a test.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::conformance::Conformance;
use crate::discord::{Addresses, Discord};
use crate::options::Options;
use crate::people::People;
use crate::world::World;
use crate::{control, gateway, rest};

/// A Discord on loopback; everything [`Discord`] offers, and the addresses. Dropping it stops it, and fails the
/// test if requests violated Discord's description and nobody took the violations.
#[derive(Debug)]
pub struct Sandbox {
    discord: Arc<Discord>,
    tasks: Vec<JoinHandle<()>>,
    token: String,
}

impl Deref for Sandbox {
    type Target = Discord;

    fn deref(&self) -> &Discord {
        &self.discord
    }
}

impl Sandbox {
    /// Starts on 127.0.0.1.
    ///
    /// # Errors
    /// A port is taken, an option says nothing that can be, or Discord's description cannot be read.
    pub async fn start(options: Options) -> io::Result<Self> {
        options.check().map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
        let conformance = options.openapi.as_deref().map(described).transpose()?;
        let (api, api_at) = listen(options.port).await?;
        let (socket, socket_at) = listen(options.gateway_port).await?;
        let (desk, desk_at) = listen(options.control_port).await?;
        let addresses = Addresses {
            api: format!("http://{api_at}"),
            gateway: format!("ws://{socket_at}"),
            control: format!("http://{desk_at}"),
        };
        let factor = options.time_factor;
        let mut world = World::populate(options, Arc::new(Clock::start(factor)));
        world.resume_url.clone_from(&addresses.gateway);
        let token = world.token.clone();
        let discord = Arc::new(Discord::new(world, addresses, conformance));
        let tasks = vec![
            tokio::spawn(rest::serve(Arc::clone(&discord), api)),
            tokio::spawn(gateway::serve(Arc::clone(&discord), socket)),
            tokio::spawn(control::serve(Arc::clone(&discord), desk)),
            tokio::spawn(gateway::catch_up_when_due(Arc::clone(&discord))),
        ];
        Ok(Self { discord, tasks, token })
    }

    /// `http://127.0.0.1:PORT`; clients append `/api/v10`.
    #[must_use]
    pub fn api_base(&self) -> &str {
        &self.addresses.api
    }

    /// `ws://127.0.0.1:PORT`.
    #[must_use]
    pub fn gateway_url(&self) -> &str {
        &self.addresses.gateway
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn control_base(&self) -> &str {
        &self.addresses.control
    }

    /// The bot's token as it was at the start.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The application.
    #[must_use]
    pub fn application_id(&self) -> u64 {
        self.read(|world| world.application)
    }

    /// The bot's user.
    #[must_use]
    pub fn bot_id(&self) -> u64 {
        self.read(|world| world.bot)
    }

    /// The main guild.
    #[must_use]
    pub fn main_guild(&self) -> u64 {
        self.read(|world| world.main)
    }

    /// The child guilds.
    #[must_use]
    pub fn children(&self) -> Vec<u64> {
        self.read(|world| world.children.clone())
    }

    /// The owner of every guild, and of the bot.
    #[must_use]
    pub fn owner(&self) -> u64 {
        self.read(|world| world.owner)
    }

    /// A moderator of the main guild, below the bot.
    #[must_use]
    pub fn moderator(&self) -> u64 {
        self.read(|world| world.moderator)
    }

    /// MANAGE_GUILD and BAN_MEMBERS in the main guild only, no administrator.
    #[must_use]
    pub fn admin(&self) -> u64 {
        self.read(|world| world.admin)
    }

    /// A moderator of a child; 0 for a guild that is none.
    #[must_use]
    pub fn child_moderator(&self, child: u64) -> u64 {
        self.read(|world| world.child_moderators.get(&child).copied().unwrap_or(0))
    }

    /// A new user who is in no guild.
    #[must_use]
    pub fn stranger(&self) -> u64 {
        self.change(World::stranger)
    }

    /// The channel `moderation-log` of a guild; 0 for an unknown guild.
    #[must_use]
    pub fn log_channel(&self, guild: u64) -> u64 {
        self.channel(guild, "moderation-log")
    }

    /// A channel by name (`general`, `moderation-log`, `wayhaven-alerts`); 0 if there is none.
    #[must_use]
    pub fn channel(&self, guild: u64, name: &str) -> u64 {
        self.read(|world| world.channel_named(guild, name).unwrap_or(0))
    }

    /// A role by name (`Muted`, `Regular`, `Moderator`, `Admin`, `Wayhaven`); 0 if there is none.
    #[must_use]
    pub fn role(&self, guild: u64, name: &str) -> u64 {
        self.read(|world| {
            let roles = world.guilds.get(&guild).map(|g| g.roles.values());
            roles.into_iter().flatten().find(|role| role.name == name).map_or(0, |role| role.id)
        })
    }

    /// What people do.
    #[must_use]
    pub fn people(&self) -> People {
        People::of(Arc::clone(&self.discord))
    }
}

impl Drop for Sandbox {
    #[expect(clippy::panic, reason = "a violation nobody looked at must fail the test it happened in")]
    fn drop(&mut self) {
        self.discord.stopped.store(true, Ordering::SeqCst);
        self.discord.change(gateway::trouble::hang_up);
        for task in &self.tasks {
            task.abort();
        }
        let violations = self.violations();
        if !violations.is_empty() && !std::thread::panicking() {
            panic!(
                "{} requests violate Discord's API description:\n  {}",
                violations.len(),
                violations.join("\n  ")
            );
        }
    }
}

fn described(path: &Path) -> io::Result<Conformance> {
    Conformance::read(path)
        .map_err(|error| io::Error::other(format!("Discord's description {}: {error}", path.display())))
}

async fn listen(port: u16) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let at = listener.local_addr()?;
    Ok((listener, at))
}
