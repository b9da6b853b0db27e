//! For each action and each obstacle the dry run, the drill and the real run agree.

use super::*;
use crate::discord::directory::Presence;
use crate::discord::mute_role::Unfit;
use crate::invocation::Invocation;
use crate::network::Refusal;
use crate::store::PROTECTED;
use crate::testing::{PATIENCE, user};
use wayhaven_sandbox::{At, Fault};
use wayhaven_shared::operations::punished::Punished;
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::value::{PunishmentId, RoleId};

/// What stands in the way in the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obstacle {
    None,
    NoPermission,
    NoMuteRole,
    MuteRoleAbove,
    MuteRoleGrants,
    Outranked,
    Owner,
    Administrator,
    NotThere,
    BotAbsent,
    Refused,
    Outage,
    Monitor,
    NotAllowed,
    Frozen,
    Excepted,
    Protected,
    ProtectedRole,
}

impl Obstacle {
    const ALL: [Self; 18] = [
        Self::None,
        Self::NoPermission,
        Self::NoMuteRole,
        Self::MuteRoleAbove,
        Self::MuteRoleGrants,
        Self::Outranked,
        Self::Owner,
        Self::Administrator,
        Self::NotThere,
        Self::BotAbsent,
        Self::Refused,
        Self::Outage,
        Self::Monitor,
        Self::NotAllowed,
        Self::Frozen,
        Self::Excepted,
        Self::Protected,
        Self::ProtectedRole,
    ];
}

const ACTIONS: [Action; 4] = [Action::Ban, Action::Kick, Action::Mute, Action::Timeout];

fn asked_for(action: Action, whom: u64) -> Request {
    let mut arguments = json!({ "user": whom.to_string() });
    if action == Action::Timeout {
        arguments["for"] = "1h".into();
    }
    request(action.word(), arguments)
}

async fn run_it(test: &TestDaemon, main: u64, request: Request, dry_run: bool) -> Punished {
    let invocation = by_operator(Role::Owner, Some(main), request);
    let reply = test.ask(Invocation { dry_run, ..invocation }).await.unwrap();
    reply.punished().cloned().unwrap()
}

