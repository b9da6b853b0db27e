//! The sandbox, the daemon on it, and how they are asked.

use super::acts::warning_steps;
use super::model::{GUILDS, Guild, MAINS, User};
use super::store::{Open, Store};
use super::{Failure, unix_ms};
use crate::{DaemonProcess, Home};
use std::path::Path;
use std::time::Duration;
use wayhaven_sandbox::{Options, Sandbox, permissions};
use wayhaven_shared::Fault;
use wayhaven_shared::client::Client;
use wayhaven_shared::control::{Envelope, Outcome};
use wayhaven_shared::grammar::confirmation;
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::config::ConfigWarnings;
use wayhaven_shared::operations::setup::SetupMainGuild;
use wayhaven_shared::value::{GuildId, UserId};

/// How many users there are: few enough that each has a long story.
pub(super) const USERS: usize = 80;

/// What the bot may do everywhere.
pub(super) const BITS: u64 = permissions::LEAST_FOR_BOT | permissions::MANAGE_GUILD;

/// The child in which it may not ban in bulk.
const WITHOUT_BULK: usize = 3;

/// Everything that runs.
pub(super) struct Network {
    pub(super) sandbox: Sandbox,
    pub(super) store: Store,
    pub(super) guilds: [u64; GUILDS],
    pub(super) users: Vec<u64>,
    /// Who owns a guild in turn with the sandbox's owner: a member of every guild, about whom nobody decides anything.
    heir: u64,
    /// Since when each guild's log has to be read.
    pub(super) unread_since: [i64; GUILDS],
    /// How often it was killed since everything came to rest.
    pub(super) deaths: usize,
    pub(super) home: Home,
    /// Whether a timeout goes on for whoever leaves and joins again.
    pub(super) keeps_timeouts: bool,
    daemon: Option<DaemonProcess>,
    client: Option<Client>,
}

impl Network {
    /// A sandbox with a daemon, whose two mains have no links yet.
    pub(super) async fn new(program: &Path, seed: u64) -> Result<Self, Failure> {
        // Nobody knows what Discord does.
        let keeps_timeouts = seed.is_multiple_of(2);
        let options = Options {
            children: GUILDS - 1,
            members: 0,
            global_limit: 0,
            max_concurrency: 1_000,
            openapi: None,
            bot_permissions: BITS,
            without_permission: vec![(WITHOUT_BULK, permissions::MANAGE_GUILD)],
            timeout_survives_rejoin: keeps_timeouts,
            seed,
            ..Options::default()
        };
        let sandbox = Sandbox::start(options).await.map_err(|error| Failure::broken(error.to_string()))?;
        let mut guilds = [sandbox.main_guild(); GUILDS];
        guilds[1..].copy_from_slice(&sandbox.children());
        let users = (0..USERS).map(|_| sandbox.stranger()).collect();
        let heir = sandbox.stranger();
        for guild in guilds {
            sandbox.people().had_joined(guild, heir).map_err(Failure::broken)?;
        }
        let home = Home::in_memory(program, &sandbox).map_err(|error| Failure::broken(error.to_string()))?;
        let mains = MAINS.map(|main| guilds[main].to_string()).collect::<Vec<_>>().join(",");
        // Of direct messages in one seed of five: what is decided waits for them.
        let tells = if seed.is_multiple_of(5) { "true" } else { "false" };
        let home = home
            .with("WAYHAVEN_DISCORD_REQUESTS_PER_SECOND", Some("5000"))
            .with("WAYHAVEN_DISCORD_REQUEST_TIMEOUT", Some("2"))
            .with("WAYHAVEN_NETWORK_MAINS", Some(&mains))
            .with("WAYHAVEN_NETWORK_NONMEMBER_BANS_PER_DAY", Some("100000"))
            .with("WAYHAVEN_MODERATION_DIRECT_MESSAGES", Some(tells));
        let layout = home.layout().map_err(|error| Failure::broken(error.to_string()))?;
        let store = Store::at(layout.store());
        let mut network = Self {
            sandbox,
            store,
            guilds,
            users,
            heir,
            unread_since: [0; GUILDS],
            deaths: 0,
            home,
            keeps_timeouts,
            daemon: None,
            client: None,
        };
        network.up().await?;
        let steps = warning_steps().parse().map_err(|why| Failure::broken(format!("no steps: {why}")))?;
        let warnings = ConfigWarnings { steps, within: None };
        for main in MAINS {
            network.ask(main, SetupMainGuild {}.into()).await?;
            network.ask(main, warnings.clone().into()).await?;
        }
        network.name_roles().await?;
        Ok(network)
    }

