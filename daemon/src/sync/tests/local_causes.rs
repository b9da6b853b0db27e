//! What a child's own staff did by hand lasts no longer than what it stands for: after it has ended, whether or not anybody
//! told, a main's punishment and its undo leave nothing behind. While it stands, no undo touches it.

mod elsewhere;
mod read_again;
mod standing;
mod unseen;

use crate::clock::Clock;
use crate::store::View;
use crate::testing::{PATIENCE, TestDaemon, by_operator, confirmed, guild, user};
use serde_json::{Value, json};
use std::time::Duration;
use wayhaven_sandbox::{EventFate, Fault, Options, Sandbox};
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::punishment::Action;

/// Longer than the clocks of Discord and the daemon may differ.
const A_WHILE: Duration = Duration::from_secs(60);

const HOUR: Duration = Duration::from_secs(3_600);

/// A main with a child, both with a mute role.
struct Network {
    sandbox: Sandbox,
    test: TestDaemon,
    /// How far the clocks were advanced.
    advanced: Duration,
}

impl Network {
    /// Whether a timeout goes on for whoever joins again is Discord's affair (FACTS).
    async fn start(timeout_survives_rejoin: bool) -> Self {
        let options = Options { children: 2, global_limit: 0, timeout_survives_rejoin, ..Options::default() };
        let sandbox = Sandbox::start(options).await.unwrap();
        let test = TestDaemon::start(&sandbox).await;
        let network = Self { sandbox, test, advanced: Duration::ZERO };
        for of in network.guilds() {
            network.name_role(of, "Muted").await;
        }
        network
    }

    fn main(&self) -> u64 {
        self.sandbox.main_guild()
    }

    fn child(&self) -> u64 {
        self.sandbox.children()[0]
    }

    fn guilds(&self) -> Vec<u64> {
        self.sandbox.children().into_iter().chain([self.main()]).collect()
    }

    fn staff(&self, of: u64) -> u64 {
        if of == self.main() { self.sandbox.moderator() } else { self.sandbox.child_moderator(of) }
    }

    fn member(&self) -> u64 {
        let member = self.sandbox.stranger();
        self.guilds().iter().for_each(|of| self.sandbox.people().had_joined(*of, member).unwrap());
        member
    }

    async fn ask(&self, of: u64, operation: &str, arguments: Value) {
        let request = serde_json::from_value(json!({ "operation": operation, "arguments": arguments }));
        self.test.ask(confirmed(by_operator(Role::Owner, Some(of), request.unwrap()))).await.unwrap();
    }

    async fn name_role(&self, of: u64, role: &str) {
        let role = self.sandbox.role(of, role).to_string();
        self.ask(of, "config muterole", json!({ "role": role })).await;
    }

    /// Somebody does it in Discord's own client, for so long where it ends by itself.
    fn by_hand(&self, of: u64, action: Action, whom: u64, span: Duration) {
        let (people, by, role) = (self.sandbox.people(), self.staff(of), self.sandbox.role(of, "Muted"));
        match action {
            Action::Ban => people.ban(of, by, whom, None),
            Action::Unban => people.unban(of, by, whom, None),
            Action::Mute => people.add_role(of, by, whom, role),
            Action::Unmute => people.remove_role(of, by, whom, role),
            Action::Timeout => people.timeout(of, by, whom, Some(span), None),
            Action::Untimeout => people.timeout(of, by, whom, None, None),
            other => panic!("{other} is not tried here"),
        }
        .unwrap();
    }

    /// A child's staff do it, and the daemon knows.
    async fn local(&self, action: Action, whom: u64, span: Duration) {
        let child = self.child();
        self.by_hand(child, action, whom, span);
        self.test.until("a local cause", move |view| is_local(view, child, whom, action)).await;
    }

    async fn is_local(&self, action: Action, whom: u64) -> bool {
        let child = self.child();
        self.test.read(move |view| is_local(view, child, whom, action)).await
    }

    /// The main does it, by hand or by a command, and everything that follows is done.
    async fn by_main(&self, by_hand: bool, action: Action, whom: u64, span: Duration) {
        let main = self.main();
        if by_hand {
            self.by_hand(main, action, whom, span);
        } else {
            let mut arguments = json!({ "user": whom.to_string() });
            if action == Action::Timeout {
                arguments["for"] = format!("{}s", span.as_secs()).into();
            }
            self.ask(main, action.word(), arguments).await;
        }
        self.settled().await;
    }

    /// Waits until everything that happened so far is taken in and carried out.
    async fn settled(&self) {
        for of in self.guilds() {
            let behind = self.sandbox.stranger();
            self.sandbox.people().ban(of, self.staff(of), behind, None).unwrap();
            self.test.until_audited("what is behind", move |entry| entry.target == Some(user(behind))).await;
        }
        self.test.settled().await;
        // What is done again because of what was done last.
        self.test.settled().await;
    }

    fn rejoin(&self, of: u64, whom: u64) {
        rejoin(&self.sandbox, of, whom);
    }

    async fn advance(&mut self, span: Duration) {
        self.test.advance(&self.sandbox, &format!("{}s", span.as_secs())).await;
        self.advanced += span;
    }

    /// The daemon ends, and starts again after that.
    async fn restart(self, meanwhile: impl FnOnce(&Sandbox)) -> Self {
        let Self { sandbox, test, advanced } = self;
        let home = test.home();
        drop(test);
        sandbox.wait_until(|discord| discord.connected_sessions() == 0, PATIENCE).await.unwrap();
        meanwhile(&sandbox);
        let clock = Clock::default();
        clock.shift(i64::try_from(advanced.as_millis()).unwrap());
        let test = TestDaemon::start_then(&sandbox, home, clock, |_| {}).await;
        test.until_ready().await;
        Self { sandbox, test, advanced }
    }

    /// Loses the child's events of that name, or all of them, while something happens.
    fn unheard(&self, name: Option<&str>, what: impl FnOnce()) {
        let name = name.map(str::to_owned);
        let lost = Fault::Events { name, guild: Some(self.child()), times: None, fate: EventFate::Drop };
        let lost = self.sandbox.inject(lost);
        what();
        self.sandbox.clear(lost);
    }

    /// Whether Discord shows it in the child.
    fn shows(&self, action: Action, whom: u64) -> bool {
        let (child, role) = (self.child(), self.sandbox.role(self.child(), "Muted"));
        self.sandbox.read(|world| {
            let guild = &world.guilds[&child];
            let member = guild.members.get(&whom);
            match action {
                Action::Ban => guild.bans.contains_key(&whom),
                Action::Mute => member.is_some_and(|member| member.roles.contains(&role)),
                _ => member.and_then(|one| one.timeout_ms).is_some_and(|end| end > world.clock.unix_ms()),
            }
        })
    }
}

fn rejoin(sandbox: &Sandbox, of: u64, whom: u64) {
    sandbox.people().leave(of, whom).unwrap();
    sandbox.people().join(of, whom).unwrap();
}

fn is_local(view: &View<'_>, of: u64, whom: u64, action: Action) -> bool {
    view.is_done_locally(guild(of), user(whom), action).unwrap()
}
