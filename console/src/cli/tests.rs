//! The command line against a scripted daemon, in one process: what stands on which stream, and the exit code.

use super::output::{Output, Surroundings};
use super::*;
use crate::scripted_daemon::{START, ScriptedDaemon, delivery, punishment};
use serde_json::{Value, json};
use shared::event::Change;

struct Ran {
    code: u8,
    out: String,
    err: String,
}

fn surroundings(layout: Result<shared::paths::Layout, Fault>) -> Surroundings {
    Surroundings {
        layout,
        host: None,
        guild: None,
        input_terminal: false,
        output_terminal: false,
        error_terminal: false,
        width: 80,
        no_colour: false,
        dumb: false,
        utf8: true,
    }
}

async fn run(daemon: &ScriptedDaemon, line: &str) -> Ran {
    run_at(Ok(daemon.layout.clone()), line).await
}

async fn run_at(layout: Result<shared::paths::Layout, Fault>, line: &str) -> Ran {
    run_in(surroundings(layout), line).await
}

async fn run_in(surroundings: Surroundings, line: &str) -> Ran {
    let words = shared::grammar::split_line(line).unwrap();
    let words: Vec<OsString> =
        std::iter::once("wayhaven".into()).chain(words.into_iter().map(Into::into)).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = {
        let json = words.iter().any(|word| word == "--json");
        let mut output = Output::new(Box::new(&mut out), Box::new(&mut err), &surroundings, json, false);
        match parse(&words) {
            Ok(asked) => {
                let request = asked.request.unwrap();
                let code = run::operation(request, &asked.globals, &surroundings, &mut output).await;
                output.finish(code)
            }
            Err(error) => answer_usage(&error, &words, &mut output),
        }
    };
    Ran { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

fn counts(pending: u64, applied: u64) -> Value {
    json!({"pending": pending, "held": 0, "sending": 0, "blocked": 0, "unknown": 0, "applied": applied,
           "skipped": 0, "failed": 0, "superseded": 0})
}

fn punished() -> Value {
    json!({"punishment": punishment(), "dry_run": false, "network": true, "deliveries": counts(2, 0),
           "origin": {"guild_id": "1000", "state": "pending", "reason": null}, "later": "kept"})
}

fn detail(origin: &str, first: &str, second: &str) -> Value {
    json!({"punishment": punishment(), "origin": {"guild_id": "1000", "state": origin, "reason": null},
           "deliveries": [delivery(1, first), delivery(2, second)]})
}

/// Answers a ban, then each `punishment show` with the next of these.
fn ban_then(shown: Vec<Value>) -> ScriptedDaemon {
    let mut shown = shown.into_iter();
    ScriptedDaemon::start(move |envelope| match envelope.request["operation"].as_str() {
        Some("ban") => Ok(punished()),
        Some("punishment show") => Ok(shown.next().expect("nobody asks again once all is settled")),
        other => panic!("{other:?} was not expected"),
    })
}

#[tokio::test]
async fn json_is_the_daemons_own_data_on_one_line() {
    let daemon = ban_then(Vec::new());
    let ran = run(&daemon, "ban 77 --guild 1000 --reason=raid --json").await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out.lines().count(), 1);
    let said: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        said,
        json!({"schema": 1, "kind": "ban", "data": punished(), "next_cursor": null, "warnings": [],
               "names": {"users": {}, "guilds": {}}})
    );
    let asked = &daemon.requests()[0];
    assert_eq!(asked.guild.as_ref().unwrap().id().unwrap().get(), 1000);
    assert_eq!(asked.request["arguments"], json!({"user": "77", "reason": "raid"}));
    assert!(!asked.dry_run);
}

