//! `setup accept`, `decline`, `leave`: what a child has to say about its links, asked for in the child.

use super::link::{change_link, open_link, terms};
use super::plan::{After, Answer, Plan};
use super::{check_presence, refuse_locked};
use crate::context::Context;
use crate::handlers::Handle;
use crate::network::LinkState;
use crate::store::View;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::setup::{Link, LinkChanged, SetupAccept, SetupDecline, SetupLeave};
use wayhaven_shared::value::GuildId;

/// The link that a main has, or proposes, to the guild in which it is asked for.
fn link_to(view: &View<'_>, main: GuildId, child: GuildId) -> Result<Link, Fault> {
    let link = open_link(view, main, child)?.ok_or_else(|| {
        Fault::not_found(format!("guild {main} has no link to guild {child}, and proposes none"))
            .hint("setup dashboard lists the links and proposals of this guild")
    })?;
    refuse_locked(view, main)?;
    refuse_locked(view, child)?;
    Ok(link)
}

/// A proposal that waits for the guild's answer: a link, or wider terms of one.
fn proposal(view: &View<'_>, main: GuildId, child: GuildId) -> Result<Link, Fault> {
    let link = link_to(view, main, child)?;
    if link.is_agreed() && link.asked_of_child().is_none() {
        return Err(Fault::conflict(format!("guild {child} has agreed to the link of main {main} already"))
            .hint(format!("setup leave {main} ends it")));
    }
    Ok(link)
}

impl Handle for SetupAccept {
    async fn handle(self, cx: &Context) -> Result<LinkChanged, Fault> {
        let (main, child, backfill) = (self.main, cx.guild()?, !self.no_backfill);
        check_presence(cx, child)?;
        let plan = move |view: &View<'_>| {
            let before = proposal(view, main, child)?;
            let wanted = before.proposed.clone().unwrap_or_else(|| terms(&before));
            let after = After::Put(LinkState::Active, wanted);
            Ok(Plan { answer: Answer::Accepts, backfill, ..Plan::new(Some(before), after) })
        };
        change_link(cx, main, child, plan).await
    }
}

impl Handle for SetupDecline {
    async fn handle(self, cx: &Context) -> Result<LinkChanged, Fault> {
        let (main, child) = (self.main, cx.guild()?);
        let plan = move |view: &View<'_>| {
            let before = proposal(view, main, child)?;
            if before.is_agreed() {
                // The link itself was accepted long ago, and goes on.
                let after = After::Put(LinkState::Active, terms(&before));
                return Ok(Plan { answer: Answer::Declines, ..Plan::new(Some(before), after) });
            }
            Ok(Plan::new(Some(before), After::Closed))
        };
        change_link(cx, main, child, plan).await
    }
}

impl Handle for SetupLeave {
    async fn handle(self, cx: &Context) -> Result<LinkChanged, Fault> {
        let Self { main, keep, undo, force } = self;
        let child = cx.guild()?;
        let plan = move |view: &View<'_>| {
            let before = link_to(view, main, child)?;
            if !before.is_agreed() {
                return Err(Fault::conflict(format!("main {main} only proposes a link to guild {child}"))
                    .hint(format!("setup decline {main} declines it")));
            }
            let after = After::ended(&before, keep, undo, force)?;
            Ok(Plan::new(Some(before), after))
        };
        change_link(cx, main, child, plan).await
    }
}
