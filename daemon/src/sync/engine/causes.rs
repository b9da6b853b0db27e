//! Why deliveries to a guild cannot be sent now, as far as it is known without a request. What is blocked for another reason
//! than the one that Discord named when it was tried says so: the permission, the mute role or the bot itself may have
//! disappeared since.

use super::Lanes;
use crate::discord::directory::{Presence, needed};
use crate::discord::mute_role::{Unfit, unfit};
use crate::sync::attempt::{NO_MUTE_ROLE, Tools};
use crate::sync::lane::{Alarm, Cause};
use std::collections::HashMap;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{GuildId, RoleId};

/// Why nothing goes to a guild in which the bot is not.
pub(super) const ABSENT: &str = "the bot is not in the guild";

impl Lanes {
    /// Gives what is blocked in the guild its present reason, where that is another one than before.
    pub(super) async fn reassess(&mut self, guild: GuildId) {
        if !self.lanes.get(&guild).is_some_and(|lane| lane.has_waiting()) {
            return;
        }
        let presence = self.tools.services.directory().presence(guild);
        if presence == Some(Presence::Outage) {
            // What Discord said of a guild that is about to disappear is not what is wrong with it.
            let Some(lane) = self.lanes.get_mut(&guild) else { return };
            let mut waiting = lane.go_away();
            if waiting.is_empty() {
                // What it refused is tried again, which finds the outage without a request.
                let directory = &self.tools.services.directory();
                let may = |measure| directory.may(guild, measure).unwrap_or(true);
                waiting = lane.mend(may, |_| true, |_| false);
            }
            self.resume(waiting).await;
            return self.advance(guild).await;
        }
        let absent = presence == Some(Presence::Absent);
        let causes = match absent {
            true => Vec::new(),
            false => match of_measures(&self.tools, guild).await {
                Ok(causes) => causes,
                Err(fault) => {
                    return tracing::warn!(%guild, "why deliveries are blocked is not known: {fault}");
                }
            },
        };
        let Some(lane) = self.lanes.get_mut(&guild) else { return };
        let settled = match absent {
            true => lane.blame_everything(ABSENT),
            false => lane.blame(&causes),
        };
        let Some(reason) = settled.first().and_then(|(_, settlement)| settlement.reason.clone()) else {
            return;
        };
        self.settle(settled, HashMap::new()).await;
        self.alert(guild, Alarm::Blocked(reason)).await;
    }
}

/// Of each measure that cannot be carried out in the guild, why.
async fn of_measures(tools: &Tools, guild: GuildId) -> Result<Vec<Cause>, Fault> {
    let mut causes = Vec::new();
    for measure in [Action::Ban, Action::Kick, Action::Mute, Action::Timeout] {
        if tools.services.directory().may(guild, measure) == Some(false) {
            let name = needed(measure).1;
            causes.push(Cause { measure, reason: format!("the bot lacks {name}"), all: true, same: name });
        }
    }
    if causes.iter().all(|cause| cause.measure != Action::Mute) {
        let role = tools.services.store().read(move |view| Ok(view.config(guild)?.mute_role_id)).await?;
        causes.extend(of_mute_role(tools, guild, role));
    }
    Ok(causes)
}

fn of_mute_role(tools: &Tools, guild: GuildId, role: Option<RoleId>) -> Option<Cause> {
    // An unmute may take a role that was the mute role before, so only what was refused is told.
    let (measure, all) = (Action::Mute, false);
    let Some(role) = role else {
        return Some(Cause { measure, reason: NO_MUTE_ROLE.to_owned(), all, same: NO_MUTE_ROLE });
    };
    // What is wrong with the role itself blocks each mute by itself (`attempt/roles.rs`).
    let unfit = unfit(tools.services.directory(), guild, role).filter(|unfit| !unfit.is_of_the_role())?;
    let same = match unfit {
        Unfit::Gone => "no longer exists",
        _ => "does not rank below",
    };
    Some(Cause { measure, reason: unfit.reason(role), all, same })
}
