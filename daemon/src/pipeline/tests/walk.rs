//! A random walk over all operations as every kind of actor: whatever is asked for, by whom, where and how malformed, it is in
//! the audit with who asked and what came of it, and nothing is allowed a level too low.

use super::*;
use crate::store::{AuditFilter, AuditFrom};
use wayhaven_shared::operations::audit::AuditEntry;
use wayhaven_shared::value::GuildId;

/// How many requests a walk makes.
const STEPS: u32 = 600;

/// Random numbers from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.throw() % limit
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

/// Who asks.
#[derive(Clone, Debug)]
enum Who {
    Operator(Role),
    /// With these permissions, and whether with the staff role.
    Member(u64, u64, bool),
    /// Whom `owner_ids` names.
    Owner,
}

/// What the design says of each operation (OPERATIONS.md): who may on Discord, where it is asked for, whether it changes
/// something. Written down here a second time, so that a slip in the list of operations shows.
#[rustfmt::skip]
const DESIGNED: &[(Authority, Surfaces, bool, &[&str])] = &[
    (Authority::Ban, Surfaces::Everywhere, true, &["ban", "unban", "punishment revert"]),
    (Authority::Kick, Surfaces::Everywhere, true, &["kick"]),
    (Authority::Moderate, Surfaces::Everywhere, true, &["mute", "unmute", "timeout", "untimeout", "punishment amend"]),
    (Authority::Staff, Surfaces::Everywhere, true, &["warn"]),
    (Authority::Staff, Surfaces::Everywhere, false, &["punishment list", "punishment show", "setup dashboard", "audit log", "audit stats", "audit warnings"]),
    (Authority::Admin, Surfaces::Everywhere, true, &["protect add", "protect remove", "setup main-guild", "setup unset-main", "setup add-child", "setup remove-child", "setup accept", "setup decline", "setup leave", "setup mode", "setup actions", "setup security-level", "sync retry", "sync freeze", "sync resume", "sync import", "sync export", "sync reconcile", "job cancel", "sync exception add", "sync exception remove", "sync approve", "sync discard", "config notifications", "config logchannel", "config staffrole", "config muterole", "config warnings", "config audit", "audit export", "alert resolve", "incident open", "incident close", "drill run"]),
    (Authority::Admin, Surfaces::Everywhere, false, &["protect list", "setup test-connection", "setup doctor", "sync status", "sync deliveries", "job list", "job show", "sync exception list", "sync holds", "config show", "alert list", "alert show", "incident list", "incident show", "drill list", "drill show"]),
    (Authority::Owner, Surfaces::Everywhere, false, &["audit verify"]),
    (Authority::Owner, Surfaces::Everywhere, true, &["setup lock", "setup unlock"]),
    (Authority::Staff, Surfaces::CommandLine, false, &["status", "paths", "settings show", "daemon status"]),
    (Authority::Owner, Surfaces::CommandLine, true, &["settings set", "settings unset", "daemon reload", "daemon restart", "daemon stop"]),
];

fn designed(name: &str) -> (Authority, Surfaces, bool) {
    let row = DESIGNED.iter().find(|(.., names)| names.contains(&name));
    let (authority, surfaces, changes, _) = row.unwrap_or_else(|| panic!("{name} is not in the table"));
    (*authority, *surfaces, *changes)
}

/// Whether the table of operations allows it: read from the design's table and not from the code that enforces it.
fn may(who: &Who, definition: &Definition) -> bool {
    let (authority, surfaces, changes) = designed(definition.name);
    let owners = authority == Authority::Owner;
    match who {
        Who::Operator(Role::Owner) => true,
        Who::Operator(Role::Operator) => !(changes && owners),
        Who::Operator(Role::Observer) => !changes,
        Who::Owner => surfaces == Surfaces::Everywhere,
        Who::Member(_, bits, staff) => {
            // Discord's numbers: KICK 2, BAN 4, ADMINISTRATOR 8, MANAGE_GUILD 32, MODERATE 1 << 40.
            let administrator = bits & 8 != 0;
            let enough = match authority {
                Authority::Anyone => true,
                Authority::Staff => *staff || administrator || bits & (2 | 4 | 32 | (1 << 40)) != 0,
                Authority::Kick => administrator || bits & 2 != 0,
                Authority::Ban => administrator || bits & 4 != 0,
                Authority::Moderate => administrator || bits & (1 << 40) != 0,
                Authority::Admin => administrator || bits & 32 != 0,
                Authority::Owner => false,
            };
            surfaces == Surfaces::Everywhere && enough
        }
    }
}

struct Walk {
    sandbox: Sandbox,
    test: TestDaemon,
    dice: Dice,
    people: Vec<u64>,
    staff: u64,
}

impl Walk {
    async fn begin(seed: u64) -> Self {
        let sandbox = sandbox(2).await;
        let test = TestDaemon::start(&sandbox).await;
        let staff = sandbox.role(sandbox.main_guild(), "Moderator");
        let set = json!({"operation": "config staffrole", "arguments": {"role": staff.to_string()}});
        let set: Request = serde_json::from_value(set).unwrap();
        test.ask(by_operator(Role::Owner, Some(sandbox.main_guild()), set)).await.unwrap();
        let people = vec![sandbox.stranger(), sandbox.stranger(), sandbox.members(sandbox.main_guild())[0]];
        Self { sandbox, test, dice: Dice(seed), people, staff }
    }

