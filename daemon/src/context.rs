//! What a handler works with: the request and who asked, the services and the systems.

use crate::invocation::{Actor, Invocation};
use crate::services::Services;
use crate::systems::Systems;
use std::sync::Arc;
use wayhaven_shared::Fault;
use wayhaven_shared::names::beside;
use wayhaven_shared::value::GuildId;

/// What a handler works with.
#[derive(Clone)]
pub struct Context {
    /// The services.
    pub services: Services,
    /// The systems.
    pub systems: Arc<Systems>,
    /// The request and who asked.
    pub invocation: Arc<Invocation>,
}

impl Context {
    /// Of a request.
    pub fn new(systems: Arc<Systems>, invocation: Arc<Invocation>) -> Self {
        Self { services: systems.services.clone(), systems, invocation }
    }

    /// The guild in which it is asked for.
    ///
    /// # Errors
    /// Where an operator named none, or one that Wayhaven knows nothing of.
    pub fn guild(&self) -> Result<GuildId, Fault> {
        let topology = self.services.store().topology();
        let Some(guild) = self.invocation.guild else {
            let named =
                |main: GuildId| beside(self.services.directory().name(main).as_ref(), &main.to_string());
            let mains: Vec<_> = topology.mains().map(named).collect();
            let fault = Fault::usage("this needs a guild: say which with --guild");
            return Err(if mains.is_empty() {
                fault
            } else {
                fault.hint(format!("mains: {}", mains.join(", ")))
            });
        };
        let known = topology.is_main(guild)
            || topology.is_child(guild)
            || self.services.directory().presence(guild).is_some()
            || !self.services.gateway().is_ready();
        if known {
            return Ok(guild);
        }
        Err(Fault::not_found(format!("the bot is in no guild {guild}")).hint(
            "setup dashboard lists the guilds of the networks; the bot has to be invited to others first",
        ))
    }

    /// What the caller may see: members only their own guild, operators the guild they named, or all.
    pub fn scope(&self) -> Option<GuildId> {
        self.invocation.guild
    }

    /// Whether the caller is confined to the guild in which they ask.
    pub fn is_member(&self) -> bool {
        matches!(self.invocation.actor, Actor::Member { .. })
    }
}