    pub(super) fn guild(&self, guild: Guild) -> Result<GuildId, Failure> {
        GuildId::new(self.guilds[guild]).ok_or_else(|| Failure::broken("a guild without id".to_owned()))
    }

    pub(super) fn user(&self, user: User) -> Result<UserId, Failure> {
        UserId::new(self.users[user]).ok_or_else(|| Failure::broken("a user without id".to_owned()))
    }

    /// Who owns a guild now.
    pub(super) fn owner(&self, guild: Guild) -> u64 {
        let id = self.guilds[guild];
        self.sandbox.read(|world| world.guilds.get(&id).map_or(world.owner, |found| found.owner))
    }

    /// A guild changes hands.
    pub(super) fn transfer(&self, guild: Guild) -> Result<(), Failure> {
        let (owner, first) = (self.owner(guild), self.sandbox.owner());
        let to = if owner == first { self.heir } else { first };
        self.sandbox.people().transfer(self.guilds[guild], owner, to).map_err(Failure::broken)
    }

    /// What the bot may do in a guild when nothing is taken from it.
    pub(super) fn bits(&self, guild: Guild) -> u64 {
        if guild == WITHOUT_BULK + 1 { permissions::LEAST_FOR_BOT } else { BITS }
    }

    /// What is on its way.
    pub(super) fn open(&mut self) -> Result<Open, Failure> {
        let unread: Vec<_> = self.guilds.into_iter().zip(self.unread_since).collect();
        self.store.open(&unread)
    }

    pub(super) fn is_up(&self) -> bool {
        self.client.is_some()
    }

    /// The daemon's client; it is started where it is down.
    pub(super) async fn up(&mut self) -> Result<Client, Failure> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        self.unread_since = [unix_ms(); GUILDS];
        let mut daemon = self.home.start().map_err(|error| Failure::broken(error.to_string()))?;
        let client =
            daemon.ready().await.map_err(|fault| Failure::wrong(format!("it does not start: {fault}")))?;
        (self.daemon, self.client) = (Some(daemon), Some(client.clone()));
        Ok(client)
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self) -> Result<(), Failure> {
        self.store.close();
        self.client = None;
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().map_err(|error| Failure::broken(error.to_string()))?;
            self.deaths += 1;
        }
        self.store.between_lives(0)
    }

    /// SIGTERM.
    pub(super) async fn terminate(&mut self) -> Result<(), Failure> {
        self.store.close();
        self.client = None;
        if let Some(mut daemon) = self.daemon.take() {
            let ended = daemon.terminate().await.map_err(|error| Failure::broken(error.to_string()))?;
            if ended.code() != Some(0) {
                return Err(Failure::wrong(format!("after SIGTERM it ended with {ended}")));
            }
            self.deaths += 1;
        }
        self.store.between_lives(0)
    }

    /// Asks as an operator, confirmed; the daemon has to do it.
    pub(super) async fn ask(&mut self, guild: Guild, request: Request) -> Result<Outcome, Failure> {
        let (client, envelope) = (self.up().await?, self.envelope(guild, &request)?);
        let answered = client.run(envelope).await;
        answered.map_err(|fault| Failure::wrong(format!("{} was refused: {fault}", request.name())))
    }

    pub(super) fn envelope(&self, guild: Guild, request: &Request) -> Result<Envelope, Failure> {
        let confirm = Some(confirmation(request));
        Ok(Envelope { guild: Some(self.guild(guild)?.into()), confirm, ..Envelope::new(request) })
    }

    /// Asks, and kills the daemon so much later, answered or not.
    pub(super) async fn ask_and_kill(
        &mut self,
        guild: Guild,
        request: &Request,
        after: Duration,
    ) -> Result<(), Failure> {
        let (client, envelope) = (self.up().await?, self.envelope(guild, request)?);
        let asked = tokio::spawn(async move { client.run(envelope).await });
        // A moment of another process's work, and not a wait for anything.
        tokio::time::sleep(after).await;
        self.kill()?;
        // Whether it was answered says nothing: the store does.
        let _: Result<Result<Outcome, Fault>, _> = asked.await;
        Ok(())
    }
}
