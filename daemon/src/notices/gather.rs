//! From events and audit to messages: who is told what. Pure reading of the store.

use super::wording;
use crate::discord::embed::lines::Line;
use crate::store::{NewNotice, NoticeCursor, Owed, Place, StoreError, View};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::names::Mentions;
use wayhaven_shared::operations::config::GuildConfig;
use wayhaven_shared::operations::job::{Job, JobResult};
use wayhaven_shared::operations::punishment::{Action, Delivery, DeliveryState, Origin};
use wayhaven_shared::operations::sync::Fate;
use wayhaven_shared::value::{GuildId, PunishmentId, Timestamp, UserId};
use wayhaven_shared::{Fault, Names};

/// How many events, and how many rows of the audit, are read at once.
const AT_ONCE: u64 = 5_000;

/// How many lines a guild is told at once in one place; what is beyond is counted.
const LINES: usize = 100;

/// How long deliveries may take before a main is told how far they are, in milliseconds.
const PATIENCE: i64 = 120_000;

/// What there is to tell.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Behind what was read.
    pub(super) cursor: NoticeCursor,
    /// The messages made of it.
    pub(super) notices: Vec<NewNotice>,
    /// Punishments whose deliveries go on: their guild is told later.
    pub(super) owed: Vec<Owed>,
    /// Punishments that nobody has to be told of any more.
    pub(super) settled: Vec<PunishmentId>,
    /// How long until one of those that are owed is told whatever its deliveries do.
    pub(super) next_due: Option<Duration>,
    /// Whether there is more to read.
    pub(super) more: bool,
    moved: bool,
}

impl Gathered {
    /// Whether anything of it has to be stored.
    pub(super) fn is_news(&self) -> bool {
        self.moved || !self.notices.is_empty() || !self.settled.is_empty()
    }
}

/// The cursor, where it belongs to this store and lies in it.
pub(super) fn cursor(view: &View<'_>, epoch: &str) -> Result<Option<NoticeCursor>, StoreError> {
    let now = view.notice_cursor_now(epoch)?;
    let fits = |stored: &NoticeCursor| {
        stored.epoch == now.epoch && stored.event <= now.event && stored.audit <= now.audit
    };
    Ok(view.notice_cursor()?.filter(fits))
}

/// Reads what is behind the cursor.
pub(super) fn gather(view: &View<'_>, epoch: &str, now: Timestamp) -> Result<Gathered, Fault> {
    let newest = view.notice_cursor_now(epoch)?;
    let from = cursor(view, epoch)?.unwrap_or_else(|| newest.clone());
    let limit = usize::try_from(AT_ONCE).unwrap_or(usize::MAX);
    let (mut events, gap) = view.events_after(from.event, limit)?;
    if gap {
        // What was dropped cannot be told, and what stands around the hole would be told out of place.
        tracing::warn!("notices skip events: more came than are kept");
        events.clear();
    }
    let reached = NoticeCursor {
        event: events.last().map_or(newest.event, |last| last.sequence),
        audit: newest.audit.min(from.audit + AT_ONCE),
        ..newest.clone()
    };
    let mut desk = Desk { view, configs: HashMap::new(), lines: BTreeMap::new() };
    let mut owed = view.owed()?;
    let known = owed.len();
    for event in events {
        match event.change {
            // Of an import the whole is told, and not a hundred thousand rows.
            Changed::Punishment { punishment } if punishment.origin == Origin::Import => {}
            Changed::Punishment { punishment } if desk.tells(punishment.guild_id, Place::Punishments)? => {
                owed.push(Owed { punishment: punishment.id, since: event.at });
            }
            Changed::Delivery { delivery } => desk.delivery(&delivery)?,
            Changed::Job { job } if !job.is_running() && !job.dry_run => desk.job(&job)?,
            // A flood of the same alert is told at its first, second, fourth, eighth … time.
            Changed::Alert { kind, guild_id, details, count, severity, .. } if count.is_power_of_two() => {
                desk.alert(guild_id, &wording::alert(&kind, severity, &details, count))?;
            }
            Changed::AlertResolved { alert } => {
                desk.alert(alert.guild_id, &wording::resolved(&alert))?;
            }
            _ => {}
        }
    }
    let mut gathered = Gathered {
        more: reached.event < newest.event || reached.audit < newest.audit,
        moved: reached != from,
        ..Gathered::default()
    };
    for (index, one) in owed.into_iter().enumerate() {
        match desk.decided(one, now)? {
            Some(due) => {
                gathered.next_due = Some(gathered.next_due.map_or(due, |next| next.min(due)));
                if index >= known {
                    gathered.owed.push(one);
                }
            }
            None if index < known => gathered.settled.push(one.punishment),
            None => {}
        }
    }
    for entry in view.audit_to_post(from.audit, reached.audit)? {
        if let Some(guild) = entry.guild_id {
            desk.add(guild, Place::Audit, wording::audit(&entry))?;
        }
    }
    gathered.notices = desk.messages()?;
    gathered.cursor = reached;
    Ok(gathered)
}

/// The lines so far, by guild and place.
struct Desk<'v> {
    view: &'v View<'v>,
    configs: HashMap<GuildId, GuildConfig>,
    lines: BTreeMap<(GuildId, Place), Vec<Line>>,
}