#[tokio::test]
async fn text_is_clean_of_what_somebody_else_wrote() {
    let daemon = ban_then(Vec::new());
    let ran = run(&daemon, "ban 77").await;
    insta::assert_snapshot!(ran.out, @"
    ~ banned 77
    Punishment  42
    Reason      raid [2J
    Here        ~ pending
    Children    ~ 2 pending
    ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄ 0/2
    ");
    assert_eq!(ran.code, 0);
}

/// A name for the user and the guild of the samples.
fn names() -> shared::Names {
    let value = json!({ "users": { "77": "ra\u{202e}ider\u{1b}[2J" }, "guilds": { "1000": "Wayhaven" } });
    serde_json::from_value(value).unwrap()
}

#[tokio::test]
async fn names_stand_beside_ids_and_json_has_them_apart() {
    let daemon = ban_then(Vec::new());
    daemon.knows(names());
    let ran = run(&daemon, "ban 77").await;
    assert!(ran.out.starts_with("~ banned raider [2J (77)\n"), "{}", ran.out);
    let ran = run(&daemon, "ban 77 --json").await;
    let said: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(said["data"], punished(), "ids are what they were");
    assert_eq!(said["names"]["guilds"], json!({ "1000": "Wayhaven" }));
    assert!(said["names"]["users"]["77"].is_string());
}

#[tokio::test]
async fn a_guild_is_sent_as_it_was_typed_and_the_flag_is_stronger_than_the_variable() {
    let daemon = ban_then(Vec::new());
    let sent = async |line: &str, variable: Option<&str>| {
        let mut surroundings = surroundings(Ok(daemon.layout.clone()));
        surroundings.guild = variable.map(str::to_owned);
        let ran = run_in(surroundings, line).await;
        (ran.code, daemon.requests().last().and_then(|asked| asked.guild.clone()).map(String::from))
    };
    let guild = |text: &str| (0, Some(text.to_owned()));
    assert_eq!(sent("ban 77 --guild=Pixel", None).await, guild("Pixel"));
    assert_eq!(sent("ban 77", Some("Main guild")).await, guild("Main guild"));
    assert_eq!(sent("ban 77 --guild '1000'", Some("Main")).await, guild("1000"));
    assert_eq!(sent("ban 77", None).await, (0, None));
    let mut wrong = surroundings(Ok(daemon.layout.clone()));
    wrong.guild = Some("x".repeat(200));
    let ran = run_in(wrong, "ban 77").await;
    assert!(ran.code == 2 && ran.err.contains("WAYHAVEN_GUILD"), "{}", ran.err);
}

#[tokio::test]
async fn a_wait_follows_events_and_prints_what_became_of_it() {
    let daemon =
        ban_then(vec![detail("pending", "pending", "pending"), detail("applied", "applied", "applied")]);
    let apply = |value: Value| Change::Delivery { delivery: serde_json::from_value(value).unwrap() };
    let asking = run(&daemon, "ban 77 --wait --json");
    let publishing = async {
        // The first `punishment show` was answered: from here on only events tell.
        while daemon.requests().len() < 2 {
            tokio::task::yield_now().await;
        }
        daemon.publish(apply(delivery(1, "applied")));
        let mut origin = delivery(9, "applied");
        origin["guild_id"] = "1000".into();
        daemon.publish(Change::Origin { delivery: serde_json::from_value(origin).unwrap() });
        daemon.publish(apply(delivery(2, "applied")));
    };
    let (ran, ()) = tokio::join!(asking, publishing);
    let said: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(said["data"]["deliveries"], counts(0, 2));
    assert_eq!(said["data"]["origin"]["state"], "applied");
    assert_eq!(said["data"]["later"], "kept", "fields of a newer daemon stay");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("2/2 2 applied"), "{}", ran.err);
}

#[tokio::test]
async fn a_wait_with_a_blocked_guild_prints_the_reply_and_is_partial() {
    let daemon = ban_then(vec![detail("applied", "blocked", "applied")]);
    let ran = run(&daemon, "ban 77 --wait=5s").await;
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains("1 applied, 1 blocked"), "{}", ran.out);
    assert!(ran.err.contains("error: 1 of 2 guilds did not do it"), "{}", ran.err);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_runs_out_prints_the_reply_and_is_pending() {
    let daemon = ban_then(vec![detail("applied", "pending", "unknown")]);
    let ran = run(&daemon, "ban 77 --wait=2s --json").await;
    assert_eq!(ran.code, 8);
    assert!(ran.out.contains("\"unknown\":1"), "{}", ran.out);
    let fault = ran.err.lines().last().unwrap();
    assert_eq!(serde_json::from_str::<Value>(fault).unwrap()["fault"]["kind"], "pending");
}

#[tokio::test]
async fn a_reply_of_another_version_is_shown_as_it_is_with_a_warning() {
    let daemon = ScriptedDaemon::start(|_| Ok(json!({"something": "new"})));
    let ran = run(&daemon, "status").await;
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("\"something\": \"new\""), "{}", ran.out);
    assert!(ran.err.starts_with("warning: the daemon's reply to status is not understood"), "{}", ran.err);
}

