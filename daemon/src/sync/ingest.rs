//! What people do in Discord's own UI, taken in.
//!
//! In a main, a ban made by hand is a punishment like one that was commanded: its audit entry tells who and why,
//! and is worked in one transaction together with the deliveries. A ban event alone says neither, so it is
//! journalled and waits for its entry; where that does not come, the log is asked, and then the actor is unknown.
//! In a child it stays where it is: noted as a cause that no undo of ours may touch, and shown as contained.

use super::Engine;
use super::attempt::Tools;
use super::record::{AtOrigin, record};
use crate::discord::directory::{Noticed, VIEW_AUDIT_LOG};
use crate::discord::event::{Entry, GatewayEvent, entry_kind};
use crate::store::{AuditRow, Awaited, Change, NewPunishment, Personal, Queued, Severity, StoreError};
use std::time::Duration;
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operations::audit::AuditResult;
use wayhaven_shared::operations::punishment::{Action, Origin};
use wayhaven_shared::value::{GuildId, Untrusted, UserId};
use wayhaven_shared::{Authority, Fault};

/// How long a ban event waits for its audit entry (ARCHITECTURE 5).
const ENTRY_COMES_WITHIN: Duration = Duration::from_millis(1_500);

/// How far an entry's time may lie from the event it explains, in milliseconds: the log is asked seconds later.
const SAME_OCCASION: u64 = 60_000;

/// Discord's epoch, in milliseconds since 1970 (FACTS 0).
const DISCORD_EPOCH: u64 = 1_420_070_400_000;

/// Takes in events, one after the other.
#[derive(Clone)]
pub struct Ingest {
    tools: Tools,
    engine: Engine,
}

