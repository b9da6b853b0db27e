//! Deliveries that wait since their users rank above the bot: which change of rank has them tried again.

use super::{Lane, Resumed, Sending};
use crate::store::Queued;
use wayhaven_shared::value::{RoleId, UserId};

impl Lane {
    /// The user has other roles now, or none where they are no member: what was refused because of their rank is tried
    /// again, where the bot may `reach` them. What is tried again, as with [`Lane::mend`].
    #[must_use]
    pub(in crate::sync) fn ranked(
        &mut self,
        user: UserId,
        roles: Option<&[RoleId]>,
        reach: impl Fn(&Queued) -> bool,
    ) -> Vec<Resumed> {
        // A refusal that is on its way may be of before.
        self.mended |= match &self.sending {
            Some(Sending::One(of)) => *of == user,
            Some(Sending::Batch(_)) => true,
            None => false,
        };
        for one in self.parked.iter_mut().filter(|one| one.user == user) {
            if let Some(known) = &mut one.doubt.outranked_by {
                *known = roles.unwrap_or_default().to_vec();
            }
        }
        self.resume_outranked(|one| one.user == user && reach(one))
    }

    /// All who ranked above the bot are looked at once more: each is asked for before anything is sent.
    #[must_use]
    pub(in crate::sync) fn look_again(&mut self) -> Vec<Resumed> {
        self.resume_outranked(|_| true)
    }

    fn resume_outranked(&mut self, goes: impl Fn(&Queued) -> bool) -> Vec<Resumed> {
        if !self.parked.iter().any(|one| one.doubt.outranked_by.is_some()) {
            return Vec::new();
        }
        let (mut waiting, mut stays) = (Vec::new(), Vec::new());
        for one in std::mem::take(&mut self.parked) {
            let waits = self.why_barred(one.action).or_else(|| self.why_refused(one.action)).is_some();
            let goes_on = one.doubt.outranked_by.is_some() && !waits && self.shut.is_none() && goes(&one);
            if goes_on { waiting.push(one) } else { stays.push(one) }
        }
        self.parked = stays;
        self.put_in_order(waiting)
    }
}
