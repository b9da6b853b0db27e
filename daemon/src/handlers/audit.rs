//! `audit`: who asked for what.

use super::punishment::warnings;
use super::{Handle, PAGE};
use crate::audit::export;
use crate::audit::rows::NO_OPERATIONS;
use crate::context::Context;
use crate::store::{AuditFilter, AuditFrom};
use wayhaven_shared::operations::audit::{
    AuditEntries, AuditExport, AuditFigures, AuditLog, AuditStats, AuditVerify, AuditWarnings, Warnings,
};
use wayhaven_shared::operations::job::Job;
use wayhaven_shared::operations::sync::ListFormat;
use wayhaven_shared::value::{AuditId, PageSize, Timestamp, WindowDays};
use wayhaven_shared::{Fault, grammar};

/// How far back the log looks where nobody says, in days (the seed's figure).
const DAYS: u16 = 30;

/// The same for the figures.
const DAYS_OF_STATS: u16 = 7;

/// The beginning of a window of days that ends now.
fn since(cx: &Context, days: u16) -> Timestamp {
    Timestamp::from_millis(cx.services.clock().now().millis() - i64::from(days) * 86_400_000)
}

impl Handle for AuditLog {
    async fn handle(self, cx: &Context) -> Result<AuditEntries, Fault> {
        let operation = self.operation.map(|name| name.raw().to_owned());
        if let Some(name) = &operation
            && grammar::find(name).is_none()
            && !NO_OPERATIONS.contains(&name.as_str())
        {
            let shown = wayhaven_shared::value::Untrusted::clipped(name).line_within(40);
            return Err(Fault::usage(format!("there is no operation \"{shown}\""))
                .hint("write its words as on the command line: --operation='setup add-child'"));
        }
        if self.operator.is_some() && cx.is_member() {
            return Err(Fault::denied("which operator it was is not told in a guild"));
        }
        let actor = match (self.by, &self.operator) {
            (Some(user), _) => Some(user.to_string()),
            (None, Some(operator)) => {
                Some(crate::invocation::operator_name(cx.systems.operators.uid_of(operator).await?))
            }
            (None, None) => None,
        };
        let filter = AuditFilter {
            target: self.user,
            actor,
            about: None,
            operation,
            result: self.result,
            guild: cx.scope(),
            since: Some(since(cx, self.days.map_or(DAYS, WindowDays::get))),
        };
        let limit = self.limit.map_or(PAGE, PageSize::get);
        let from = AuditFrom::Below(self.cursor.map_or(u64::MAX, AuditId::get));
        let read = cx.services.store().read(move |view| Ok(view.audit_entries(&filter, from, limit)?));
        let mut entries = read.await?;
        if cx.is_member() {
            entries.iter_mut().for_each(crate::invocation::conceal);
        }
        let last = entries.last().filter(|_| entries.len() == usize::from(limit));
        let next = last.and_then(|last| AuditId::new(last.sequence));
        Ok(AuditEntries { entries, next })
    }
}

impl Handle for AuditStats {
    async fn handle(self, cx: &Context) -> Result<AuditFigures, Fault> {
        let days = self.days.map_or(DAYS_OF_STATS, WindowDays::get);
        let (guild, since, discreet) = (cx.scope(), since(cx, days), cx.is_member());
        let read =
            cx.services.store().read(move |view| Ok(view.audit_figures(guild, since, days, discreet)?));
        read.await
    }
}

impl Handle for AuditWarnings {
    async fn handle(self, cx: &Context) -> Result<Warnings, Fault> {
        let (guild_id, user_id) = (cx.guild()?, self.user);
        let (limit, now) = (self.limit.map_or(PAGE, PageSize::get), cx.services.clock().now());
        let read = cx.services.store().read(move |view| {
            let given = view.warnings_given(guild_id, user_id, self.cursor, limit)?;
            Ok((given, warnings::standing(view, guild_id, user_id, now)?, view.config(guild_id)?))
        });
        let (given, counting, config) = read.await?;
        let next = given.last().map(|last| last.id).filter(|_| given.len() == usize::from(limit));
        let step = config.warnings.next(counting + 1);
        let next_leads_to = step.map(|step| match u64::from(step.warnings()) {
            at if at == counting + 1 => step.words(),
            at => format!("counts; at {at} warnings: {}", step.words()),
        });
        Ok(Warnings { guild_id, user_id, counting, next_leads_to, warnings: given, next })
    }
}

impl Handle for AuditExport {
    async fn handle(self, cx: &Context) -> Result<Job, Fault> {
        let filter = AuditFilter {
            about: self.user,
            guild: cx.scope(),
            since: self.days.map(|days| since(cx, days.get())),
            ..AuditFilter::default()
        };
        let format = self.format.unwrap_or(ListFormat::Json);
        let export = export::Export { filter, format, discreet: cx.is_member() };
        cx.systems.audit.export(export, cx.invocation.actor.audit_name(), cx.invocation.dry_run).await
    }
}

impl Handle for AuditVerify {
    async fn handle(self, cx: &Context) -> Result<Job, Fault> {
        cx.systems.audit.verify(cx.scope(), self.noted, cx.invocation.actor.audit_name()).await
    }
}

#[cfg(test)]
mod tests;
