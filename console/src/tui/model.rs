//! What the daemon told: networks and the deliveries of punishments, kept current by events, in bounded memory.

use super::input::Snapshot;
use shared::event::Change;
use shared::names::{self, Names};
use shared::operations::alert::Severity;
use shared::operations::job::Job;
use shared::operations::punishment::{Delivery, DeliveryCounts, DeliveryState, Punishment};
use shared::operations::setup::{Child, Network};
use shared::operations::status::DaemonStatus;
use shared::report::Tone;
use shared::value::{DeliveryId, GuildId, PunishmentId, Untrusted};
use std::collections::BTreeMap;
use wayhaven_shared as shared;

/// How many deliveries are kept one by one; older ones that are done are only counted.
const MOST_DELIVERIES: usize = 5_000;

/// How many names are kept.
const MOST_NAMES: usize = 20_000;

/// How many punishments without deliveries are kept.
const MOST_GROUPS: usize = 1_000;

/// One punishment with what is known of its deliveries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    /// The decision, where it was told.
    pub(crate) punishment: Option<Punishment>,
    /// How it went where it was decided, where that was told.
    pub(crate) origin: Option<Delivery>,
    /// Its deliveries.
    pub(crate) deliveries: BTreeMap<DeliveryId, Delivery>,
    /// Those that are only counted any more.
    pub(crate) folded: DeliveryCounts,
}

impl Group {
    /// All its deliveries by state.
    pub(crate) fn counts(&self) -> DeliveryCounts {
        let mut counts = self.folded;
        self.deliveries.values().for_each(|delivery| *counts.of(delivery.state) += 1);
        counts
    }

    /// Whether a person should look, or something is still on its way.
    pub(crate) fn is_lively(&self) -> bool {
        let counts = self.counts();
        let origin = self.origin.as_ref().is_some_and(|origin| origin.state != DeliveryState::Applied);
        counts.open() + counts.attention() > 0 || origin
    }

    /// From stored to applied, in milliseconds: the median and the 99th percentile.
    pub(crate) fn latencies(&self) -> Option<(i64, i64)> {
        let applied = self.deliveries.values().filter(|delivery| delivery.state == DeliveryState::Applied);
        let mut spans: Vec<i64> =
            applied.map(|delivery| delivery.updated_at.millis() - delivery.created_at.millis()).collect();
        spans.sort_unstable();
        let at = |percent: usize| spans.get((spans.len().saturating_sub(1)) * percent / 100).copied();
        Some((at(50)?, at(99)?))
    }
}

/// What an event means beyond the model.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// Nothing.
    Nothing,
    /// The networks are to be read anew.
    Reread,
    /// Something a person may want to know.
    Tell(Tone, String),
}

/// Everything known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    /// The daemon, as last told.
    pub(crate) status: Option<DaemonStatus>,
    /// Mains with their children; nothing before the first reading.
    pub(crate) networks: Option<Vec<Network>>,
    /// Punishments, by number.
    pub(crate) groups: BTreeMap<PunishmentId, Group>,
    /// Names of users and guilds, as they came with replies and events.
    pub(crate) names: Names,
    kept: usize,
}

impl Model {
    /// Everything anew; what a failed reading left out stays as it was.
    pub(crate) fn replace(&mut self, snapshot: Snapshot) {
        self.status = snapshot.status.or(self.status.take());
        self.networks = snapshot.dashboard.map(|dashboard| dashboard.networks).or(self.networks.take());
        self.groups.clear();
        self.kept = 0;
        for punishment in snapshot.punishments {
            self.decided(punishment);
        }
        snapshot.deliveries.into_iter().for_each(|delivery| self.keep(delivery));
        self.sort_children();
        self.bound();
    }

    /// Takes up names. Beyond a bound the earlier ones are forgotten: what is read anew brings them along again.
    pub(crate) fn learn(&mut self, names: Names) {
        if self.names.users.len() + self.names.guilds.len() > MOST_NAMES {
            self.names = Names::default();
        }
        self.names.add(names);
    }

