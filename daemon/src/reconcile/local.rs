//! What a guild's lists show of what its own staff did, and of what was left there when a link was closed: whoever is on the
//! page without it, or not on the ban list, has shaken it off.

use super::Resolve;
use super::walk::{Page, Walk};
use crate::jobs::Stop;
use crate::store::{Change, ShownMember, Stretch};
use wayhaven_shared::value::UserId;

impl Walk {
    /// Ends in a stretch what the page does not show. A plan changes nothing.
    pub(super) async fn end_local_causes(&self, stretch: Stretch, page: &Page) -> Result<(), Stop> {
        if self.cursor.resolve == Resolve::Show {
            return Ok(());
        }
        let (store, guild, as_of) = (self.running.services.store(), self.guild, self.as_of);
        let known = store.read(move |view| Ok(view.may_have_ended_in(guild, stretch)?)).await?;
        let mut members: Vec<(UserId, ShownMember)> = Vec::new();
        let mut unbanned: Vec<UserId> = Vec::new();
        match page {
            Page::Members { members: listed, .. } => {
                for user in known {
                    let Ok(at) = listed.binary_search_by_key(&user, |member| member.user) else { continue };
                    let Some(member) = listed.get(at) else { continue };
                    let (roles, timeout) = (member.roles.clone(), Some(member.timed_out_until));
                    members.push((user, ShownMember { roles, joined_at: None, timeout, as_of }));
                }
            }
            Page::Bans(banned) => {
                unbanned.extend(known.into_iter().filter(|user| banned.binary_search(user).is_err()));
            }
            Page::Unseen => {}
        }
        if members.is_empty() && unbanned.is_empty() {
            return Ok(());
        }
        let note = move |change: &Change<'_>| {
            for (user, shown) in &members {
                change.take_in_member(guild, *user, shown)?;
            }
            for user in &unbanned {
                change.take_in_not_banned(guild, *user, as_of)?;
            }
            Ok(())
        };
        Ok(store.write(note).await?)
    }
}
