//! What the table is played on: one network with a console at it, and two people whose permissions are set for each row.

mod audited;
mod needs;
mod place;
mod texts;

pub(super) use place::Place;

use super::rows::{After, Before, Of, Row};
use crate::room::Beside;
use crate::setting::{Setting, options};
use crate::terminal::Terminal;
use needs::{all_but, besides, exactly, who};
use serde_json::{Map, Value, json};
use std::time::Instant;
use wayhaven_e2e::process::PATIENCE;
use wayhaven_sandbox::{At, Discord, Fault as Trouble, FaultId, World};
use wayhaven_shared::operation::{Definition, Surfaces};
use wayhaven_shared::operations::audit::AuditResult;
use wayhaven_shared::{Effect, Request, grammar};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Asker {
    CommandLine,
    Palette,
    Discord,
}

impl Asker {
    pub(super) const ALL: [Self; 3] = [Self::CommandLine, Self::Palette, Self::Discord];

    /// The word for it in the audit.
    fn surface(self) -> &'static str {
        match self {
            Self::CommandLine => "cli",
            Self::Palette => "console",
            Self::Discord => "discord",
        }
    }
}

pub(super) struct Stage {
    setting: Setting,
    terminal: Terminal,
    /// Whom it is about, by who asks.
    users: [u64; 3],
    /// The main, and then the children, each with its mute role.
    guilds: Vec<(u64, u64)>,
    /// What keeps Discord from answering, until the next row.
    hang: Option<FaultId>,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let setting = Setting::beside(Beside::One, options(2)).await;
        let sandbox = &setting.sandbox;
        let main = setting.main.get();
        let guilds: Vec<_> = std::iter::once(main)
            .chain(sandbox.children())
            .map(|guild| (guild, sandbox.role(guild, "Muted")))
            .collect();
        // Who asks in the main asks in the child too.
        let (child, people) = (guilds[guilds.len() - 1].0, sandbox.people());
        for (who, role) in [(sandbox.moderator(), "Moderator"), (sandbox.admin(), "Admin")] {
            people.had_joined(child, who).unwrap();
            people.add_role(child, sandbox.owner(), who, sandbox.role(child, role)).unwrap();
        }
        let users = [setting.member(0), setting.member(1), setting.member(2)];
        // Every guild can show commands to whom it likes; so what Discord's client hides proves nothing.
        sandbox.change(|world| {
            for command in world.commands.values_mut().flatten() {
                command["default_member_permissions"] = Value::Null;
            }
        });
        let terminal = Terminal::sized(&setting, 40, 120);
        let mut stage = Self { setting, terminal, users, guilds, hang: None };
        for (guild, muted) in stage.guilds.clone() {
            stage.run(&format!("config muterole {muted}"), Some(guild));
        }
        stage.run(&format!("config staffrole {}", stage.staff()), Some(main));
        stage.terminal.shows(&["LIVE", "observe"]);
        stage.terminal.press(":write\r");
        stage.terminal.shows(&["write"]);
        stage
    }

    /// The row is about an operation of the list that is offered everywhere, and says of it what the list says.
    pub(super) fn check(&self, row: &Row) {
        let definition = definition(row);
        assert_eq!(definition.authority, row.needs, "{}", row.line);
        assert_eq!(definition.surfaces, Surfaces::Everywhere, "{}", row.line);
    }

    pub(super) async fn prepare(&mut self, row: &Row, asker: Asker) {
        let (user, main) = (self.user(asker), Some(self.guilds[0].0));
        if let Some(hang) = self.hang.take() {
            self.setting.sandbox.clear(hang);
        }
        if let Before::Calm | Before::Incident = row.before {
            let listed = self.run("incident list --limit=1", main);
            let open = listed["data"]["incidents"].get(0).is_some_and(|newest| newest["closed_at"].is_null());
            match (row.before == Before::Incident, open) {
                (true, false) => drop(self.run("incident open again", main)),
                (false, true) => drop(self.run("incident close", main)),
                _ => {}
            }
        }
        if row.before == Before::Listed {
            self.run(&format!("unban {user} --wait"), main);
            std::fs::write(self.file(asker, "csv"), format!("user_id\n{user}\n")).unwrap();
        }
        if row.before == Before::Comparing {
            let at = At::route("GET", "/guilds/{guild_id}/bans").guild(self.child());
            self.hang = Some(self.setting.sandbox.inject(Trouble::Hang { at }));
            self.run(&format!("sync reconcile {}", self.child()), main);
        }
        if row.before == Before::Banned {
            // With what it brings there: what the main had decided before.
            self.run(&format!("setup add-child {0} --confirm={0} --wait", self.child()), main);
            self.run(&format!("ban {user} --wait"), main);
            assert!(self.setting.sandbox.is_banned(self.child(), user));
        }
        if row.before == Before::Held {
            self.run("setup security-level maximum", main);
            let (place, sandbox) = (self.guilds[0].0, &self.setting.sandbox);
            let before = sandbox.effects_in(place).len();
            self.run(&format!("ban {user}"), main);
            self.run("setup security-level standard", main);
            // What it does in the main itself is not held, and is done before anything else is asked for.
            let done = move |sandbox: &Discord| sandbox.effects_in(place).len() > before;
            sandbox.wait_until(done, PATIENCE).await.unwrap();
        }
        if row.before == Before::Joined {
            for (guild, _) in
                self.guilds.iter().filter(|(guild, _)| !self.setting.sandbox.is_member(*guild, user))
            {
                self.setting.sandbox.people().join(*guild, user).unwrap();
            }
        }
    }

    /// The child that is unlinked and linked again.
    fn child(&self) -> u64 {
        self.guilds[self.guilds.len() - 1].0
    }

    /// The guild in which the row is asked for.
    fn of(&self, row: &Row) -> u64 {
        match row.of {
            Of::Main => self.guilds[0].0,
            Of::Child => self.child(),
        }
    }

    /// The role in the main of who may, where the row needs no more than staff.
    fn staff(&self) -> u64 {
        self.setting.sandbox.role(self.guilds[0].0, "Moderator")
    }

    fn user(&self, asker: Asker) -> u64 {
        self.users[asker as usize]
    }

    /// Runs the real binary with this line; its standard output as JSON.
    fn run(&self, line: &str, of: Option<u64>) -> Value {
        let mut words = grammar::split_line(line).unwrap();
        words.extend(of.map(|guild| format!("--guild={guild}")));
        words.push("--json".to_owned());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let finished = self.setting.home.wayhaven(&words).unwrap();
        assert_eq!(finished.code, Some(0), "{line}: {}", finished.stderr);
        finished.json()
    }

    /// Asks, and sees that it is answered as it should be.
    pub(super) async fn asks(&mut self, row: &Row, asker: Asker) {
        let line = self.text(row.line, asker).await;
        let of = self.of(row);
        let wanted = match row.after {
            After::Answers(text) => Some(self.text(text, asker).await),
            _ => None,
        };
        let severe = parsed(row, &line).effect() == Effect::Severe;
        let confirm = severe.then(|| confirmation(row, &line));
        let since = self.latest(row).await;
        let answer = match asker {
            Asker::CommandLine => {
                let confirm = format!("{line} --confirm={}", confirm.as_deref().unwrap_or_default());
                let json = self.run(if severe { &confirm } else { &line }, Some(of));
                assert_eq!(json["kind"], definition(row).name, "{json}");
                json["data"].to_string()
            }
            Asker::Palette => {
                self.terminal.press(&format!(":--guild={of} {line}\r"));
                match &wanted {
                    // What changes something is shown before, and then answers.
                    Some(wanted) if definition(row).effect.changes() => {
                        self.terminal.shows(&["do this?"]);
                        self.terminal.press("y");
                        self.terminal.shows(&[definition(row).name, wanted]);
                    }
                    Some(wanted) => self.terminal.shows(&[definition(row).name, wanted]),
                    None if severe => {
                        self.terminal.shows(&["to go on"]);
                        self.terminal.press(&format!("{}\r", confirm.unwrap_or_default()));
                    }
                    None => {
                        self.terminal.shows(&["do this?"]);
                        self.terminal.press("y");
                    }
                }
                String::new()
            }
            Asker::Discord => {
                self.grant(of, exactly(row.needs) | besides(row.line), 0);
                self.slash(row, who(row.needs, &self.setting.sandbox)).await
            }
        };
        if let (Some(wanted), true) = (wanted, asker != Asker::Palette) {
            assert!(answer.contains(&wanted), "{asker:?} {line}: {answer}");
        }
        // The palette runs a change dry first, and so does Discord what is severe; that is audited too.
        let dry_first = (asker == Asker::Palette && definition(row).effect.changes())
            || (asker == Asker::Discord && severe);
        let asked = if dry_first { 2 } else { 1 };
        let entry = self.audited(row, since, asker.surface(), asked).await;
        assert_eq!(entry.result, AuditResult::Success, "{asker:?} {line}: {entry:?}");
        assert_eq!(entry.guild_id, Some(crate::setting::guild(of)), "{asker:?} {line}");
        let actor = entry.actor.unwrap();
        match asker {
            Asker::Discord => assert_eq!(actor.raw(), who(row.needs, &self.setting.sandbox).to_string()),
            _ => assert!(actor.raw().contains("unix user "), "{actor:?}"),
        }
        if asker == Asker::Palette {
            // Whatever lies over the screen is closed, and there is nothing of it left to be seen.
            self.terminal.press(":messages\r");
            self.terminal.press(":network\r");
        }
    }

    /// Asks by slash command; what the member sees.
    async fn slash(&self, row: &Row, by: u64) -> String {
        let mut options = Map::new();
        for (name, template) in row.options {
            let text = self.text(template, Asker::Discord).await;
            options.insert((*name).to_owned(), texts::option(name, &text));
        }
        let (of, people) = (self.of(row), self.setting.sandbox.people());
        let asked = people.slash(of, by, definition(row).name, Value::Object(options)).unwrap();
        let reply = people.reply(asked).await.unwrap();
        let rows = reply["components"].as_array().into_iter().flatten();
        let go = rows
            .flat_map(|row| row["components"].as_array().into_iter().flatten())
            .find(|button| button["label"] == "Do it")
            .and_then(|button| button["custom_id"].as_str());
        if let Some(go) = go {
            people.press(asked, by, go).unwrap();
        }
        // Without the marks that keep Discord from reading markdown in it.
        reply.to_string().replace('\\', "")
    }

    /// Somebody with every permission but the one it needs: refused, audited, and nothing changed.
    pub(super) async fn is_refused(&self, row: &Row) {
        self.grant(self.of(row), 0, all_but(row.needs));
        // Another for each row: what somebody is refused again within a minute is counted, and no row of its own.
        let (sandbox, of) = (&self.setting.sandbox, self.of(row));
        let by = sandbox.stranger();
        sandbox.people().join(of, by).unwrap();
        sandbox.people().add_role(of, sandbox.owner(), by, sandbox.role(of, "Admin")).unwrap();
        let (before, since) = (self.everything(), self.latest(row).await);
        let reply = self.slash(row, by).await;
        let name = definition(row).name;
        assert!(reply.contains(&format!("{name} needs")), "{name}: {reply}");
        assert!(reply.contains(row.needs.needs()), "{name}: {reply}");
        let entry = self.audited(row, since, "discord", 1).await;
        assert_eq!(entry.result, AuditResult::Denied, "{name}: {entry:?}");
        assert_eq!(entry.actor.unwrap().raw(), by.to_string(), "{name}");
        assert_eq!(self.everything(), before, "{name} was refused, and changed something");
    }

    /// What the operations of the table could change, and what was changed at Discord.
    fn everything(&self) -> (Value, Value, Value, usize) {
        let main = Some(self.setting.main.get());
        let data = |line: &str| self.run(line, main)["data"].take();
        let effects =
            self.guilds.iter().map(|(guild, _)| self.setting.sandbox.effects_in(*guild).len()).sum();
        let lists = json!([
            data("punishment list --limit=500"),
            data("protect list --limit=500"),
            data("sync holds"),
            data("incident list --limit=500"),
            alerts(data("alert list --all --limit=500")),
            data("drill list"),
        ]);
        (lists, data("config show"), self.links(), effects)
    }

    /// The main's links, as its dashboard shows them.
    fn links(&self) -> Value {
        let shown = self.run("setup dashboard", Some(self.guilds[0].0));
        let children = shown["data"]["networks"][0]["children"].as_array().unwrap();
        children.iter().map(|child| child["link"].clone()).collect()
    }

    /// Gives exactly these permissions, beside everybody's, to who may and to who may not.
    fn grant(&self, of: u64, may: u64, may_not: u64) {
        let sandbox = &self.setting.sandbox;
        for (role, bits) in [("Moderator", may), ("Admin", may_not)] {
            sandbox.people().set_role_permissions(of, sandbox.role(of, role), bits).unwrap();
        }
    }

    /// What is so once it was done.
    pub(super) async fn was_done(&self, row: &Row, asker: Asker) {
        let user = self.user(asker);
        let shown = |line: String, text: String, wanted: bool| {
            let shown = self.run(&line, Some(self.of(row)))["data"].to_string();
            assert_eq!(shown.contains(&text), wanted, "{asker:?} {}: {shown}", row.line);
        };
        match row.after {
            After::Everywhere(holds) => {
                let main = self.guilds[0].0;
                let all = |discord: &Discord| {
                    let mut places = self.guilds.iter();
                    places.all(|(guild, muted)| {
                        holds(&Place { discord, guild: *guild, user, muted: *muted, is_main: *guild == main })
                    })
                };
                let waited = self.setting.sandbox.wait_until(all, PATIENCE).await;
                assert!(waited.is_ok(), "{asker:?} {}", row.line);
            }
            After::Shows(line, text) => {
                shown(self.text(line, asker).await, self.text(text, asker).await, true);
            }
            After::Becomes(line, text) => {
                let (line, deadline) = (self.text(line, asker).await, Instant::now() + PATIENCE);
                loop {
                    let shown = self.run(&line, Some(self.of(row)))["data"].to_string();
                    if shown.contains(text) {
                        break;
                    }
                    assert!(Instant::now() < deadline, "{asker:?} {}: it never is {text}: {shown}", row.line);
                }
            }
            After::Exported => {
                let (path, user, deadline) =
                    (self.file(asker, "json"), user.to_string(), Instant::now() + PATIENCE);
                let attached = |world: &World| {
                    let mut files = world.files.values();
                    files.any(|file| String::from_utf8_lossy(&file.bytes).contains(&user))
                };
                let is_there = || match asker {
                    Asker::Discord => self.setting.sandbox.read(attached),
                    _ => std::fs::read_to_string(&path).is_ok_and(|list| list.contains(&user)),
                };
                while !is_there() {
                    assert!(Instant::now() < deadline, "{asker:?} {}: no list came", row.line);
                }
            }
            After::ShowsNot(line, text) => {
                shown(self.text(line, asker).await, self.text(text, asker).await, false);
            }
            After::Left(holds) => {
                let (child, muted) = self.guilds[self.guilds.len() - 1];
                // What was delivered is taken back before the link is closed, so that nothing comes after it.
                let deadline = Instant::now() + PATIENCE;
                while self.links().to_string().contains(&child.to_string()) {
                    assert!(Instant::now() < deadline, "{asker:?} {}: it never closes", row.line);
                }
                let discord = &self.setting.sandbox;
                assert!(
                    holds(&Place { discord, guild: child, user, muted, is_main: false }),
                    "{asker:?} {}",
                    row.line
                );
            }
            After::Answers(_) => {}
        }
    }
}

/// The operation that the row's line begins with.
fn definition(row: &Row) -> &'static Definition {
    let words: Vec<_> = row.line.split(' ').collect();
    let name = (1..=words.len().min(3)).find_map(|count| grammar::find(&words[..count].join(" ")));
    name.unwrap_or_else(|| panic!("{} is no operation", row.line))
}

/// What the line asks for.
fn parsed(row: &Row, line: &str) -> Request {
    let definition = definition(row);
    let words = grammar::split_line(line).unwrap();
    grammar::parse_arguments(definition, &words[definition.words().count()..]).unwrap()
}

/// What is typed to confirm it.
fn confirmation(row: &Row, line: &str) -> String {
    grammar::confirmation(&parsed(row, line))
}

/// The alerts as people have left them: whether one is over already that resolves itself is a matter of time.
fn alerts(mut listed: Value) -> Value {
    for alert in listed["alerts"].as_array_mut().into_iter().flatten() {
        if alert["resolved"]["by"] == "wayhaven" {
            alert["resolved"] = Value::Null;
        }
    }
    listed["open"].take();
    listed
}