async fn known(test: &TestDaemon, what: &str, holds: impl Fn(&TestDaemon) -> bool) {
    let wait = async {
        while !holds(test) {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "{what}");
}

/// A network of one child in which the obstacle stands before the victims, who are members of both guilds.
struct Stage {
    sandbox: Sandbox,
    test: TestDaemon,
    obstacle: Obstacle,
    /// Somebody who owns the child where that is the obstacle.
    owner: u64,
    /// Whether the victims rank above the bot in the main besides.
    main_refuses: bool,
}

impl Stage {
    async fn of(obstacle: Obstacle) -> Self {
        let sandbox = sandbox(1).await;
        let (owner, child) = (sandbox.stranger(), sandbox.children()[0]);
        for place in [sandbox.main_guild(), child] {
            sandbox.people().had_joined(place, owner).unwrap();
        }
        if obstacle == Obstacle::Owner {
            sandbox.change(|world| world.guilds.get_mut(&child).unwrap().owner = owner);
        }
        let test = TestDaemon::start(&sandbox).await;
        let stage = Self { sandbox, test, obstacle, owner, main_refuses: false };
        for place in [stage.main(), stage.child()] {
            if obstacle != Obstacle::NoMuteRole || place == stage.main() {
                let role = stage.sandbox.role(place, "Muted").to_string();
                set(&stage.test, place, "config muterole", json!({ "role": role })).await;
            }
        }
        stage.raise().await;
        stage
    }

    /// The main cannot do it itself.
    async fn with_refusing_main(mut self) -> Self {
        let (main, role) = (self.main(), self.sandbox.role(self.main(), "Admin"));
        self.sandbox.people().move_role(main, role, 50).unwrap();
        let role = RoleId::new(role).unwrap();
        known(&self.test, "the role", |test| {
            let roles = [role];
            test.systems
                .services
                .directory()
                .out_of_reach(guild(main), user(1), Action::Timeout, Some(&roles[..]))
                .is_some()
        })
        .await;
        self.main_refuses = true;
        self
    }

    fn main(&self) -> u64 {
        self.sandbox.main_guild()
    }

    fn child(&self) -> u64 {
        self.sandbox.children()[0]
    }

    /// What concerns the guild as a whole.
    async fn raise(&self) {
        let (child, main, people) = (self.child(), self.main(), self.sandbox.people());
        let place = guild(child);
        match self.obstacle {
            Obstacle::NoPermission => {
                people.set_bot_permissions(child, permissions::VIEW_AUDIT_LOG).unwrap();
                known(&self.test, "the permission", |test| {
                    test.systems.services.directory().may(place, Action::Ban) == Some(false)
                })
                .await;
            }
            Obstacle::MuteRoleAbove => {
                let role = self.sandbox.role(child, "Muted");
                people.move_role(child, role, 50).unwrap();
                let role = RoleId::new(role).unwrap();
                known(&self.test, "the role", |test| {
                    test.systems.services.directory().judge_mute_role(place, role)
                        == Some(Err(Unfit::AboveBot))
                })
                .await;
            }
            Obstacle::MuteRoleGrants => {
                let role = self.sandbox.role(child, "Muted");
                people.set_role_permissions(child, role, permissions::BAN_MEMBERS).unwrap();
                let role = RoleId::new(role).unwrap();
                known(&self.test, "the role", |test| {
                    matches!(
                        test.systems.services.directory().judge_mute_role(place, role),
                        Some(Err(Unfit::Grants(_)))
                    )
                })
                .await;
            }
            Obstacle::Outranked | Obstacle::Administrator => {
                let role = self.sandbox.role(child, "Admin");
                match self.obstacle {
                    Obstacle::Outranked => people.move_role(child, role, 50).unwrap(),
                    _ => people.set_role_permissions(child, role, permissions::ADMINISTRATOR).unwrap(),
                }
                let role = RoleId::new(role).unwrap();
                known(&self.test, "the role", |test| {
                    let roles = Some([role]);
                    let roles = roles.as_ref().map(|roles| &roles[..]);
                    test.systems
                        .services
                        .directory()
                        .out_of_reach(place, user(1), Action::Timeout, roles)
                        .is_some()
                })
                .await;
            }
            Obstacle::ProtectedRole => {
                let role = self.sandbox.role(child, "Regular").to_string();
                set(&self.test, child, "protect add", json!({ "role": role })).await;
            }
            Obstacle::BotAbsent => {
                people.remove_bot(child).unwrap();
                known(&self.test, "the removal", |test| {
                    test.systems.services.directory().presence(place) == Some(Presence::Absent)
                })
                .await;
            }
            Obstacle::Outage => {
                people.outage(child).unwrap();
                known(&self.test, "the outage", |test| {
                    test.systems.services.directory().presence(place) == Some(Presence::Outage)
                })
                .await;
            }
            Obstacle::Monitor => {
                set(&self.test, main, "setup mode", json!({ "child": child.to_string(), "mode": "monitor" }))
                    .await;
            }
            Obstacle::NotAllowed => {
                set(
                    &self.test,
                    main,
                    "setup actions",
                    json!({ "child": child.to_string(), "actions": "none" }),
                )
                .await;
            }
            Obstacle::Frozen => set(&self.test, main, "sync freeze", json!({})).await,
            Obstacle::Refused => {
                for method in ["PUT", "DELETE", "PATCH"] {
                    let at = At { method: Some(method.into()), ..At::default() }.guild(child);
                    self.sandbox.inject(Fault::Answer { at, status: 403, code: 50013, message: "No".into() });
                }
                for action in ACTIONS {
                    for _ in 0..2 {
                        let id = self.real(action, self.victim(action).await).await.0;
                        self.test.until_counted(id, DeliveryState::Blocked, 1).await;
                    }
                }
                self.test.settled().await;
            }
            _ => {}
        }
    }

    /// Somebody before whom the obstacle stands.
    async fn victim(&self, action: Action) -> u64 {
        let (child, people) = (self.child(), self.sandbox.people());
        if self.obstacle == Obstacle::Owner {
            return self.owner;
        }
        let victim = self.sandbox.stranger();
        people.had_joined(self.main(), victim).unwrap();
        if self.obstacle != Obstacle::NotThere {
            people.had_joined(child, victim).unwrap();
        }
        if self.main_refuses {
            let role = self.sandbox.role(self.main(), "Admin");
            people.had_given_role(self.main(), victim, role).unwrap();
        }
        let give = |role| people.had_given_role(child, victim, self.sandbox.role(child, role)).unwrap();
        match self.obstacle {
            Obstacle::Outranked | Obstacle::Administrator => give("Admin"),
            Obstacle::ProtectedRole => give("Regular"),
            Obstacle::Protected => {
                set(&self.test, child, "protect add", json!({ "user": victim.to_string() })).await;
            }
            Obstacle::Excepted => {
                let arguments = json!({ "user": victim.to_string(), "measure": action.word() });
                set(&self.test, child, "sync exception add", arguments).await;
            }
            _ => {}
        }
        victim
    }

    async fn real(&self, action: Action, victim: u64) -> (PunishmentId, DeliveryState, String) {
        let done = run_it(&self.test, self.main(), asked_for(action, victim), false).await;
        let id = done.punishment.unwrap().id;
        self.test.settled().await;
        let delivery = self.test.delivery(id, self.child()).await;
        (id, delivery.state, delivery.reason.unwrap_or_default())
    }

    async fn check(&self, action: Action) {
        let what = format!("{action} {:?}", self.obstacle);
        let victim = self.victim(action).await;
        let plan = run_it(&self.test, self.main(), asked_for(action, victim), true).await;
        let planned = plan.plan.into_iter().find(|one| one.guild_id == guild(self.child())).unwrap();
        let drill = run(&self.test, self.main(), Some(victim)).await.unwrap();
        let (prospect, why) = of(&drill, self.child(), action);
        let (_, state, reason) = self.real(action, victim).await;
        // A hold has its number only once it is there.
        let bare = |reason: &str| {
            let reason = reason.trim_start_matches("403 ");
            reason.split(": hold ").next().unwrap_or(reason).to_owned()
        };

        let expected = match state {
            DeliveryState::Applied => DeliveryState::Pending,
            state => state,
        };
        assert_eq!(planned.state, expected, "{what}: planned {planned:?}, really {reason}");
        let planned_reason = planned.reason.unwrap_or_default();
        if reason.starts_with(PROTECTED) {
            // What is stored says by what, and that it stays so.
            for foreseen in [&planned_reason, &why] {
                assert_eq!(Refusal::of_protection(foreseen), Some(Refusal::Protected), "{what}");
            }
        } else if state != DeliveryState::Applied && self.obstacle != Obstacle::Outage {
            assert_eq!(bare(&planned_reason), bare(&reason), "{what}");
            assert_eq!(bare(&why), bare(&reason), "{what}");
        }
        let later = matches!(action, Action::Mute | Action::Timeout) && self.obstacle == Obstacle::NotThere;
        let foreseen = match state {
            DeliveryState::Applied => Prospect::Arrives,
            DeliveryState::Blocked => Prospect::Fails,
            DeliveryState::Pending | DeliveryState::Held => Prospect::Waits,
            DeliveryState::Skipped if later => Prospect::Waits,
            DeliveryState::Skipped => Prospect::Spared,
            other => panic!("{what}: {other}"),
        };
        assert_eq!(prospect, foreseen, "{what}: {why}");
        let stopped = match self.obstacle {
            Obstacle::None => false,
            Obstacle::NoMuteRole | Obstacle::MuteRoleAbove | Obstacle::MuteRoleGrants => {
                action == Action::Mute
            }
            Obstacle::Outranked | Obstacle::Owner => action != Action::Mute,
            Obstacle::Administrator => action == Action::Timeout,
            Obstacle::NotThere => action != Action::Ban,
            _ => true,
        };
        let stopped = stopped || self.main_refuses;
        assert_eq!(state != DeliveryState::Applied, stopped, "{what}: the stage does what it should");
    }
}

#[tokio::test]
async fn the_dry_run_the_drill_and_the_real_run_agree() {
    for obstacle in Obstacle::ALL {
        let stage = Stage::of(obstacle).await;
        for action in ACTIONS {
            // No exception can be made of a kick: it leaves nothing behind.
            if obstacle != Obstacle::Excepted || action != Action::Kick {
                stage.check(action).await;
            }
        }
    }
}

#[tokio::test]
async fn where_the_main_cannot_do_it_itself_they_agree_whatever_stands_in_the_childs_way() {
    for obstacle in Obstacle::ALL {
        // The child's owner is not the ranked member; a freeze holds the deliveries earlier.
        if matches!(obstacle, Obstacle::Owner | Obstacle::Frozen | Obstacle::Refused) {
            continue;
        }
        let stage = Stage::of(obstacle).await.with_refusing_main().await;
        for action in [Action::Ban, Action::Kick, Action::Timeout] {
            if obstacle != Obstacle::Excepted || action != Action::Kick {
                stage.check(action).await;
            }
        }
    }
}

#[tokio::test]
async fn without_a_mute_role_in_the_main_all_three_say_so() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.members(sandbox.main_guild())[0]);
    for dry_run in [true, false] {
        let invocation = by_operator(Role::Owner, Some(main), asked_for(Action::Mute, victim));
        let refused = test.ask(Invocation { dry_run, ..invocation }).await.unwrap_err();
        assert!(refused.message.contains("mute role"), "{refused:?}");
    }
    let drill = run(&test, main, Some(victim)).await.unwrap();
    let (prospect, why) = of(&drill, main, Action::Mute);
    assert!(prospect == Prospect::Fails && why.contains("mute role"), "{why}");
}

