//! `drill`: dry runs of a network.

mod run;

use super::{Handle, PAGE};
use crate::context::Context;
use crate::invocation::concealed;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::drill::{Drill, DrillList, DrillRun, DrillShow, Drills};
use wayhaven_shared::operations::job::Job;
use wayhaven_shared::value::PageSize;

impl Handle for DrillRun {
    async fn handle(self, cx: &Context) -> Result<Job, Fault> {
        let main = super::setup::main_guild(cx).await?;
        run::begin(cx, main, self.user).await
    }
}

impl Handle for DrillList {
    async fn handle(self, cx: &Context) -> Result<Drills, Fault> {
        let (scope, limit) = (cx.scope(), self.limit.map_or(PAGE, PageSize::get));
        let drills = cx.services.store().read(move |view| Ok(view.drills(scope, limit)?)).await?;
        Ok(Drills { drills: drills.into_iter().map(|drill| discreet(cx, drill)).collect() })
    }
}

impl Handle for DrillShow {
    async fn handle(self, cx: &Context) -> Result<Drill, Fault> {
        let (scope, id) = (cx.scope(), self.id);
        let found = cx.services.store().read(move |view| Ok(view.drill(id)?)).await?;
        let found = found.filter(|drill| scope.is_none_or(|scope| drill.main_guild_id == scope));
        let found = found.ok_or_else(|| {
            Fault::not_found(format!("there is no drill {id} here")).hint("drill list shows those there are")
        })?;
        Ok(discreet(cx, found))
    }
}

/// In a guild nobody learns which operator it was.
fn discreet(cx: &Context, drill: Drill) -> Drill {
    if cx.is_member() { Drill { asked_by: concealed(&drill.asked_by), ..drill } } else { drill }
}

#[cfg(test)]
mod tests;
