//! `alert`: what a person should look at.

use super::{Handle, PAGE};
use crate::context::Context;
use crate::invocation::concealed;
use crate::store::AlertFilter;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::alert::{Alert, AlertList, AlertResolve, AlertResolved, AlertShow, Alerts};
use wayhaven_shared::value::{AlertId, PageSize};

impl Handle for AlertList {
    async fn handle(self, cx: &Context) -> Result<Alerts, Fault> {
        let guild = cx.scope();
        let filter = AlertFilter {
            guild,
            all: self.all,
            severity: self.severity,
            kind: self.kind.map(|kind| kind.raw().to_owned()),
            before: self.cursor,
        };
        let limit = self.limit.map_or(PAGE, PageSize::get);
        let read = cx
            .services
            .store()
            .read(move |view| Ok((view.alerts(&filter, limit)?, view.open_alerts(guild)?)));
        let (alerts, open) = read.await?;
        let alerts: Vec<Alert> = alerts.into_iter().map(|alert| discreet(cx, alert)).collect();
        let next = alerts.last().map(|last| last.id).filter(|_| alerts.len() == usize::from(limit));
        Ok(Alerts { alerts, open, next })
    }
}

impl Handle for AlertShow {
    async fn handle(self, cx: &Context) -> Result<Alert, Fault> {
        named(cx, self.id).await
    }
}

impl Handle for AlertResolve {
    async fn handle(self, cx: &Context) -> Result<AlertResolved, Fault> {
        let (dry_run, id) = (cx.invocation.dry_run, self.id);
        let alert = named(cx, id).await?;
        if alert.resolved.is_some() || dry_run {
            return Ok(AlertResolved { already: alert.resolved.is_some(), alert, dry_run });
        }
        let (by, reason) = (cx.invocation.actor.audit_name(), self.reason);
        let work = move |change: &crate::store::Change<'_>| Ok(change.resolve_alert(id, &by, &reason)?);
        let resolved = cx.services.store().write(work).await?;
        // Somebody else may have come first.
        Ok(AlertResolved { alert: named(cx, id).await?, already: !resolved, dry_run })
    }
}

/// An alert that somebody names, if it is about the guild in which they ask.
async fn named(cx: &Context, id: AlertId) -> Result<Alert, Fault> {
    let scope = cx.scope();
    let alert = cx.services.store().read(move |view| Ok(view.alert_of(id)?)).await?;
    let alert = alert.filter(|alert| scope.is_none() || alert.guild_id == scope);
    let alert = alert.ok_or_else(|| {
        Fault::not_found(format!("there is no alert {id} here"))
            .hint("alert list --all shows those there are")
    })?;
    Ok(discreet(cx, alert))
}

/// In a guild nobody learns which operator it was.
fn discreet(cx: &Context, mut alert: Alert) -> Alert {
    if let Some(resolved) = alert.resolved.as_mut().filter(|_| cx.is_member()) {
        resolved.by = concealed(&resolved.by);
    }
    alert
}

#[cfg(test)]
mod tests;