/// What becomes of a ban in the child: as the dry run, the drill and the real run say.
async fn all_three(
    test: &TestDaemon,
    main: u64,
    child: u64,
    whom: u64,
) -> (DeliveryState, Prospect, DeliveryState) {
    let plan = run_it(test, main, asked_for(Action::Ban, whom), true).await;
    let planned = plan.plan.into_iter().find(|one| one.guild_id == guild(child)).unwrap().state;
    let drill = run(test, main, Some(whom)).await.unwrap();
    let foreseen = of(&drill, child, Action::Ban).0;
    let done = run_it(test, main, asked_for(Action::Ban, whom), false).await;
    let id = done.punishment.unwrap().id;
    test.settled().await;
    (planned, foreseen, test.delivery(id, child).await.state)
}

#[tokio::test]
async fn what_is_held_for_approval_or_names_no_user_is_foreseen_by_all_three() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let held = (DeliveryState::Held, Prospect::Waits, DeliveryState::Held);
    let bot = sandbox.people().invite_other_bot(main, 0).unwrap();
    assert_eq!(all_three(&test, main, child, bot).await, held, "a bot");
    let nobody = (DeliveryState::Failed, Prospect::Fails, DeliveryState::Failed);
    assert_eq!(all_three(&test, main, child, 424_242_424_242).await, nobody, "no user");
    set(&test, main, "setup security-level", json!({ "level": "maximum" })).await;
    assert_eq!(all_three(&test, main, child, sandbox.stranger()).await, held, "security level maximum");
    let drill = run(&test, main, None).await.unwrap();
    assert_eq!(of(&drill, child, Action::Ban).0, Prospect::Waits, "for nobody in particular too");
    assert_eq!(of(&drill, main, Action::Ban).0, Prospect::Arrives, "the main itself waits for nobody");
}