impl Ingest {
    /// Starts with what the journal still has from before.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub async fn start(tools: Tools, engine: Engine) -> Result<Self, Fault> {
        let ingest = Self { tools, engine };
        for awaited in ingest.tools.store.read(|view| Ok(view.awaited()?)).await? {
            ingest.resolve_later(awaited);
        }
        Ok(ingest)
    }

    /// Takes in one event. Returns when what it decided is committed.
    pub async fn take(&self, event: GatewayEvent) {
        let noticed = self.tools.directory.learn(&event);
        let taken = match (noticed, event) {
            (Noticed::Guild(guild), event) => self.guild(guild, &event).await,
            (Noticed::Permissions(guild), _) => {
                // Without the permission Discord would refuse again, and counts refusals (FACTS C1).
                if self.may_ban(guild) {
                    self.engine.mended(guild);
                }
                Ok(())
            }
            (Noticed::Nothing, GatewayEvent::Ban { guild, user, action }) => {
                self.ban(guild, user, action).await
            }
            (Noticed::Nothing, GatewayEvent::Entry(entry)) => self.entry(entry).await,
            (Noticed::Nothing, _) => Ok(()),
        };
        if let Err(fault) = taken {
            tracing::error!("an event was not taken in: {fault}");
        }
    }

    async fn guild(&self, guild: GuildId, event: &GatewayEvent) -> Result<(), Fault> {
        let here = matches!(event, GatewayEvent::GuildHere(_));
        let name = self.tools.directory.name(guild);
        let presence = self.tools.directory.presence(guild).map_or("unknown", |presence| presence.word());
        self.tools
            .store
            .write(move |change| {
                if let Some(name) = name.as_ref().filter(|_| here) {
                    change.name_guild(guild, name)?;
                }
                Ok(change.tell(&Changed::Guild { guild_id: guild, name, presence: presence.to_owned() })?)
            })
            .await?;
        if here {
            self.engine.mended(guild);
        }
        Ok(())
    }

    fn may_ban(&self, guild: GuildId) -> bool {
        let needed = Authority::Ban.permission().unwrap_or(u64::MAX);
        self.tools.directory.my_permissions(guild).is_some_and(|bits| bits & needed != 0)
    }

    /// A ban event: without its audit entry it says neither who nor why.
    async fn ban(&self, guild: GuildId, user: UserId, action: Action) -> Result<(), Fault> {
        let sees_log =
            self.tools.directory.my_permissions(guild).is_some_and(|bits| bits & VIEW_AUDIT_LOG != 0);
        if !self.tools.store.topology().is_main(guild) {
            // Where the log is seen, the entry tells all of it.
            return if sees_log { Ok(()) } else { self.contained(guild, user, None, None, action).await };
        }
        let awaited = self
            .tools
            .store
            .write(move |change| match change.last_action(guild, user)? {
                // The entry, or our own command, was here first.
                Some(last) if last == action => Ok(None),
                _ => Ok(Some(change.await_entry(guild, user, action)?)),
            })
            .await?;
        if let Some(awaited) = awaited {
            self.resolve_later(awaited);
        }
        Ok(())
    }

    async fn entry(&self, entry: Entry) -> Result<(), Fault> {
        let ours = entry.actor.is_some() && entry.actor == self.tools.directory.me();
        if !self.tools.store.topology().is_main(entry.guild) {
            // Our own effect comes back: it only confirms.
            let Entry { guild, user, actor, action, .. } = entry;
            return if ours {
                Ok(())
            } else {
                self.contained(guild, user, actor, entry.reason, action).await
            };
        }
        let queue = self.tools.store.write(move |change| {
            change.entry_came(entry.guild, entry.user, entry.action)?;
            if ours { Ok(Vec::new()) } else { Ok(from_entry(change, entry)?) }
        });
        self.engine.enqueue(queue.await?);
        Ok(())
    }

    /// Waits for the entry of a ban event in a main, and then looks for it.
    fn resolve_later(&self, awaited: Awaited) {
        let ingest = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(ENTRY_COMES_WITHIN).await;
            if let Err(fault) = ingest.resolve(awaited).await {
                // The journal still has it, and the next start tries again.
                tracing::error!(guild = %awaited.guild, "a ban event is not resolved: {fault}");
            }
        });
    }

    async fn resolve(&self, awaited: Awaited) -> Result<(), Fault> {
        let still = self.tools.store.read(move |view| Ok(view.awaited()?.contains(&awaited))).await?;
        if !still {
            return Ok(());
        }
        let found = self.look_for(awaited).await;
        let me = self.tools.directory.me();
        let queue = self.tools.store.write(move |change| {
            // The entry may have come while the log was asked.
            if !change.settle_awaited(awaited.sequence)? {
                return Ok(Vec::new());
            }
            match found {
                Some(entry) if entry.actor.is_some() && entry.actor == me => Ok(Vec::new()),
                Some(entry) => Ok(from_entry(change, entry)?),
                // Something newer was decided while nobody knew whose this was.
                None if change.decided_since(awaited.guild, awaited.user, awaited.received_at)? => {
                    Ok(Vec::new())
                }
                None if change.last_action(awaited.guild, awaited.user)? == Some(awaited.action) => {
                    Ok(Vec::new())
                }
                None => Ok(by_hand(change, awaited.guild, awaited.user, awaited.action, None, None, None)?),
            }
        });
        self.engine.enqueue(queue.await?);
        Ok(())
    }

    /// The newest entry of the guild's log that explains the event; nothing where the log cannot be read.
    async fn look_for(&self, awaited: Awaited) -> Option<Entry> {
        let entries = match self.tools.rest.audit_log(awaited.guild, entry_kind(awaited.action)).await {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!(guild = %awaited.guild, "the audit log is not readable: {error}");
                return None;
            }
        };
        let received = awaited.received_at.millis().cast_unsigned();
        entries.into_iter().find_map(|entry| {
            let id: u64 = entry.id.parse().ok()?;
            let same_occasion = ((id >> 22) + DISCORD_EPOCH).abs_diff(received) <= SAME_OCCASION;
            let same_user = entry.target_id.as_ref()?.parse::<UserId>().ok()? == awaited.user;
            (same_occasion && same_user).then(|| Entry {
                guild: awaited.guild,
                id,
                user: awaited.user,
                actor: entry.user_id,
                reason: entry.reason.as_deref().map(Untrusted::clipped),
                action: awaited.action,
            })
        })
    }

    /// What was done in a guild that is no main stays there.
    async fn contained(
        &self,
        guild: GuildId,
        user: UserId,
        by: Option<UserId>,
        reason: Option<Untrusted>,
        action: Action,
    ) -> Result<(), Fault> {
        self.tools
            .store
            .write(move |change| {
                if by.is_none() && change.is_echo(guild, user, action)? {
                    return Ok(());
                }
                change.note_local_ban(guild, user, by, action)?;
                if action == Action::Unban {
                    tell_override(change, guild, user, by)?;
                }
                if change.topology_here()?.is_child(guild) {
                    change.audit(&observed(guild, user, by, reason.as_ref(), action))?;
                    let action = action.word().to_owned();
                    change.tell(&Changed::Contained { guild_id: guild, action, user_id: user, by })?;
                }
                Ok(())
            })
            .await
    }
}