impl Desk<'_> {
    /// Whether a guild wants to be told such things.
    fn tells(&mut self, guild: GuildId, place: Place) -> Result<bool, StoreError> {
        if !self.configs.contains_key(&guild) {
            self.configs.insert(guild, self.view.config(guild)?);
        }
        Ok(self.configs.get(&guild).and_then(|config| place.channel(config)).is_some())
    }

    fn add(&mut self, guild: GuildId, place: Place, line: Line) -> Result<(), StoreError> {
        if self.tells(guild, place)? {
            self.lines.entry((guild, place)).or_default().push(line);
        }
        Ok(())
    }

    /// A delivery concerns the guild it went to, and is told there once Discord has answered.
    fn delivery(&mut self, delivery: &Delivery) -> Result<(), StoreError> {
        let answered =
            matches!(delivery.state, DeliveryState::Applied | DeliveryState::Failed | DeliveryState::Blocked);
        if !answered || !self.tells(delivery.guild_id, Place::Punishments)? {
            return Ok(());
        }
        let Some(punishment) = self.view.punishment(delivery.punishment_id)? else { return Ok(()) };
        if punishment.origin == Origin::Import {
            return Ok(());
        }
        let main = self.view.guild(punishment.guild_id)?.and_then(|guild| guild.name);
        let line = wording::delivered(delivery, &punishment, main.as_ref());
        self.add(delivery.guild_id, Place::Punishments, line)
    }

    /// An import is told to its main and to the children that something of it goes to, once each.
    fn job(&mut self, job: &Job) -> Result<(), StoreError> {
        let Some(JobResult::Imported(imported)) = &job.result else { return Ok(()) };
        let main = imported.main_guild_id;
        self.add(main, Place::Punishments, wording::imported(imported, job.state))?;
        let new = imported.count(Fate::New);
        if imported.hold.is_none() || new == 0 {
            return Ok(());
        }
        let name = self.view.guild(main)?.and_then(|guild| guild.name);
        let line = wording::import_comes(imported, new, name.as_ref());
        let children = crate::sync::plan::reached(&self.view.topology()?, main, Action::Ban);
        children.into_iter().try_for_each(|child| self.add(child, Place::Punishments, line.clone()))
    }

    /// An alert concerns the guild it is about; one about the daemon itself is for the mains, since a child must
    /// not learn of others by it.
    fn alert(&mut self, guild: Option<GuildId>, line: &Line) -> Result<(), StoreError> {
        let guilds = match guild {
            Some(guild) => vec![guild],
            None => self.view.topology()?.mains().collect(),
        };
        guilds.into_iter().try_for_each(|guild| self.add(guild, Place::Log, line.clone()))
    }

    /// Tells the guild where a punishment was decided how it went. Returns how long that still has to wait, where
    /// deliveries go on.
    fn decided(&mut self, owed: Owed, now: Timestamp) -> Result<Option<Duration>, StoreError> {
        let Some(punishment) = self.view.punishment(owed.punishment)? else { return Ok(None) };
        if !self.tells(punishment.guild_id, Place::Punishments)? {
            return Ok(None);
        }
        let counts = self.view.counts_of(owed.punishment)?;
        let origin = self.view.origin_of(owed.punishment)?;
        let moves = counts.pending + counts.sending + counts.unknown > 0
            || origin.as_ref().is_some_and(|origin| origin.state.is_moving());
        // A clock that was set back must not keep it waiting for longer.
        let waited = (now.millis() - owed.since.millis()).max(0);
        if moves && waited < PATIENCE {
            return Ok(Some(Duration::from_millis((PATIENCE - waited).unsigned_abs())));
        }
        self.add(
            punishment.guild_id,
            Place::Punishments,
            wording::decided(&punishment, counts, origin.as_ref()),
        )?;
        Ok(None)
    }

    fn messages(self) -> Result<Vec<NewNotice>, StoreError> {
        let mut notices = Vec::new();
        for ((guild, place), mut lines) in self.lines {
            let beyond = lines.len().saturating_sub(LINES);
            lines.truncate(LINES);
            if beyond > 0 {
                lines.push(wording::beyond(beyond, place));
            }
            name(self.view, guild, &mut lines)?;
            let messages = wording::messages(place, &lines).into_iter();
            notices.extend(messages.map(|body| NewNotice { guild, place, body }));
        }
        Ok(notices)
    }
}

/// Puts names beside the ids in lines for a guild: those of users, and its own. What other guilds are called is said by
/// who words the line, where the guild may know it.
fn name(view: &View<'_>, guild: GuildId, lines: &mut [Line]) -> Result<(), StoreError> {
    let mut mentions = Mentions::default();
    lines.iter().flat_map(|line| &line.pieces).for_each(|piece| piece.mentions(&mut mentions));
    let quoted = mentions.quoted.iter().copied().filter_map(UserId::new);
    let users: Vec<UserId> = mentions.users.iter().copied().chain(quoted).collect();
    let users = view.user_names(&users)?.into_iter().map(|seen| (seen.user, seen.name)).collect();
    let own = view.guild(guild)?.and_then(|known| known.name);
    let names = Names { users, guilds: own.map(|name| (guild, name)).into_iter().collect() };
    lines.iter_mut().flat_map(|line| &mut line.pieces).for_each(|piece| piece.name(&names));
    Ok(())
}