    /// One change.
    pub(crate) fn apply(&mut self, change: Change) -> Consequence {
        match change {
            Change::Punishment { punishment } => {
                self.decided(punishment);
                self.bound();
            }
            Change::Delivery { delivery } => {
                self.count(&delivery);
                self.keep(delivery);
                self.sort_children();
                self.bound();
            }
            Change::Origin { delivery } => {
                let group = self.groups.entry(delivery.punishment_id).or_default();
                group.origin = Some(delivery);
            }
            Change::Told { .. } => {}
            Change::Network { .. } => return Consequence::Reread,
            Change::Guild { guild_id, name, presence } => self.guild(guild_id, name, presence),
            Change::Contained { guild_id, action, user_id, .. } => {
                let name = self.guild_name(guild_id);
                let whom = self.names.user(user_id);
                return Consequence::Tell(Tone::Quiet, format!("contained: {action} of {whom} in {name}"));
            }
            Change::Alert { kind, details, count, severity, .. } => {
                if let Some(status) = self.status.as_mut().filter(|_| count == 1) {
                    status.alerts += 1;
                }
                let details = names::with_names(&details.line(), &self.names, false);
                let text = format!("alert {}: {details} (×{count})", Untrusted::clipped(&kind).line());
                return Consequence::Tell(severity.map_or(Tone::Warning, Severity::tone), text);
            }
            Change::AlertResolved { alert } => {
                if let Some(status) = &mut self.status {
                    status.alerts = status.alerts.saturating_sub(1);
                }
                return Consequence::Tell(
                    Tone::Quiet,
                    format!("alert {} ({}) is resolved", alert.id, alert.kind),
                );
            }
            Change::Incident { incident } => {
                let name = self.guild_name(incident.guild_id);
                let (tone, word) =
                    if incident.is_open() { (Tone::Bad, "open") } else { (Tone::Good, "closed") };
                let text =
                    format!("incident {} in {name} is {word}: {}", incident.id, incident.reason.line());
                return Consequence::Tell(tone, text);
            }
            Change::Discord { connection } => {
                let reason =
                    connection.reason.as_deref().map_or(String::new(), |reason| format!(": {reason}"));
                let tell = (connection.tone(), format!("discord {}{reason}", connection.state.word()));
                if let Some(status) = &mut self.status {
                    status.discord = connection;
                }
                return Consequence::Tell(tell.0, tell.1);
            }
            // What is found an alert tells; that it is mended nothing else does.
            Change::Examined { guild_id, ills } if ills.is_empty() => {
                let name = self.guild_name(guild_id);
                return Consequence::Tell(Tone::Good, format!("nothing stops deliveries to {name} any more"));
            }
            Change::Job { job } => {
                let place =
                    job.guild_id.map_or_else(String::new, |guild| format!(" of {}", self.guild_name(guild)));
                let kind = job.kind.words();
                let text = format!("job {}: the {kind}{place} is {}", job.id, job.state.word());
                let tell = (!job.is_running()).then(|| Consequence::Tell(job.state.tone(), text));
                self.job(*job);
                return tell.unwrap_or(Consequence::Nothing);
            }
            Change::Exception { exception, ended } => {
                let (name, measure) = (self.guild_name(exception.guild_id), exception.measure);
                let what = if ended { "ended: exception" } else { "exception" };
                let whom = self.names.user(exception.user_id);
                let text = format!("{what} from a {measure} of {whom} in {name}");
                return Consequence::Tell(Tone::Quiet, text);
            }
            Change::Examined { .. } | Change::Other => {}
        }
        Consequence::Nothing
    }

    /// The name of a guild, or its id.
    pub(crate) fn guild_name(&self, guild: GuildId) -> String {
        let networks = self.networks.iter().flatten();
        let mains = networks.clone().map(|network| (network.main_guild_id, &network.main_name));
        let children = networks.flat_map(|network| &network.children);
        let children = children.map(|child| (child.link.child_guild_id, &child.link.child_name));
        let named = mains.chain(children).find(|(id, _)| *id == guild).and_then(|(_, name)| name.as_ref());
        named.or(self.names.guilds.get(&guild)).map_or_else(|| guild.to_string(), Untrusted::line)
    }

    fn decided(&mut self, punishment: Punishment) {
        let group = self.groups.entry(punishment.id).or_default();
        group.punishment = Some(punishment);
    }

    fn keep(&mut self, delivery: Delivery) {
        let group = self.groups.entry(delivery.punishment_id).or_default();
        self.kept += usize::from(group.deliveries.insert(delivery.id, delivery).is_none());
    }

    /// The counts beside a child: its open deliveries and those that failed, as the dashboard defines them.
    fn count(&mut self, new: &Delivery) {
        let counted = |state: DeliveryState| !state.is_final() || state == DeliveryState::Failed;
        let group = self.groups.get(&new.punishment_id);
        let old = group.and_then(|group| group.deliveries.get(&new.id)).map(|delivery| delivery.state);
        let children = self.networks.iter_mut().flatten().flat_map(|network| &mut network.children);
        for child in children.filter(|child| child.link.child_guild_id == new.guild_id) {
            if let Some(old) = old.filter(|state| counted(*state)) {
                let count = child.deliveries.of(old);
                *count = count.saturating_sub(1);
            }
            if counted(new.state) {
                *child.deliveries.of(new.state) += 1;
            }
            match new.state {
                DeliveryState::Blocked => child.reason.clone_from(&new.reason),
                _ if child.deliveries.blocked == 0 => child.reason = None,
                _ => {}
            }
        }
    }

