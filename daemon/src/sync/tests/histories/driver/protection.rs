//! Somebody is protected, by a list or by a role that they hold, or not any more.

use super::super::model::{CASES, Case, Guild};
use super::Driver;
use crate::pipeline;
use crate::store::NewProtection;
use crate::testing::{by_operator, confirmed, guild as guild_id, user as user_id};
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::protect::{ProtectAdd, ProtectRemove, Protected};
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::RoleId;

impl Driver {
    /// What is on its way has arrived before: how it meets the protection is another test's.
    pub(super) fn protect(
        &mut self,
        guild: Guild,
        case: Case,
        by_role: bool,
        on: bool,
    ) -> Result<(), String> {
        self.bring_within_reach(case)?;
        self.settle()?;
        // Only members hold roles, and on a gateway the daemon looks for who holds them itself.
        let by_role = by_role && !self.stage.gateway && CASES[case].1 != Action::Ban;
        if by_role {
            self.hold_role(guild, case, on);
        } else {
            let user = Some(user_id(self.users[CASES[case].0]));
            let request: Request = match on {
                true => ProtectAdd { user, ..ProtectAdd::default() }.into(),
                false => ProtectRemove { user, role: None }.into(),
            };
            let asked = confirmed(by_operator(Role::Owner, Some(self.id(guild)), request));
            self.wait(pipeline::run(self.systems(), asked)).map_err(|fault| format!("refused: {fault}"))?;
        }
        self.model.protect(guild, case, by_role, on);
        if !on && !by_role {
            let of_user = |other: &Case| CASES[*other].0 == CASES[case].0;
            for other in (0..CASES.len()).filter(of_user) {
                self.model.brought_about_for(guild, other);
            }
        }
        self.settle()
    }

    /// They are given a protected role, or lose it, as somebody does who leaves and joins again.
    fn hold_role(&mut self, guild: Guild, case: Case, on: bool) {
        let (sandbox, place, whom) = (&self.stage.sandbox, self.id(guild), self.users[CASES[case].0]);
        let role = sandbox.role(place, "Regular");
        let (people, by) = (sandbox.people(), self.owner(guild));
        // Where they hold it already, or do not, nothing changes.
        let _ = match on {
            true => people.add_role(place, by, whom, role),
            false => people.remove_role(place, by, whom, role),
        };
        let (guild, user) = (guild_id(place), user_id(whom));
        self.change(move |change| {
            let Some(role) = RoleId::new(role) else { return Ok(()) };
            let protected = Protected::Role(role);
            if on {
                change.protect(&NewProtection { guild, protected, note: None, by: None })?;
            }
            let held = if on { vec![role] } else { Vec::new() };
            change.note_holder(guild, user, &held)
        });
        self.overhear();
    }
}