/// A child's staff have the last word in their own guild, and the network learns that they have used it.
fn tell_override(
    change: &Change<'_>,
    guild: GuildId,
    user: UserId,
    by: Option<UserId>,
) -> Result<(), StoreError> {
    let Some((punishment, main)) = change.overridden(guild, user)? else { return Ok(()) };
    let details =
        format!("guild {guild} lifted the ban of {user} that main {main} had delivered (#{punishment})");
    change.alert("local_override", Severity::Medium, Some(guild), by, &details)
}

/// Stores what an audit entry of a main tells, unless it is known.
fn from_entry(change: &Change<'_>, entry: Entry) -> Result<Vec<Queued>, StoreError> {
    if change.is_recorded(entry.guild, entry.id)? {
        return Ok(Vec::new());
    }
    let Entry { guild, id, user, actor, reason, action } = entry;
    if change.is_overtaken(guild, user, id)? {
        // It comes after a later one: the order in the main guild wins (FAULTS 14, 15).
        change.audit(&observed(guild, user, actor, reason.as_ref(), action))?;
        return Ok(Vec::new());
    }
    // The entry comes late to a ban that was already stored without one: it says who and why.
    if change.adopt_entry(guild, user, action, id, actor, reason.as_ref())? {
        return Ok(Vec::new());
    }
    by_hand(change, guild, user, action, Some(id), actor, reason)
}

/// Stores a punishment that was made by hand in a main.
fn by_hand(
    change: &Change<'_>,
    guild: GuildId,
    user: UserId,
    action: Action,
    audit_entry: Option<u64>,
    moderator: Option<UserId>,
    reason: Option<Untrusted>,
) -> Result<Vec<Queued>, StoreError> {
    change.audit(&observed(guild, user, moderator, reason.as_ref(), action))?;
    let new = NewPunishment {
        guild,
        user,
        action,
        reason,
        moderator,
        origin: Origin::Guild,
        delete_seconds: 0,
        audit_entry,
    };
    Ok(record(change, &new, AtOrigin::Done)?.queue)
}

/// The audit row of something that was seen and not asked of us.
fn observed(
    guild: GuildId,
    user: UserId,
    by: Option<UserId>,
    reason: Option<&Untrusted>,
    action: Action,
) -> AuditRow {
    let parameters = reason.map(|reason| serde_json::json!({ "reason": reason }).to_string());
    AuditRow {
        intent: None,
        result: Some(AuditResult::Success),
        operation: action.word(),
        family: "punishment",
        surface: "gateway",
        guild: Some(guild),
        channel: None,
        fault: None,
        micros: None,
        personal: Personal {
            actor: by.map(|user| user.to_string()),
            target: Some(user.to_string()),
            parameters,
            message: None,
        },
    }
}