    /// What goes on in a child, and then not any more.
    fn job(&mut self, job: Job) {
        let concerns = |main: GuildId| job.main_guild_id.is_none_or(|of| of == main) && !job.dry_run;
        let networks = self.networks.iter_mut().flatten().filter(|network| concerns(network.main_guild_id));
        let children = networks.flat_map(|network| &mut network.children);
        for child in children.filter(|child| Some(child.link.child_guild_id) == job.guild_id) {
            // Of several the one that was there first is shown, as in the dashboard.
            match &child.job {
                Some(shown) if shown.id != job.id => {}
                _ => child.job = job.is_running().then(|| Box::new(job.clone())),
            }
        }
    }

    fn guild(&mut self, guild: GuildId, name: Option<Untrusted>, presence: String) {
        for network in self.networks.iter_mut().flatten() {
            if network.main_guild_id == guild {
                network.presence.clone_from(&presence);
                network.main_name = name.clone().or(network.main_name.take());
            }
            for child in network.children.iter_mut().filter(|child| child.link.child_guild_id == guild) {
                child.presence.clone_from(&presence);
                child.link.child_name = name.clone().or(child.link.child_name.take());
            }
        }
        self.sort_children();
    }

    /// Those that need a person first; otherwise in an order that does not jump.
    fn sort_children(&mut self) {
        let urgency = |child: &Child| match child.health().1 {
            Tone::Bad => 0,
            Tone::Warning => 1,
            Tone::Waiting => 2,
            _ => 3,
        };
        for network in self.networks.iter_mut().flatten() {
            network.children.sort_by_key(|child| (urgency(child), child.link.id));
        }
    }

    /// Lets go of the oldest that is done: whole punishments first, then one by one into their counts.
    fn bound(&mut self) {
        while self.kept > MOST_DELIVERIES || self.groups.len() > MOST_GROUPS {
            let quiet = self.groups.iter().find(|(_, group)| !group.is_lively()).map(|(id, _)| *id);
            match quiet.filter(|id| self.groups.len() > 1 && Some(id) != self.groups.keys().last()) {
                Some(id) => {
                    let gone = self.groups.remove(&id).map_or(0, |group| group.deliveries.len());
                    self.kept -= gone;
                }
                None if !self.fold_one() => return,
                None => {}
            }
        }
    }

    /// Counts the oldest final delivery instead of keeping it; an open one where nothing is final.
    fn fold_one(&mut self) -> bool {
        for wanted in [true, false] {
            for group in self.groups.values_mut() {
                let done = group.deliveries.values().find(|delivery| delivery.state.is_final() == wanted);
                if let Some((id, state)) = done.map(|delivery| (delivery.id, delivery.state)) {
                    group.deliveries.remove(&id);
                    *group.folded.of(state) += 1;
                    self.kept -= 1;
                    return true;
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::samples::{delivery, snapshot};

    #[test]
    fn a_delivery_that_settles_leaves_its_childs_count() {
        let mut model = Model::default();
        model.replace(snapshot());
        let open = |model: &Model| {
            model.networks.as_ref().unwrap()[0].children.iter().map(|c| c.deliveries.open()).sum::<u64>()
        };
        let before = open(&model);
        assert!(before > 0);
        let ids: Vec<(u64, u64)> = vec![(902, 2002)];
        for (id, guild) in ids {
            model.apply(Change::Delivery { delivery: delivery(id, 42, guild, "applied", None) });
        }
        assert_eq!(open(&model), before - 1);
    }

    #[test]
    fn memory_is_bounded_and_what_needs_a_person_stays() {
        let mut model = Model::default();
        model.apply(Change::Delivery { delivery: delivery(1, 1, 7, "blocked", Some("403")) });
        for number in 2..MOST_DELIVERIES as u64 + 200 {
            let punishment = 2 + number / 100;
            model.apply(Change::Delivery { delivery: delivery(number, punishment, 7, "applied", None) });
        }
        assert!(model.kept <= MOST_DELIVERIES);
        assert_eq!(model.kept, model.groups.values().map(|group| group.deliveries.len()).sum::<usize>());
        let blocked = &model.groups[&PunishmentId::new(1).unwrap()];
        assert!(blocked.deliveries.contains_key(&DeliveryId::new(1).unwrap()));
    }

    #[test]
    fn one_punishment_of_too_many_deliveries_is_counted_and_nothing_is_lost_of_the_counts() {
        let mut model = Model::default();
        let total = MOST_DELIVERIES as u64 + 50;
        for number in 1..=total {
            model.apply(Change::Delivery { delivery: delivery(number, 9, 7, "applied", None) });
        }
        let group = &model.groups[&PunishmentId::new(9).unwrap()];
        assert_eq!((group.counts().applied, model.kept), (total, MOST_DELIVERIES));
    }
}
