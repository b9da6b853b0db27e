//! FAULTS 33: secrets go through every surface at every log level, and are looked for in all that was written.

use crate::room::{Beside, room};
use crate::setting::{guild, options, program};
use serde_json::json;
use std::fs::File;
use std::path::{Path, PathBuf};
use wayhaven_e2e::process::{PATIENCE, link};
use wayhaven_e2e::{DaemonProcess, Home};
use wayhaven_sandbox::{At, Discord, Fault, InteractionId, Sandbox};
use wayhaven_shared::operations::setup::Mode;
use wayhaven_shared::operations::status::ConnectionState;

/// A webhook's token, as long as Discord's, and somebody else's bot token, which people paste where they should not.
const HOOK: &str = "c4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4ryxx";
const OTHER_BOT: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4.Gc4n4r.c4n4ry-bot-c4n4ry-bot-c4n4ry-bot-c4n4ry";

/// What everything that is written is searched for.
struct Hunt {
    level: String,
    sandbox: Sandbox,
    home: Home,
    /// What each program has said, and after which words.
    said: Vec<(String, String)>,
    asked: Vec<InteractionId>,
    /// The keys that have been.
    keys: Vec<String>,
}

impl Hunt {
    async fn begin(level: &str) -> Self {
        let sandbox = Sandbox::start(options(2)).await.unwrap();
        let home =
            Home::new(program(), &sandbox).unwrap().with("BOT_TOKEN", None).with("LOG_LEVEL", Some(level));
        let level = level.to_owned();
        let mut hunt = Self { level, sandbox, home, said: Vec::new(), asked: Vec::new(), keys: Vec::new() };
        let token = hunt.sandbox.token().to_owned();
        hunt.wayhavend(&["token", "set"], &token);
        hunt.note_key();
        hunt
    }

    fn note_key(&mut self) {
        let line = std::fs::read_to_string(self.home.layout().unwrap().seal_key()).unwrap();
        self.keys.push(line.trim_end().rsplit(' ').next().unwrap().to_owned());
    }

    /// The daemon, with all it says on its standard streams in a file of its own.
    fn start(&self, life: usize) -> DaemonProcess {
        let file = File::create(self.home.path().join(format!("streams-{life}"))).unwrap();
        self.home.start_into(file).unwrap()
    }

    fn wayhavend(&mut self, arguments: &[&str], input: &str) {
        let finished = self.home.wayhavend(arguments, input).unwrap();
        self.said
            .push((format!("wayhavend {arguments:?}"), format!("{}{}", finished.stdout, finished.stderr)));
    }

    fn wayhaven(&mut self, arguments: &[&str]) -> String {
        let finished = self.home.wayhaven(arguments).unwrap();
        let said = format!("{}{}", finished.stdout, finished.stderr);
        self.said.push((format!("wayhaven {arguments:?}"), said.clone()));
        said
    }

    /// A slash command, to its answer.
    async fn slash(&mut self, command: &str, options: serde_json::Value) {
        let people = self.sandbox.people();
        let (main, by) = (self.sandbox.main_guild(), self.sandbox.owner());
        let asked = people.slash(main, by, command, options).unwrap();
        self.asked.push(asked);
        people.reply(asked).await.unwrap();
    }

    /// The secrets by their names.
    fn secrets(&self, token: &str) -> Vec<(&'static str, String)> {
        let mut secrets = vec![("bot token", token.to_owned()), ("webhook", HOOK.to_owned())];
        // The first part is the bot's id, which is no secret.
        secrets.extend(token.split('.').skip(1).map(|part| ("part of the bot token", part.to_owned())));
        secrets.extend(OTHER_BOT.split('.').skip(1).map(|part| ("other bot's token", part.to_owned())));
        secrets.extend(self.keys.iter().map(|key| ("key", key.clone())));
        let people = self.sandbox.people();
        let tokens = self.asked.iter().map(|asked| people.interaction(*asked).unwrap().token);
        secrets.extend(tokens.map(|token| ("interaction token", token)));
        secrets
    }

    /// Finds no secret in any file, nor in anything that was said.
    fn finds_nothing(&self, token: &str) {
        let secrets = self.secrets(token);
        assert!(secrets.iter().all(|(_, secret)| secret.len() >= 6));
        let key = self.home.layout().unwrap().seal_key();
        let mut files = Vec::new();
        collect(self.home.path(), &mut files);
        for (path, bytes) in &files {
            for (name, secret) in &secrets {
                // The key lies in its own file, of all places, and nothing else does.
                if !(*name == "key" && *path == key) {
                    assert!(!holds(bytes, secret), "the {name} is in {}", path.display());
                }
            }
        }
        for (of, said) in &self.said {
            for (name, secret) in &secrets {
                assert!(!said.contains(secret.as_str()), "{of} tells the {name}: {said}");
            }
        }
        // What is looked through is what was written: a search that finds nothing anywhere proves nothing.
        let of = |end: &str| {
            files.iter().filter(|(path, _)| path.to_string_lossy().contains(end)).collect::<Vec<_>>()
        };
        assert!(of("wayhaven.db").iter().any(|(_, bytes)| holds(bytes, "webhooks/1234567/[redacted]")));
        let told = !["warn", "error"].contains(&self.level.as_str());
        assert!(
            !told || of("wayhaven.log").iter().all(|(_, bytes)| holds(bytes, " - wayhaven - INFO - started"))
        );
        assert!(of("seal.key").iter().any(|(_, bytes)| holds(bytes, self.keys.last().unwrap())));
        assert!(!told || of("streams-0").iter().all(|(_, bytes)| holds(bytes, " - started")));
        assert_eq!(of("token.sealed").len(), 1);
    }
}

