//! `audit`: who asked for what.

use super::{Handle, PAGE};
use crate::invocation::Context;
use crate::store::AuditFilter;
use wayhaven_shared::operations::audit::{AuditEntries, AuditLog};
use wayhaven_shared::value::{PageSize, Timestamp, WindowDays};
use wayhaven_shared::{Fault, grammar};

/// How far back the log looks where nobody says, in days (the seed's figure).
const DAYS: u16 = 30;

impl Handle for AuditLog {
    async fn handle(self, cx: &Context) -> Result<AuditEntries, Fault> {
        let operation = self.operation.map(|name| name.raw().to_owned());
        if let Some(name) = &operation
            && grammar::find(name).is_none()
        {
            let shown = wayhaven_shared::value::Untrusted::clipped(name).line_within(40);
            return Err(Fault::usage(format!("there is no operation \"{shown}\""))
                .hint("write its words as on the command line: --operation='setup add-child'"));
        }
        let days = self.days.map_or(DAYS, WindowDays::get);
        let since = cx.daemon.clock().now().millis() - i64::from(days) * 86_400_000;
        let filter = AuditFilter {
            target: self.user,
            actor: self.by,
            operation,
            result: self.result,
            guild: cx.scope(),
            since: Some(Timestamp::from_millis(since)),
        };
        let limit = self.limit.map_or(PAGE, PageSize::get);
        let entries = cx.daemon.store().read(move |view| Ok(view.audit_entries(&filter, limit)?)).await?;
        Ok(AuditEntries { entries })
    }
}
