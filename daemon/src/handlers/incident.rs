//! `incident`: from the moment at which somebody says so to the moment at which it is over.

use super::sync::refreeze;
use super::{Handle, PAGE};
use crate::context::Context;
use crate::invocation::concealed;
use crate::network::Freeze;
use crate::store::{Change, Severity, View};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::incident::{
    Incident, IncidentChanged, IncidentClose, IncidentDetail, IncidentList, IncidentOpen, IncidentShow,
    Incidents,
};
use wayhaven_shared::value::{GuildId, PageSize, Untrusted};

/// The kind of alert that tells of an incident while it is open.
const OPEN: &str = "incident";

impl Handle for IncidentOpen {
    async fn handle(self, cx: &Context) -> Result<IncidentChanged, Fault> {
        let (guild, dry_run) = (place(cx, self.freeze).await?, cx.invocation.dry_run);
        let (by, reason) = (cx.invocation.actor.audit_name(), self.reason);
        let member = cx.invocation.actor.user();
        let frozen = cx.services.store().topology().freeze(guild);
        // Whoever has frozen it but for reversals meant that; an incident makes it no less.
        let freeze = (self.freeze && frozen != Some(Freeze::Everything)).then_some(Some(Freeze::Everything));
        if dry_run {
            let plan = cx.services.store().read(move |view| {
                none_open(view, guild)?;
                freeze
                    .map(|freeze| refreeze::planned(view, guild, freeze))
                    .transpose()
                    .map(|moved| moved.map(|moved| moved.counted))
            });
            let deliveries = plan.await?.or(self.freeze.then_some(0));
            return Ok(IncidentChanged { detail: None, closed: false, deliveries, dry_run });
        }
        let work = move |change: &Change<'_>| {
            none_open(change, guild)?;
            let deliveries = freeze
                .map(|freeze| refreeze::apply(change, guild, freeze))
                .transpose()?
                .map(|moved| moved.counted);
            let incident = change.open_an_incident(guild, &reason, freeze.is_some(), &by)?;
            let details = format!("incident {} was opened: {}", incident.id, reason.raw());
            change.alert(OPEN, Severity::High, Some(guild), member, &details)?;
            let collected = change.collected(&incident)?;
            Ok((IncidentDetail { incident, collected }, deliveries))
        };
        let (detail, deliveries) = cx.services.store().write(work).await?;
        let detail = Some(discreet(cx, detail));
        Ok(IncidentChanged {
            detail,
            closed: false,
            deliveries: deliveries.or(self.freeze.then_some(0)),
            dry_run,
        })
    }
}

impl Handle for IncidentClose {
    async fn handle(self, cx: &Context) -> Result<IncidentChanged, Fault> {
        let (guild, dry_run) = (place(cx, self.resume).await?, cx.invocation.dry_run);
        let (by, conclusion) = (cx.invocation.actor.audit_name(), self.conclusion);
        let frozen = cx.services.store().topology().freeze(guild).is_some();
        let thaw = (self.resume && frozen).then_some(None);
        if dry_run {
            let plan = cx.services.store().read(move |view| {
                let incident = the_open_one(view, guild)?;
                let deliveries = thaw
                    .map(|freeze| refreeze::planned(view, guild, freeze))
                    .transpose()?
                    .map(|moved| moved.counted);
                let collected = view.collected(&incident)?;
                Ok((IncidentDetail { incident, collected }, deliveries))
            });
            let (detail, deliveries) = plan.await?;
            let detail = Some(discreet(cx, detail));
            return Ok(IncidentChanged {
                detail,
                closed: true,
                deliveries: deliveries.or(self.resume.then_some(0)),
                dry_run,
            });
        }
        let work = move |change: &Change<'_>| {
            let open = the_open_one(change, guild)?;
            // Before it is closed: what goes on by it belongs to it.
            let deliveries = thaw
                .map(|freeze| refreeze::apply(change, guild, freeze))
                .transpose()?
                .map(|moved| moved.counted);
            let words = conclusion.as_ref().map_or("it is over", Untrusted::raw);
            let reason = Untrusted::clipped(&format!("incident {} was closed: {words}", open.id));
            change.resolve_alerts(OPEN, guild, &by, &reason)?;
            let incident = change.close_incident(&open, conclusion.as_ref(), &by)?;
            let collected = change.collected(&incident)?;
            Ok((IncidentDetail { incident, collected }, deliveries))
        };
        let (detail, deliveries) = cx.services.store().write(work).await?;
        let detail = Some(discreet(cx, detail));
        Ok(IncidentChanged {
            detail,
            closed: true,
            deliveries: deliveries.or(self.resume.then_some(0)),
            dry_run,
        })
    }
}

impl Handle for IncidentList {
    async fn handle(self, cx: &Context) -> Result<Incidents, Fault> {
        let (scope, limit) = (cx.scope(), self.limit.map_or(PAGE, PageSize::get));
        let read = cx.services.store().read(move |view| Ok(view.incidents(scope, self.cursor, limit)?));
        let mut incidents = read.await?;
        if cx.is_member() {
            incidents.iter_mut().for_each(conceal);
        }
        let next = incidents.last().map(|last| last.id).filter(|_| incidents.len() == usize::from(limit));
        Ok(Incidents { incidents, next })
    }
}

impl Handle for IncidentShow {
    async fn handle(self, cx: &Context) -> Result<IncidentDetail, Fault> {
        let (scope, id) = (cx.scope(), self.id);
        let read = cx.services.store().read(move |view| {
            let incident = view.incident(id)?.filter(|one| scope.is_none_or(|scope| one.guild_id == scope));
            let Some(incident) = incident else { return Ok(None) };
            let collected = view.collected(&incident)?;
            Ok(Some(IncidentDetail { incident, collected }))
        });
        let found = read.await?.ok_or_else(|| {
            Fault::not_found(format!("there is no incident {id} here"))
                .hint("incident list shows those there are")
        })?;
        Ok(discreet(cx, found))
    }
}

/// The guild of an incident; a main where its propagation is to be frozen or to go on.
async fn place(cx: &Context, of_main: bool) -> Result<GuildId, Fault> {
    if of_main { super::setup::main_guild(cx).await } else { cx.guild() }
}

fn none_open(view: &View<'_>, guild: GuildId) -> Result<(), Fault> {
    match view.open_incident(guild)? {
        None => Ok(()),
        Some(open) => Err(Fault::conflict(format!("incident {} is open in guild {guild} already", open.id))
            .hint(format!("incident show {} tells what it is about, incident close ends it", open.id))),
    }
}

fn the_open_one(view: &View<'_>, guild: GuildId) -> Result<Incident, Fault> {
    view.open_incident(guild)?.ok_or_else(|| {
        Fault::conflict(format!("no incident is open in guild {guild}"))
            .hint("incident list shows those that were")
    })
}

fn conceal(incident: &mut Incident) {
    incident.opened_by = concealed(&incident.opened_by);
    incident.closed_by = incident.closed_by.as_ref().map(concealed);
}

/// In a guild nobody learns which operator it was.
fn discreet(cx: &Context, mut detail: IncidentDetail) -> IncidentDetail {
    if cx.is_member() {
        conceal(&mut detail.incident);
    }
    detail
}

#[cfg(test)]
mod tests;