fn collect(directory: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            collect(&entry.path(), files);
        } else if kind.is_file() {
            files.push((entry.path(), std::fs::read(entry.path()).unwrap()));
        }
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

async fn hunt(level: &str) {
    let _room = room(Beside::One).await;
    let mut hunt = Hunt::begin(level).await;
    let token = hunt.sandbox.token().to_owned();
    let hook = format!("https://discord.com/api/webhooks/1234567/{HOOK}");
    let main = hunt.sandbox.main_guild();
    let members = hunt.sandbox.members(main);
    let mut daemon = hunt.start(0);
    let client = daemon.ready().await.unwrap();
    for child in hunt.sandbox.children() {
        link(&client, guild(main), guild(child), Mode::Active).await.unwrap();
    }

    // What people write, with secrets where they do not belong.
    let reason = format!("see {hook} and {OTHER_BOT} and {token}");
    let user = |index: usize| members[index].to_string();
    hunt.slash("ban", json!({"user": user(0), "reason": reason})).await;
    hunt.slash("warn", json!({"user": user(1), "reason": reason})).await;
    hunt.slash("ban", json!({"user": user(2), "evidence": hook})).await;
    hunt.slash("kick", json!({"user": user(2), "reason": token})).await;
    hunt.slash("setup remove-child", json!({"child": user(3)})).await;
    hunt.slash("punishment list", json!({})).await;
    hunt.slash("audit log", json!({"operation": hook})).await;
    // By hand, in Discord's own client.
    let (moderator, people) = (hunt.sandbox.moderator(), hunt.sandbox.people());
    people.ban(main, moderator, members[4], Some(&reason)).unwrap();
    let child = hunt.sandbox.children()[1];
    hunt.sandbox.wait_until(|sandbox| sandbox.is_banned(child, members[4]), PATIENCE).await.unwrap();

    // The operator's side, in JSON and for people.
    let at_main = format!("--guild={main}");
    let with_reason = format!("--reason={reason}");
    for arguments in [
        &["ban", &user(5), &with_reason, &at_main, "--yes"][..],
        &["ban", &user(6), &format!("--evidence={hook}"), &at_main, "--yes"],
        &["ban", &token, &at_main, "--yes"],
        &["kick", &user(7), &with_reason, &at_main, "--dry-run"],
        &["sync", "freeze", &with_reason, &at_main, "--yes"],
        &["sync", "resume", &at_main, "--yes"],
        &["audit", "log", &format!("--operation={hook}")],
        &["audit", "log", &token],
        &[&token],
        &["punishment", "list"],
        &["punishment", "show", "1"],
        &["audit", "log", "--limit=100"],
        &["sync", "deliveries"],
        &["config", "show", &at_main],
        &["setup", "dashboard"],
        &["settings", "set", "discord.token", &token],
        &["settings", "set", &token, &reason],
        &["settings", "set", "log.level", &token],
        &["settings", "show"],
        &["incident", "open", &reason, &at_main],
        &["incident", "list"],
        &["incident", "close", &reason, &at_main],
        &["alert", "resolve", "1", &reason],
        &["alert", "list", "--all"],
        &["drill", "run", &at_main],
        &["audit", "export", &at_main],
        &["audit", "export", "--format=csv"],
        &["audit", "stats"],
        &["daemon", "status"],
        &["status"],
        &["paths"],
    ] {
        hunt.wayhaven(arguments);
        let mut as_json = vec!["--json"];
        as_json.extend(arguments);
        hunt.wayhaven(&as_json);
    }
    let audited = hunt.wayhaven(&["audit", "log", "--limit=100", "--json"]);
    assert!(audited.contains("\"ban\"") && audited.contains("\"warn\""), "{audited}");

    // What goes wrong, on the routes whose paths hold tokens.
    for (method, route) in [
        ("POST", "/interactions/{interaction_id}/{interaction_token}/callback"),
        ("PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/@original"),
    ] {
        let at = || At::route(method, route).times(1);
        for fault in [
            Fault::CutAfter { at: at() },
            Fault::CutBefore { at: at() },
            Fault::ResetInBody { at: at() },
            Fault::Answer { at: at(), status: 400, code: 50035, message: format!("{hook} {token}") },
            Fault::Answer { at: at(), status: 404, code: 10062, message: "Unknown interaction".into() },
            Fault::Redirect {
                at: at(),
                status: 302,
                location: format!("http://127.0.0.1:9/webhooks/1/{HOOK}"),
            },
        ] {
            let met = |sandbox: &Discord| sandbox.log().iter().filter(|one| one.route == route).count();
            let before = met(&hunt.sandbox);
            hunt.sandbox.inject(fault);
            let asked = people.slash(main, hunt.sandbox.owner(), "punishment list", json!({})).unwrap();
            hunt.asked.push(asked);
            let spent = hunt.sandbox.wait_until(|sandbox| met(sandbox) > before, PATIENCE);
            spent.await.unwrap();
        }
    }

    hunt.wayhavend(&["token", "check"], "");
    hunt.wayhavend(&["token", "check", "--json"], "");
    hunt.wayhavend(&["token", "rotate-key"], "");
    hunt.note_key();
    hunt.wayhavend(&["check", "--discord"], "");
    hunt.wayhavend(&["check", "--json"], "");
    hunt.wayhavend(&["token", "set", &token], "");
    hunt.wayhavend(&["run", &format!("--config={hook}")], "");
    hunt.finds_nothing(&token);

    // What a kill leaves behind, and a token that is refused.
    daemon.kill().unwrap();
    hunt.finds_nothing(&token);
    let mut daemon = hunt.start(1);
    daemon.ready().await.unwrap();
    let _new = people.reset_token();
    daemon.kill().unwrap();
    let mut daemon = hunt.start(2);
    let client = daemon.client().await.unwrap();
    daemon.until(&client, ConnectionState::Stopped).await.unwrap();
    hunt.wayhaven(&["status", "--json"]);
    hunt.wayhavend(&["token", "check", "--json"], "");
    assert_eq!(daemon.terminate().await.unwrap().code(), Some(0));
    hunt.finds_nothing(&token);
    let log = std::fs::read_to_string(hunt.home.layout().unwrap().logs.join("wayhaven.log")).unwrap();
    assert_eq!(log.contains(" - DEBUG - "), ["trace", "debug"].contains(&level), "{level}");
    assert_eq!(log.contains(" - INFO - "), !["warn", "error"].contains(&level), "{level}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_33_no_secret_is_in_anything_that_is_written_at_level_trace() {
    hunt("trace").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_33_no_secret_is_in_anything_that_is_written_at_level_debug() {
    hunt("debug").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_33_no_secret_is_in_anything_that_is_written_at_level_info() {
    hunt("info").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_33_no_secret_is_in_anything_that_is_written_at_level_warn() {
    hunt("warn").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_33_no_secret_is_in_anything_that_is_written_at_level_error() {
    hunt("error").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_33_a_token_that_is_handed_over_is_in_nothing_that_is_written() {
    let _room = room(Beside::Others).await;
    for by_credential in [false, true] {
        let sandbox = Sandbox::start(options(1)).await.unwrap();
        let token = sandbox.token().to_owned();
        let mut home = Home::new(program(), &sandbox).unwrap().with("LOG_LEVEL", Some("trace"));
        let credentials = home.path().join("credentials");
        if by_credential {
            std::fs::create_dir(&credentials).unwrap();
            std::fs::write(credentials.join("discord-token"), &token).unwrap();
            let directory = credentials.to_str().unwrap().to_owned();
            home = home.with("BOT_TOKEN", None).with("CREDENTIALS_DIRECTORY", Some(&directory));
        }
        let file = File::create(home.path().join("streams")).unwrap();
        let mut daemon = home.start_into(file).unwrap();
        let client = daemon.client().await.unwrap();
        daemon.until(&client, ConnectionState::Ready).await.unwrap();
        let shown = home.wayhaven(&["settings", "show", "--json"]).unwrap();
        let from = shown.json()["data"]["settings"][0].to_string();
        let stdout = format!("{}{}", shown.stdout, shown.stderr);
        assert!(!stdout.contains(&token), "{stdout}");
        assert_eq!(from.contains("discord-token"), by_credential, "{from}");
        // It is refused next, which makes the daemon tell of it.
        let _new = sandbox.people().reset_token();
        assert_eq!(daemon.terminate().await.unwrap().code(), Some(0));
        std::fs::remove_dir_all(&credentials).ok();
        let mut files = Vec::new();
        collect(home.path(), &mut files);
        assert!(
            files.iter().any(|(path, bytes)| path.ends_with("wayhaven.log") && holds(bytes, " - DEBUG - "))
        );
        for secret in [token.as_str()].into_iter().chain(token.split('.').skip(1)) {
            for (path, bytes) in &files {
                assert!(!holds(bytes, secret), "the token is in {}", path.display());
            }
        }
    }
}
