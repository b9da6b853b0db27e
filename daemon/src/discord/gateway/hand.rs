//! Where serenity's events go: read down to what is used of them, and handed on.

use super::{Acknowledger, Pulse, Sight};
use crate::discord::accounts::{Account, Accounts};
use crate::discord::event::{self, GatewayEvent, GuildView, MemberFacts, RoleView, Unreadable};
use crate::discord::grants::{ChannelGrants, ForRole, Grants};
use serde_json::{Value, json};
use serenity::all::{
    Context, Event, Guild, Member, MfaLevel, PermissionOverwriteType, RawEventHandler, Role,
};
use serenity::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use wayhaven_shared::value::{ChannelId, GuildId, RoleId, Timestamp, Untrusted, UserId};

/// An event, with the shard it came on.
#[derive(Debug)]
pub struct Seen {
    /// The shard's number.
    pub shard: u32,
    /// What came.
    pub what: What,
}

/// What came.
#[derive(Debug)]
pub enum What {
    /// An event that is used.
    Event(GatewayEvent),
    /// An event of a kind that is used, and that cannot be read.
    Unreadable(Unreadable),
    /// Everything that had happened when this connection of the shard began has come, or a gap is known.
    CaughtUp(u64),
}

/// The shards whose events were dropped since it was looked at last, and whether what is known of guilds and roles is
/// stale by that.
#[derive(Debug, Default)]
pub struct Lost(Mutex<BTreeMap<u32, bool>>);

impl Lost {
    fn note(&self, shard: u32, stale: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(shard).or_default() |= stale;
    }

    /// Takes what was noted.
    pub fn take(&self) -> BTreeMap<u32, bool> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Where the handler puts events.
pub struct Hand {
    /// Events, to be worked in order.
    pub events: mpsc::Sender<Seen>,
    /// Interactions: a person waits for them, three seconds at most, whatever the events wait for.
    pub interactions: Acknowledger,
    /// What was dropped.
    pub lost: Arc<Lost>,
    /// What is learned of accounts by the way.
    pub accounts: Arc<Accounts>,
    /// The shards' pulses.
    pub pulses: Arc<[Pulse]>,
    /// Which shards tell what happens now.
    pub sight: Arc<Sight>,
}

#[async_trait]
impl RawEventHandler for Hand {
    async fn raw_event(&self, context: Context, event: Event) {
        let shard = context.shard_id.0;
        if let Event::GuildCreate(made) = &event
            && let Some(view) = guild_view(&made.guild)
        {
            // The largest of all, and thousands come at once: taken as serenity parsed it, and not written down again.
            return self.put(shard, What::Event(GatewayEvent::GuildHere(view)));
        }
        if let Event::GuildMemberAdd(joined) = &event
            && let Some(guild) = GuildId::new(joined.member.guild_id.get())
            && let Some(user) = UserId::new(joined.member.user.id.get())
        {
            // A raid's worth of them comes at once, and little of each is used.
            let bot = joined.member.user.bot || joined.member.user.system;
            let name = Some(joined.member.user.name.to_string());
            self.accounts.learn(Account { id: user, bot, name });
            let roles = joined.member.roles.iter().filter_map(|role| RoleId::new(role.get())).collect();
            let time = |at: serenity::model::Timestamp| {
                let millis = i64::try_from(at.unix_timestamp_nanos() / 1_000_000);
                Timestamp::from_millis(millis.unwrap_or(i64::MAX))
            };
            let facts = MemberFacts {
                joined_at: joined.member.joined_at.map(time),
                // Serenity does not say whether none was told.
                timeout: joined.member.communication_disabled_until.map(|until| Some(time(until))),
            };
            return self.put(shard, What::Event(GatewayEvent::Joined { guild, user, roles, facts }));
        }
        let Some((kind, data)) = raw(event) else { return };
        if kind == "INTERACTION_CREATE" {
            // Before the lock of the accounts, which another thread may hold.
            self.interactions.take(data.clone());
        }
        self.accounts.learn_of_event(&data);
        if kind == "INTERACTION_CREATE" {
            return;
        }
        let what = match event::read(&kind, &data) {
            Ok(Some(event)) => What::Event(event),
            Ok(None) => return,
            Err(unreadable) => What::Unreadable(unreadable),
        };
        if matches!(what, What::Event(GatewayEvent::Ready { .. }))
            && let Some(pulse) = self.pulses.get(shard as usize)
        {
            pulse.is_ready();
        }
        let begins = matches!(what, What::Event(GatewayEvent::Ready { .. } | GatewayEvent::Resumed));
        self.put(shard, what);
        if begins {
            self.put(shard, What::CaughtUp(self.sight.connection(shard)));
        }
    }
}

impl Hand {
    fn put(&self, shard: u32, what: What) {
        let stale = !matches!(
            what,
            What::Event(
                GatewayEvent::Ban { .. }
                    | GatewayEvent::Entry(_)
                    | GatewayEvent::Joined { .. }
                    | GatewayEvent::Left { .. }
            )
        );
        if self.events.try_send(Seen { shard, what }).is_err() {
            self.lost.note(shard, stale);
        }
    }
}

/// What is used of a guild.
fn guild_view(guild: &Guild) -> Option<GuildView> {
    let role = |role: &Role| {
        Some(RoleView {
            id: RoleId::new(role.id.get())?,
            position: i64::from(role.position),
            permissions: role.permissions.bits(),
            managed: role.managed,
        })
    };
    let member = |member: &Member| {
        let roles = member.roles.iter().filter_map(|role| RoleId::new(role.get())).collect();
        Some((UserId::new(member.user.id.get())?, roles))
    };
    let id = GuildId::new(guild.id.get())?;
    let channels = guild.channels.iter().filter_map(|(channel, shown)| {
        let allowed = shown.permission_overwrites.iter().filter_map(|one| match one.kind {
            PermissionOverwriteType::Role(role) => Some(ForRole {
                role: RoleId::new(role.get())?,
                allow: one.allow.bits(),
                deny: one.deny.bits(),
            }),
            _ => None,
        });
        Some((ChannelId::new(channel.get())?, ChannelGrants::of(id, allowed)))
    });
    Some(GuildView {
        id,
        grants: Grants::new(channels),
        name: Untrusted::clipped(&guild.name),
        owner: UserId::new(guild.owner_id.get())?,
        two_factor: guild.mfa_level == MfaLevel::Elevated,
        roles: guild.roles.values().filter_map(role).collect(),
        members: guild.members.values().filter_map(member).collect(),
    })
}

/// serenity's event back as name and data. What it could not parse it hands on as it came; of some that it could
/// it drops a field, which is put back.
fn raw(event: Event) -> Option<(String, Value)> {
    let dropped = match &event {
        Event::GuildRoleCreate(made) => Some(("guild_id", json!(made.role.guild_id))),
        Event::GuildRoleUpdate(changed) => Some(("guild_id", json!(changed.role.guild_id))),
        Event::InteractionCreate(done) => Some(("type", json!(u8::from(done.interaction.kind())))),
        _ => None,
    };
    if let Event::Unknown(unknown) = event {
        return Some((unknown.kind, serde_json::to_value(unknown.value).ok()?));
    }
    let mut encoded = serde_json::to_value(event).ok()?;
    let kind = encoded["t"].as_str()?.to_owned();
    let mut data = encoded["d"].take();
    if let Some((field, value)) = dropped {
        data[field] = value;
    }
    Some((kind, data))
}