#[tokio::test]
async fn a_fault_is_a_line_with_hints_or_json_and_its_exit_code() {
    let daemon = ScriptedDaemon::start(|_| Err(Fault::denied("you may not").hint("ask the owner")));
    let ran = run(&daemon, "daemon stop").await;
    assert_eq!((ran.code, ran.out.as_str()), (4, ""));
    assert_eq!(ran.err, "error: you may not\n  hint: ask the owner\n");
    let ran = run(&daemon, "daemon stop --json").await;
    let said: Value = serde_json::from_str(&ran.err).unwrap();
    let fault = json!({"kind": "denied", "message": "you may not", "hints": ["ask the owner"]});
    assert_eq!(said, json!({"schema": 1, "kind": "fault", "fault": fault}));
}

#[tokio::test]
async fn a_usage_error_names_the_help_and_is_json_where_that_was_asked() {
    let daemon = ScriptedDaemon::start(|_| panic!("nothing is sent"));
    let ran = run(&daemon, "ban nobody").await;
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.ends_with("  hint: wayhaven ban --help\n"), "{}", ran.err);
    let ran = run(&daemon, "setup add-child x --json").await;
    assert_eq!(ran.code, 2);
    assert_eq!(serde_json::from_str::<Value>(&ran.err).unwrap()["fault"]["kind"], "usage");
    let ran = run(&daemon, "setup --json").await;
    assert_eq!(serde_json::from_str::<Value>(&ran.err).unwrap()["fault"]["kind"], "usage");
}

#[tokio::test]
async fn help_is_a_success_on_standard_output_and_names_the_operation_first() {
    let daemon = ScriptedDaemon::start(|_| panic!("nothing is sent"));
    for line in ["--help", "ban --help", "setup -h", "--version"] {
        let ran = run(&daemon, line).await;
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{line}");
        assert!(ran.out.ends_with('\n'), "{line}");
    }
    assert!(run(&daemon, "ban --help").await.out.starts_with("Ban somebody here"));
    assert!(run(&daemon, "--help").await.out.starts_with("Operate Wayhaven"));
}

#[tokio::test]
async fn paths_answers_with_no_daemon_and_others_say_that_none_is_there() {
    let daemon = ScriptedDaemon::start(|_| panic!("nothing is sent"));
    daemon.vanish();
    let ran = run(&daemon, "paths --json").await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let said: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(said["data"]["socket"], daemon.layout.socket.display().to_string());
    assert!(said["warnings"][0].as_str().unwrap().contains("no daemon answers"));
    assert_eq!(run(&daemon, "status").await.code, 7);
}

