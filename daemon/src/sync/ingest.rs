//! What people do in Discord's own UI, taken in.
//!
//! In a main, what is done by hand is a punishment like one that was commanded: its audit entry tells who and why,
//! and is worked in one transaction together with the deliveries. A ban event alone says neither, so it is
//! journalled and waits for its entry (`awaited`). In a child it stays where it is: noted as a cause that no undo of
//! ours may touch, and shown as contained (`entry`).
//!
//! Events are handed to the store's writer one after the other, and what follows is done in the same order after
//! their commits: a raid in the main shares them.

pub mod author;
mod awaited;
mod echoes;
pub mod entry;
mod members;

use super::Engine;
use super::attempt::Tools;
use super::desired::{LASTING, bring_all_about};
use super::gap::Gaps;
use super::holders::Holders;
use crate::discord::directory::{Noticed, VIEW_AUDIT_LOG};
use crate::discord::event::{Entry, GatewayEvent};
use crate::store::{Awaited, Echo, ShownMember};
use author::{Author, author_in_child, judge};
use echoes::Echoes;
use entry::{from_event, without_offices, work_entry};
use futures::FutureExt;
use futures::future::BoxFuture;
use members::{Members, shown};
use std::sync::Arc;
use tokio::sync::mpsc;
use wayhaven_shared::Fault;
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{DeliveryId, GuildId, RoleId, UserId};

/// How often it is tried to take in that somebody joined, where the store fails: for about a quarter of an hour.
const JOIN_TRIES: u32 = 13;

/// Takes in events, one after the other.
#[derive(Clone)]
pub struct Ingest {
    tools: Tools,
    engine: Engine,
    gaps: Gaps,
    echoes: Echoes,
    holders: Holders,
    members: Members,
}

/// What follows an event once it is committed.
#[derive(Debug)]
pub enum Follow {
    /// Nothing.
    Nothing,
    /// It waits for its audit entry.
    Await(Awaited),
    /// Discord describes the guild as it is now. Nobody has told what changed while there was no session.
    Described(GuildId),
    /// What the bot may do in the guild may have changed.
    Changed(GuildId),
    /// The bot may do less in the guild than before, or is not there any more.
    Lost(GuildId),
    /// Somebody is there now whom these concern.
    Hurry(GuildId, Vec<DeliveryId>),
}

/// An event on its way into the store.
pub struct Taken {
    /// Where it happened.
    guild: Option<GuildId>,
    /// The audit entry it is.
    entry: Option<u64>,
    committed: BoxFuture<'static, Result<Follow, Fault>>,
}

/// An event that was committed, or was not.
pub struct Committed {
    guild: Option<GuildId>,
    entry: Option<u64>,
    outcome: Result<Follow, Fault>,
}

impl Taken {
    /// Waits for the commit.
    pub async fn committed(self) -> Committed {
        Committed { guild: self.guild, entry: self.entry, outcome: self.committed.await }
    }
}

