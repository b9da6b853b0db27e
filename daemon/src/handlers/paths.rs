//! `paths`: where everything lies.

use super::Handle;
use crate::context::Context;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::paths::{PathList, Paths};

impl Handle for Paths {
    async fn handle(self, cx: &Context) -> Result<PathList, Fault> {
        Ok(PathList::from(cx.services.layout()))
    }
}