    fn who(&mut self) -> Who {
        match self.dice.below(6) {
            0 => Who::Operator(Role::Observer),
            1 => Who::Operator(Role::Operator),
            2 => Who::Operator(Role::Owner),
            3 => Who::Owner,
            _ => {
                let who =
                    *self.dice.one_of(&[self.sandbox.admin(), self.sandbox.moderator(), self.people[0]]);
                let bits = [0, 2, 4, 8, 32, 1 << 40, 2 | 4, !(8 | 32), !8];
                let bits = *self.dice.one_of(&bits);
                Who::Member(who, bits, self.dice.below(4) == 0)
            }
        }
    }

    /// An operation with arguments that may be right, missing, or of another operation.
    fn request(&mut self, definition: &'static Definition) -> Request {
        let victim = *self.dice.one_of(&self.people.clone());
        let right = example(definition, &self.sandbox, victim);
        let Ok(mut value) = serde_json::to_value(&right) else { return right };
        if self.dice.below(3) == 0
            && let Some(arguments) = value["arguments"].as_object_mut()
        {
            let other = self.dice.below(1 << 62).to_string();
            for (name, argument) in arguments.iter_mut() {
                if argument.is_string()
                    && !["mode", "level", "state", "steps", "actions"].contains(&name.as_str())
                {
                    *argument = json!(other);
                }
            }
        }
        serde_json::from_value(value).unwrap_or(right)
    }

    fn place(&mut self, who: &Who) -> Option<GuildId> {
        let (main, children) = (self.sandbox.main_guild(), self.sandbox.children());
        // Only in the main is there a staff role.
        if matches!(who, Who::Member(_, _, true)) {
            return Some(guild(main));
        }
        let place = match self.dice.below(8) {
            0 if matches!(who, Who::Operator(_)) => None,
            1 => Some(1_234_567_890),
            2..=4 => Some(main),
            5 | 6 => Some(children[0]),
            _ => Some(children[1]),
        };
        place.map(guild)
    }

    fn invocation(&mut self) -> (Who, Invocation) {
        let definition = self.dice.one_of(OPERATIONS);
        let who = self.who();
        let request = self.request(definition);
        let place = self.place(&who);
        let of = place.map_or(self.sandbox.main_guild(), GuildId::get);
        let mut asked = match &who {
            Who::Operator(role) => by_operator(*role, place.map(GuildId::get), request),
            Who::Owner => by_member(self.sandbox.owner(), of, 0, request),
            Who::Member(who, bits, _) => by_member(*who, of, *bits, request),
        };
        if let (Who::Member(_, _, true), Actor::Member { roles, .. }) = (&who, &mut asked.actor) {
            roles.push(serde_json::from_value(json!(self.staff.to_string())).unwrap());
        }
        // What would end the walk is only planned.
        let ends = ["daemon stop", "daemon restart"].contains(&definition.name);
        asked.dry_run = ends || self.dice.below(3) == 0;
        if self.dice.below(2) == 0 {
            asked = confirmed(asked);
        }
        (who, asked)
    }

    async fn step(&mut self) {
        // Of many refusals of a kind the first is a row: here each is one.
        self.test.systems.audit.refusals().close().await;
        let (who, asked) = self.invocation();
        let definition = asked.request.definition();
        let (name, actor, surface) = (definition.name, asked.actor.audit_name(), asked.surface);
        let said = format!("{name} by {who:?} in {:?}: {:?}", asked.guild, asked.request);
        let (place, dry_run) = (asked.guild, asked.dry_run);
        let before = self.test.read(|view| view.chain_head().unwrap().rows).await;
        let outcome = self.test.ask(asked).await;
        self.test.systems.services.store().write(|_| Ok(())).await.unwrap();

        let filter =
            AuditFilter { actor: Some(actor), operation: Some(name.to_owned()), ..AuditFilter::default() };
        let above = AuditFrom::Above(before);
        let rows = self.test.read(move |view| view.audit_entries(&filter, above, 50).unwrap()).await;
        let own = |entry: &&AuditEntry| entry.surface == surface.word();
        let rows: Vec<_> = rows.iter().filter(own).collect();
        let [row] = rows[..] else { panic!("{said}: {} rows for {outcome:?}", rows.len()) };
        let result = match &outcome {
            Ok(_) => AuditResult::Success,
            Err(fault) if fault.kind == FaultKind::Denied => AuditResult::Denied,
            Err(_) => AuditResult::Error,
        };
        assert_eq!((row.result, row.guild_id), (result, place), "{said}");
        assert_eq!(row.message.is_some(), outcome.is_err(), "{said}");
        let parameters =
            row.parameters.as_ref().unwrap_or_else(|| panic!("{said}: what was asked for is not there"));
        assert_eq!((&parameters["schema"], &parameters["dry_run"]), (&json!(1), &json!(dry_run)), "{said}");

        if may(&who, definition) {
            let needs = |fault: &Fault| fault.message.starts_with(&format!("{name} needs "));
            assert!(!outcome.as_ref().is_err_and(needs), "{said}: {outcome:?}");
        } else {
            assert!(is_denied(&outcome), "{said} was allowed a level too low: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_random_walk_finds_nothing_unaudited_and_nobody_who_may_more_than_they_should() {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).unwrap();
    let seed = std::env::var("WAYHAVEN_WALK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from_le_bytes(bytes));
    println!("WAYHAVEN_WALK_SEED={seed}");
    let mut walk = Walk::begin(seed).await;
    for _ in 0..STEPS {
        walk.step().await;
    }
    let interrupted =
        walk.test.systems.services.store().write(|change| Ok(change.audit_interrupted()?)).await.unwrap();
    assert_eq!(interrupted, 0, "no intent is left without an outcome");
}