#[tokio::test]
async fn a_dry_run_travels_only_with_what_changes_something() {
    let daemon = ScriptedDaemon::start(|_| Ok(json!({})));
    run(&daemon, "ban 77 --dry-run --wait").await;
    run(&daemon, "status --dry-run").await;
    assert_eq!(daemon.requests().iter().map(|asked| asked.dry_run).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn what_is_severe_is_sent_once_its_name_was_given() {
    let daemon = ScriptedDaemon::start(|envelope| match (envelope.dry_run, envelope.confirm.as_deref()) {
        (dry_run, confirm) if dry_run != (confirm == Some("setup unset-main")) => {
            Ok(json!({"guild_id": "1000", "guild_name": null, "dry_run": dry_run, "already": false,
                      "is_main": false}))
        }
        _ => panic!("neither a plan nor confirmed: {envelope:?}"),
    });
    let ran = run(&daemon, "setup unset-main --guild 1000").await;
    assert_eq!((ran.code, ran.out.as_str()), (9, ""), "no terminal, no question");
    assert!(ran.err.contains("--confirm='setup unset-main'"), "what it says can be pasted: {}", ran.err);
    let ran = run(&daemon, "setup unset-main --guild 1000 --dry-run").await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ran = run(&daemon, "setup unset-main --guild 1000 --confirm='setup unset-main'").await;
    assert!(ran.code == 0 && ran.out.contains("it is a main no more"), "{}{}", ran.out, ran.err);
}

#[tokio::test]
async fn lifting_everything_in_a_child_is_confirmed_and_leaving_it_is_not() {
    let changed = json!({"link": null, "main_guild_id": "1000", "child_guild_id": "2001", "state": "closed",
        "dry_run": false, "stopped": 0, "changes": ["state: active → closed"]});
    let daemon = ScriptedDaemon::start(move |_| Ok(changed.clone()));
    for (line, name) in [
        ("setup remove-child 2001 --undo --guild 1000", "2001"),
        ("setup leave 1000 --undo --guild 2001", "1000"),
    ] {
        let ran = run(&daemon, line).await;
        assert_eq!((ran.code, ran.out.as_str()), (9, ""), "{line}");
        assert!(ran.err.contains(&format!("--confirm={name}")), "{}", ran.err);
        assert!(daemon.requests().is_empty());
    }
    for line in ["setup remove-child 2001 --keep --guild 1000", "setup leave 1000 --guild 2001"] {
        assert_eq!(run(&daemon, line).await.code, 0, "{line}");
    }
    run(&daemon, "setup remove-child 2001 --undo --guild 1000 --confirm=2001").await;
    let last = daemon.requests().pop().unwrap();
    assert_eq!(last.confirm.as_deref(), Some("2001"));
    let ran = run(&daemon, "setup leave 1000 --undo --keep --guild 2001").await;
    assert!(ran.code == 2 && ran.err.contains("contradict"), "{}", ran.err);
}

#[test]
fn a_reader_that_went_away_is_no_failure_and_a_full_disk_is_one() {
    struct Broken(std::io::ErrorKind);
    impl std::io::Write for Broken {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for (kind, code) in [(std::io::ErrorKind::BrokenPipe, 0), (std::io::ErrorKind::StorageFull, 1)] {
        let surroundings = surroundings(Err(Fault::usage("none")));
        let sink = std::io::sink();
        let mut output = Output::new(Box::new(Broken(kind)), Box::new(sink), &surroundings, false, false);
        output.plain("text");
        assert_eq!(output.finish(0), code, "{kind:?}");
    }
}

#[test]
fn wait_has_a_span_without_a_value_and_no_wait_takes_it_back() {
    let globals = |line: &str| {
        let words: Vec<OsString> = line.split(' ').map(Into::into).collect();
        parse(&words).unwrap().globals
    };
    assert_eq!(globals("wayhaven ban 1 --wait").wait.unwrap().seconds(), 60);
    assert_eq!(globals("wayhaven --wait=2m ban 1").wait.unwrap().seconds(), 120);
    assert_eq!(globals("wayhaven --wait=3 ban 1").wait.unwrap().seconds(), 3, "a bare number is seconds");
    for wrong in ["--wait=", "--wait=0", "--wait=-1", "--wait=3x", "--wait=99999999999"] {
        let words: Vec<OsString> = ["wayhaven", wrong, "ban", "1"].map(Into::into).to_vec();
        assert!(parse(&words).is_err(), "{wrong}");
    }
    assert!(globals("wayhaven ban 1 --wait --no-wait").no_wait);
    assert!(!globals("wayhaven ban 1 --no-wait --wait").no_wait);
}

#[tokio::test]
async fn what_contradicts_itself_is_told_before_anybody_is_asked_to_confirm_it() {
    let daemon = ScriptedDaemon::start(|envelope| panic!("nothing is asked: {envelope:?}"));
    for (line, says) in [
        ("punishment revert 42 --moderator 7 --since 2h", "contradict"),
        ("punishment revert 42 --moderator 7", "contradict"),
        ("punishment revert --moderator 7", "without --since"),
        ("punishment revert", "nothing was named"),
    ] {
        let ran = run(&daemon, line).await;
        assert_eq!(ran.code, 2, "{line}: {}", ran.err);
        assert!(ran.err.contains(says) && ran.err.contains("--moderator=USER --since=2h"), "{}", ran.err);
        assert!(!ran.err.contains("confirm"), "{}", ran.err);
    }
    assert!(daemon.requests().is_empty());
}

#[tokio::test]
async fn a_connection_that_failed_is_shown_and_ends_with_its_own_exit_code_and_a_warning_does_not() {
    let tested = |result: &str| {
        json!({"guild_id": "1000", "guild_name": null,
               "checks": [{"name": "reachable", "result": "ok", "detail": "x"},
                          {"name": "Ban Members", "result": result, "detail": "missing: no ban is delivered"}]})
    };
    for (result, code) in [("ok", 0), ("warn", 0), ("fail", 10)] {
        let daemon = ScriptedDaemon::start(move |_| Ok(tested(result)));
        let ran = run(&daemon, "setup test-connection 1000 --json").await;
        assert_eq!(ran.code, code, "{result}: {}", ran.err);
        let said: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(said["data"], tested(result), "the points are shown in any case");
        assert_eq!(ran.err.is_empty(), code == 0, "{}", ran.err);
        if code != 0 {
            let fault: Value = serde_json::from_str(&ran.err).unwrap();
            assert_eq!(fault["fault"]["kind"], "verification", "{fault}");
            let message = fault["fault"]["message"].as_str().unwrap();
            assert!(message.contains("1000") && message.contains("Ban Members"), "{message}");
            assert!(!message.contains("reachable"), "{message}");
        }
    }
}

#[tokio::test]
async fn a_restart_is_waited_for_until_another_start_answers_and_not_without_being_asked_to() {
    let restarting = |start: &str, dry_run: bool| {
        json!({"pid": std::process::id(), "start": start, "program": "/usr/bin/wayhavend",
               "open_deliveries": 3, "dry_run": dry_run})
    };
    let daemon = ScriptedDaemon::start(move |envelope| Ok(restarting("the one before", envelope.dry_run)));
    let ran = run(&daemon, "daemon restart --json").await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let said: Value = serde_json::from_str(&ran.out).unwrap();
    assert!(said["data"]["away_ms"].is_u64() && said["data"]["version"] == "0.1.0", "{said}");
    assert!(run(&daemon, "daemon restart").await.out.contains("it was away for 0."));
    for asked in ["daemon restart --no-wait", "daemon restart --dry-run"] {
        let ran = run(&daemon, asked).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.out.contains("restart") && !ran.out.contains("away"), "{}", ran.out);
    }
    // The old one goes on answering.
    let daemon = ScriptedDaemon::start(move |_| Ok(restarting(START, false)));
    let ran = run(&daemon, "daemon restart --wait=1s").await;
    assert_eq!(ran.code, 7, "{}", ran.err);
    assert!(
        ran.err.contains("does not answer again within 1 s") && ran.err.contains("wayhaven.log"),
        "{}",
        ran.err
    );
}

#[tokio::test]
async fn the_question_about_a_repair_waits_for_no_comparison_without_an_end() {
    let at = "2026-01-02T03:04:05Z";
    let job = move |id: &str, state: &str| {
        json!({"id": id, "kind": "reconcile", "state": state, "guild_id": id, "main_guild_id": "1000", "asked_by": "uid:0",
               "dry_run": true, "done": 0, "created_at": at, "updated_at": at,
               "result": {"of": "reconciled", "guild_id": id, "differing": [], "applied": false,
                          "counts": [{"difference": "missing", "count": 7}]}})
    };
    let jobs = json!([job("2001", "done"), job("2002", "running"), job("2003", "running")]);
    let daemon = ScriptedDaemon::start(move |envelope| match envelope.request["operation"].as_str() {
        Some("sync reconcile") => Ok(json!({ "guild_id": "1000", "jobs": jobs })),
        Some("job show") => match envelope.request["arguments"]["id"].as_str() {
            Some("2002") => Ok(job("2002", "failed")),
            _ => Ok(job("2003", "running")),
        },
        other => panic!("{other:?} was not expected"),
    });
    let words = ["wayhaven", "sync", "reconcile", "--apply"].map(OsString::from);
    let Asked { request, globals, .. } = parse(&words).unwrap();
    let surroundings = surroundings(Ok(daemon.layout.clone()));
    let client = surroundings.place(&globals).unwrap().connect(shared::control::ClientSurface::Cli).await;
    let client = client.unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut output = Output::new(Box::new(&mut out), Box::new(&mut err), &surroundings, false, false);
    let mut ticker = progress::Ticker::new(false, crate::render::signs::Signs { ascii: true });
    let wait = std::time::Duration::from_millis(100);
    let plan = run::plan(&client, &request.unwrap(), None, wait, (&mut ticker, &mut output)).await;
    let report = plan.unwrap().unwrap();
    assert_eq!(report.title.line(), "nothing was changed: would repair 7 in 1 of 3 guilds, 2 not compared");
}

#[test]
fn a_question_says_whether_it_is_about_many_users_or_cannot_be_undone() {
    let question = |words: &[&str]| {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        run::question(&parse(&words).unwrap().request.unwrap(), "5")
    };
    let many = "This may affect many users. Type 5 to continue: ";
    assert_eq!(question(&["wayhaven", "setup", "add-child", "5"]), many);
    let undone = "This can't be undone. Type 5 to continue: ";
    assert_eq!(question(&["wayhaven", "setup", "remove-child", "5", "--undo"]), undone);
}

#[tokio::test]
async fn what_a_timeout_cuts_short_is_still_said_after_the_wait() {
    let mut shown = vec![detail("applied", "applied", "applied")].into_iter();
    let daemon = ScriptedDaemon::start(move |envelope| match envelope.request["operation"].as_str() {
        Some("timeout") => {
            let mut reply = punished();
            reply["cuts_short"] = json!("2026-01-09T10:30:00Z");
            Ok(reply)
        }
        _ => Ok(shown.next().unwrap()),
    });
    let ran = run(&daemon, "timeout 77 --for=1h --wait").await;
    assert!(ran.out.contains("ends early: it was to last until 2026-01-09"), "{}{}", ran.out, ran.err);
}