impl Ingest {
    /// Starts with what the journal still has from before. `wanted` are guilds whose audit logs somebody waits for.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub async fn start(
        tools: Tools,
        engine: Engine,
        wanted: mpsc::UnboundedReceiver<GuildId>,
    ) -> Result<Self, Fault> {
        let gaps = Gaps::start(tools.clone(), wanted);
        let holders = Holders::new(tools.clone(), gaps.clone());
        let (echoes, members) = (Echoes::default(), Members::default());
        let ingest = Self { tools, engine, gaps, echoes, holders, members };
        for awaited in ingest.tools.services.store().read(|view| Ok(view.awaited()?)).await? {
            ingest.resolve_later(awaited);
        }
        Ok(ingest)
    }

    /// What fills gaps from the audit log.
    pub fn gaps(&self) -> &Gaps {
        &self.gaps
    }

    /// What knows who holds protected roles.
    pub fn holders(&self) -> &Holders {
        &self.holders
    }

    /// Hands an event to the store: in the order of these calls, and without waiting for its commit.
    pub async fn take(&self, event: GatewayEvent) -> Taken {
        let noticed = self.tools.services.directory().learn(&event);
        let (guild, entry) = match &event {
            GatewayEvent::Ban { guild, .. } => (Some(*guild), None),
            GatewayEvent::Entry(entry) => (Some(entry.guild), Some(entry.id)),
            _ => (None, None),
        };
        let committed = match (noticed, event) {
            (Noticed::Guild(guild), event) => {
                let here = matches!(event, GatewayEvent::GuildHere(_));
                let follow = if here { Follow::Described(guild) } else { Follow::Lost(guild) };
                self.guild(guild, here, follow).await
            }
            (Noticed::Changed { guild, rights }, _) => {
                // What was refused because of the old owner is tried again; without any permission Discord would refuse
                // it again, and counts refusals (FACTS C1).
                let again = rights && self.may_something(guild);
                self.guild(guild, true, if again { Follow::Changed(guild) } else { Follow::Nothing }).await
            }
            (Noticed::Gone(guilds), _) => self.gone(guilds).await,
            (Noticed::Permissions(guild), event) => self.permissions(guild, &event).await,
            (Noticed::Nothing, GatewayEvent::Ban { guild, user, action }) => {
                self.ban(guild, user, action).await
            }
            (Noticed::Nothing, GatewayEvent::Entry(entry)) => self.entry(entry).await,
            (Noticed::Nothing, GatewayEvent::Member { guild, user, roles, facts }) => {
                self.engine.ranked(guild, user, Some(roles.clone()));
                let shown = shown(self.tools.services.clock(), roles.clone(), facts);
                self.members.look(self.tools.services.store(), guild, user, shown);
                self.member(guild, user, roles).await
            }
            (Noticed::Nothing, GatewayEvent::Left { guild, user }) => {
                self.engine.ranked(guild, user, None);
                Ok(at_once(Follow::Nothing))
            }
            (Noticed::Nothing, GatewayEvent::Joined { guild, user, roles, facts }) => {
                self.engine.ranked(guild, user, Some(roles.clone()));
                let shown = shown(self.tools.services.clock(), roles, facts);
                self.joined(guild, user, shown).await
            }
            (Noticed::Nothing, _) => Ok(at_once(Follow::Nothing)),
        };
        let committed = committed.unwrap_or_else(|fault| std::future::ready(Err(fault)).boxed());
        Taken { guild, entry, committed }
    }

    /// Does what follows an event. To be called in the order in which events were taken.
    pub fn follow(&self, committed: Committed) {
        match committed.outcome {
            Ok(follow) => {
                match follow {
                    Follow::Nothing => {}
                    Follow::Await(awaited) => self.resolve_later(awaited),
                    Follow::Described(guild) => {
                        self.engine.changed(guild);
                        self.engine.look_again(guild);
                    }
                    Follow::Changed(guild) => self.engine.changed(guild),
                    Follow::Lost(guild) => self.engine.lost(guild),
                    Follow::Hurry(guild, deliveries) => self.engine.hurry(guild, deliveries),
                }
                if let (Some(guild), Some(entry)) = (committed.guild, committed.entry) {
                    self.gaps.came(guild, entry);
                }
            }
            Err(fault) => {
                tracing::error!("an event was not taken in: {fault}");
                if let Some(guild) = committed.guild {
                    // Discord's log still has it.
                    self.gaps.fill_later(guild);
                }
            }
        }
    }

    /// A guild came, went, or has another owner or name. What it is like is known where it is `here`.
    async fn guild(&self, guild: GuildId, here: bool, follow: Follow) -> Result<Pending, Fault> {
        let directory = &self.tools.services.directory();
        let (name, owner) = (directory.name(guild), directory.owner(guild));
        let presence = directory.presence(guild).map_or("unknown", |presence| presence.word());
        let committed = self.tools.services.store().submit(move |change| {
            if let Some(name) = name.as_ref().filter(|_| here) {
                change.name_guild(guild, name)?;
            }
            if let Some(owner) = owner.filter(|_| here)
                && let Some(former) = change.note_owner(guild, owner)?
            {
                no_owner_any_more(change, guild, former)?;
            }
            change.tell(&Changed::Guild { guild_id: guild, name, presence: presence.to_owned() })?;
            Ok(follow)
        });
        committed.await
    }

    /// What the bot may do in the guild has changed, or the ranks of its roles have.
    async fn permissions(&self, guild: GuildId, event: &GatewayEvent) -> Result<Pending, Fault> {
        if self.sees_log(guild) {
            self.gaps.readable(guild);
        }
        // Without the permission Discord would refuse again, and counts refusals (FACTS C1).
        let follow = if self.may_something(guild) { Follow::Changed(guild) } else { Follow::Lost(guild) };
        match *event {
            GatewayEvent::RoleGone { role, .. } => {
                let protects = self.protects(guild, role);
                let forget = move |change: &crate::store::Change<'_>| {
                    if protects {
                        change.forget_holders_of(guild, role)?;
                    }
                    change.role_deleted(guild, role)?;
                    Ok(follow)
                };
                self.tools.services.store().submit(forget).await
            }
            _ => Ok(at_once(follow)),
        }
    }

    fn protects(&self, guild: GuildId, role: RoleId) -> bool {
        self.tools.services.store().topology().protection().by_roles(guild, &[role]).is_some()
    }

    /// Guilds that a session does not name any more: the bot was removed while nobody listened.
    async fn gone(&self, guilds: Vec<GuildId>) -> Result<Pending, Fault> {
        let names: Vec<_> =
            guilds.iter().map(|guild| (*guild, self.tools.services.directory().name(*guild))).collect();
        guilds.iter().for_each(|guild| self.engine.lost(*guild));
        let committed = self.tools.services.store().submit(move |change| {
            for (guild_id, name) in names {
                change.tell(&Changed::Guild { guild_id, name, presence: "absent".to_owned() })?;
            }
            Ok(Follow::Nothing)
        });
        committed.await
    }

    /// Whether the bot has any permission that an action needs; which of them what waits needs, the engine knows.
    fn may_something(&self, guild: GuildId) -> bool {
        Action::ALL.into_iter().any(|action| self.tools.services.directory().may(guild, action) == Some(true))
    }

    fn sees_log(&self, guild: GuildId) -> bool {
        self.tools.services.directory().my_permissions(guild).is_some_and(|bits| bits & VIEW_AUDIT_LOG != 0)
    }

    /// A ban event: without its audit entry it says neither who nor why.
    async fn ban(&self, guild: GuildId, user: UserId, action: Action) -> Result<Pending, Fault> {
        let sees_log = self.sees_log(guild);
        let committed = self.tools.services.store().submit(move |change| {
            if !change.topology_here()?.is_main(guild) {
                // Where the log is seen, the entry tells all of it; and our own effect comes back.
                if !sees_log {
                    from_event(change, guild, user, action)?;
                }
                return Ok(Follow::Nothing);
            }
            let told = Echo::of_event(guild, user, action, change);
            if !sees_log && change.is_echo(told)? {
                // No entry will say that Wayhaven did it.
                change.note_echo(told)?;
            }
            Ok(match change.last_decision(guild, user, action)? {
                // The entry, or our own command, was here first.
                Some((last, _)) if last == action => Follow::Nothing,
                _ => Follow::Await(change.await_entry(guild, user, action)?),
            })
        });
        committed.await
    }

    /// A member's roles: who holds a protected one has to be known when they are a member no more.
    async fn member(&self, guild: GuildId, user: UserId, roles: Vec<RoleId>) -> Result<Pending, Fault> {
        match self.holders.told(guild, user, roles) {
            None => Ok(at_once(Follow::Nothing)),
            Some(note) => {
                self.tools.services.store().submit(move |change| note(change).map(|()| Follow::Nothing)).await
            }
        }
    }

    /// Somebody joined: what they have shaken off by leaving is done again (FAULTS 38). It takes its turn behind what came
    /// before it; of thousands who join, those whom nothing concerns cost one look there, and nothing is written.
    async fn joined(&self, guild: GuildId, user: UserId, shown: ShownMember) -> Result<Pending, Fault> {
        if let Some(note) = self.holders.told(guild, user, shown.roles.clone()) {
            self.tools.services.store().write_later("who holds a protected role", note).await;
        }
        let shown = Arc::new(shown);
        let work = move |change: &crate::store::Change<'_>| {
            // What was there by the staff's own hand is gone, and what is done below is not theirs.
            change.take_in_member(guild, user, &shown)?;
            // An undo that came in between has the last word.
            if change.may_be_held_to(guild, user)? {
                change.joined(guild, user)?;
            }
            // Whoever is banned by decision, and was not there so far, is banned at the door.
            if !change.is_wanted_anywhere(user)? {
                return Ok(Follow::Nothing);
            }
            let begun = bring_all_about(change, guild, user, &LASTING)?;
            Ok(if begun.is_empty() { Follow::Nothing } else { Follow::Hurry(guild, begun) })
        };
        let store = self.tools.services.store().clone();
        let committed = store.submit(work.clone()).await?;
        let or_later = async move {
            let outcome = committed.await;
            if outcome.is_err() {
                // No log tells of it once more.
                tokio::spawn(async move {
                    for failures in 0..JOIN_TRIES {
                        tokio::time::sleep(crate::backoff::backoff(failures)).await;
                        if store.write(work.clone()).await.is_ok() {
                            return;
                        }
                    }
                });
            }
            outcome
        };
        Ok(or_later.boxed())
    }

    async fn entry(&self, mut entry: Entry) -> Result<Pending, Fault> {
        let by = match self.tools.services.store().topology().is_main(entry.guild) {
            // Asked before the writer is: events keep their order.
            true => judge(&self.tools, &mut entry).await,
            false => author_in_child(&self.tools, entry.actor),
        };
        if by == Author::Us && !self.tools.services.store().topology().is_main(entry.guild) {
            // Hundreds of these follow a ban, and nothing follows from one: they share the writer's turns.
            self.echoes.note(self.tools.services.store(), entry).await;
            return Ok(at_once(Follow::Nothing));
        }
        let entry = without_offices(self.tools.services.directory(), by, entry);
        let committed = self.tools.services.store().submit(move |change| {
            work_entry(change, by, entry)?;
            Ok(Follow::Nothing)
        });
        committed.await
    }
}

/// Somebody does not own the guild any more: what was put off because they did is looked at again. What was not delivered
/// because of it stays undelivered.
fn no_owner_any_more(change: &crate::store::Change<'_>, guild: GuildId, former: UserId) -> Result<(), Fault> {
    let topology = change.topology_here()?;
    for child in topology.links(guild).iter().map(|link| link.child) {
        bring_all_about(change, child, former, &LASTING)?;
    }
    Ok(())
}

/// What waits for a commit.
type Pending = BoxFuture<'static, Result<Follow, Fault>>;

fn at_once(follow: Follow) -> Pending {
    std::future::ready(Ok(follow)).boxed()
}
