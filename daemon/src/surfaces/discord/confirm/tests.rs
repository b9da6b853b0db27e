//! Severe operations by slash command and button, on a sandbox Discord.

use super::LIVES;
use crate::jobs::{Running, Stop};
use crate::reconcile::{Cursor, Resolve, new_job};
use crate::testing::{self, PATIENCE, TestDaemon, guild, sandbox};
use serde_json::{Value, json};
use std::sync::Arc;
use wayhaven_sandbox::{At, Fault, InteractionId, Options, Sandbox, permissions};
use wayhaven_shared::operations::audit::{AuditEntry, AuditResult};
use wayhaven_shared::operations::job::{JobKind, JobResult};
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::operations::reconcile::{Difference, Reconciled};

const UNSET: &str = "setup unset-main";
const DONE: &str = "it is a main no more";
const CALLBACK: &str = "/interactions/{interaction_id}/{interaction_token}/callback";

/// A daemon whose main has no links, so that nothing stands in the way of making it none.
async fn unlinked(sandbox: &Sandbox) -> TestDaemon {
    let test = TestDaemon::start_at(sandbox, Arc::new(testing::home())).await;
    test.until_ready().await;
    test
}

/// What was asked, and the names of its buttons.
struct Asked {
    id: InteractionId,
    message: Value,
    cancel: String,
    go: String,
}

/// The main's administrator asks to make it none.
async fn ask(sandbox: &Sandbox) -> Asked {
    let people = sandbox.people();
    let id = people.slash(sandbox.main_guild(), sandbox.admin(), UNSET, json!({})).unwrap();
    let message = people.reply(id).await.unwrap();
    let named = |label: &str| {
        let buttons = message["components"][0]["components"].as_array().unwrap();
        let button = buttons.iter().find(|button| button["label"] == label).unwrap();
        button["custom_id"].as_str().unwrap().to_owned()
    };
    Asked { id, cancel: named("Cancel"), go: named("Do it"), message }
}

/// A message's text, without what keeps it from being markdown.
fn text(message: &Value) -> String {
    message.to_string().replace('\\', "")
}

/// The reply to an interaction, once these words stand in it.
async fn shown(sandbox: &Sandbox, id: InteractionId, words: &str) -> Value {
    let people = sandbox.people();
    let latest = || people.replies(id).pop().unwrap_or_default();
    let waited = sandbox.wait_until(|_| text(&latest()).contains(words), PATIENCE).await;
    assert!(waited.is_ok(), "{words:?} never came: {:?}", people.replies(id));
    latest()
}

fn is_main(test: &TestDaemon, sandbox: &Sandbox) -> bool {
    test.systems.services.store().topology().is_main(guild(sandbox.main_guild()))
}

/// What the audit has of it, oldest first, once there is so much: the actor, how it ended, and the message.
async fn audited(test: &TestDaemon, count: usize) -> Vec<(u64, AuditResult, String)> {
    let read = |entry: AuditEntry| {
        assert_eq!(entry.surface, "discord");
        let actor = entry.actor.unwrap().raw().parse().unwrap();
        (actor, entry.result, entry.message.map(|message| message.line()).unwrap_or_default())
    };
    let about = |entry: &AuditEntry| entry.operation == UNSET || entry.operation == "unknown";
    // Who pressed is answered first, so a refusal may still be on its way into the audit.
    let wait = async {
        loop {
            let found: Vec<_> = test.audit().await.into_iter().rev().filter(about).map(read).collect();
            if found.len() >= count {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, wait).await.expect("it never was in the audit");
    assert_eq!(found.len(), count, "{found:?}");
    found
}

#[tokio::test]
async fn a_severe_command_shows_what_it_would_do_and_does_it_on_a_press() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (people, admin) = (sandbox.people(), sandbox.admin());
    let rows = async || {
        test.audit().await;
        test.read(|view| view.chain_head().unwrap().rows).await
    };
    let before = rows().await;
    let asked = ask(&sandbox).await;
    let preview = text(&asked.message);
    assert!(preview.contains("nothing was changed: it would be a main no more"), "{preview}");
    assert!(preview.contains("14 minutes"), "{preview}");
    let buttons = asked.message["components"][0]["components"].clone();
    let looks: Vec<_> =
        buttons.as_array().unwrap().iter().map(|one| (&one["label"], &one["style"])).collect();
    assert_eq!(looks, [(&json!("Cancel"), &json!(2)), (&json!("Do it"), &json!(4))]);
    assert!(people.interaction(asked.id).unwrap().ephemeral && is_main(&test, &sandbox));
    assert_eq!(audited(&test, 1).await, [(admin, AuditResult::Success, String::new())], "the dry run");
    assert_eq!(rows().await, before + 1, "a dry run has no intent");
    let again = ask(&sandbox).await;
    assert!(again.go != asked.go && again.cancel != asked.cancel, "each question has names of its own");

    let pressed = people.press(asked.id, admin, &asked.go).unwrap();
    let end = shown(&sandbox, pressed, DONE).await;
    assert_eq!((&end["components"], &end["mentions"]), (&json!([]), &json!([])));
    assert_eq!(people.replies(asked.id).pop().unwrap(), end, "it is the same message");
    assert!(text(&people.replies(pressed)[0]).contains("on its way"));
    assert_eq!(people.replies(pressed)[0]["components"], json!([]), "the buttons go at once");
    assert!(!is_main(&test, &sandbox));
    let done = audited(&test, 3).await;
    assert_eq!(rows().await, before + 4, "another dry run, and what was done with its intent");
    assert!(done.iter().all(|(by, result, _)| (*by, *result) == (admin, AuditResult::Success)), "{done:?}");
    // The other question is of the same thing, which is over.
    let pressed = people.press(again.id, admin, &again.go).unwrap();
    shown(&sandbox, pressed, "is no main").await;
}

#[tokio::test]
async fn nobody_but_who_asked_answers() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let people = sandbox.people();
    let asked = ask(&sandbox).await;
    for name in [&asked.go, &asked.cancel] {
        let pressed = people.press_unseen(asked.id, sandbox.owner(), name).unwrap();
        let refusal = people.reply(pressed).await.unwrap();
        assert!(text(&refusal).contains("only who asked for setup unset-main answers here"), "{refusal}");
        assert_eq!((&refusal["flags"], &refusal["mentions"]), (&json!(64), &json!([])));
    }
    assert!(is_main(&test, &sandbox), "not even the owner of the guild");
    assert_eq!(people.reply(asked.id).await.unwrap(), asked.message, "the question stays");
    let refused = audited(&test, 3).await;
    assert!(
        refused[1..].iter().all(|(by, result, _)| (*by, *result) == (sandbox.owner(), AuditResult::Denied))
    );
    let pressed = people.press(asked.id, sandbox.admin(), &asked.go).unwrap();
    shown(&sandbox, pressed, DONE).await;
}

#[tokio::test]
async fn cancel_changes_nothing_and_ends_the_question() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (people, admin) = (sandbox.people(), sandbox.admin());
    let asked = ask(&sandbox).await;
    let pressed = people.press(asked.id, admin, &asked.cancel).unwrap();
    let end = shown(&sandbox, pressed, "was cancelled: nothing was changed").await;
    assert_eq!(end["components"], json!([]));
    let late = people.press_unseen(asked.id, admin, &asked.go).unwrap();
    let refusal = text(&people.reply(late).await.unwrap());
    assert!(
        refusal.contains("was cancelled here before") && refusal.contains("asks for it again"),
        "{refusal}"
    );
    assert_eq!(people.reply(asked.id).await.unwrap(), end, "the message stays as it was");
    assert!(is_main(&test, &sandbox));
    let audited = audited(&test, 3).await;
    assert_eq!(
        audited[1],
        (admin, AuditResult::Error, "setup unset-main was cancelled at its preview".to_owned())
    );
    assert_eq!(audited[2].1, AuditResult::Error);
}

#[tokio::test]
async fn a_second_press_does_it_no_second_time() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (people, admin) = (sandbox.people(), sandbox.admin());
    let asked = ask(&sandbox).await;
    let presses =
        [&asked.go, &asked.go, &asked.cancel].map(|name| people.press_unseen(asked.id, admin, name).unwrap());
    // Whichever comes first; interactions do not queue.
    let mut replies = Vec::new();
    for pressed in presses {
        let settled = |_: &wayhaven_sandbox::Discord| {
            let reply = text(&people.replies(pressed).pop().unwrap_or_default());
            [DONE, "here before", "nothing was changed"].iter().any(|words| reply.contains(words))
        };
        sandbox.wait_until(settled, PATIENCE).await.unwrap();
        replies.push(text(&people.replies(pressed).pop().unwrap()));
    }
    let count = |words: &str| replies.iter().filter(|reply| reply.contains(words)).count();
    assert_eq!(count("here before"), 2, "{replies:?}");
    assert_eq!(is_main(&test, &sandbox), count(DONE) == 0, "{replies:?}");
    audited(&test, 4).await;
}

#[tokio::test]
async fn a_question_is_answered_within_fourteen_minutes_or_not_at_all() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (people, admin) = (sandbox.people(), sandbox.admin());
    let asked = ask(&sandbox).await;
    test.questions.age(LIVES);
    let pressed = people.press(asked.id, admin, &asked.go).unwrap();
    let end = shown(&sandbox, pressed, "more than 14 minutes ago, and nothing was changed").await;
    assert!(end["components"] == json!([]) && text(&end).contains("/setup unset-main asks for it again"));
    assert!(is_main(&test, &sandbox));
    let last = audited(&test, 2).await.pop().unwrap();
    assert_eq!((last.0, last.1), (admin, AuditResult::Error), "{}", last.2);
}

#[tokio::test]
async fn after_a_restart_a_question_is_not_known_any_more() {
    let options = Options { children: 1, global_limit: 0, max_concurrency: 100, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let test = unlinked(&sandbox).await;
    let asked = ask(&sandbox).await;
    let home = test.home();
    drop(test);
    // The former daemon would still answer.
    let gone = sandbox.wait_until(|_| sandbox.connected_sessions() == 0, PATIENCE).await;
    assert!(gone.is_ok());
    let test = TestDaemon::start_at(&sandbox, home).await;
    test.until_ready().await;
    let pressed = sandbox.people().press(asked.id, sandbox.admin(), &asked.go).unwrap();
    let end = shown(&sandbox, pressed, "does not know this question any more").await;
    assert!(end["components"] == json!([]) && text(&end).contains("use the command again"), "{end}");
    assert!(is_main(&test, &sandbox));
    let last = audited(&test, 2).await.pop().unwrap();
    assert_eq!((last.0, last.1), (sandbox.admin(), AuditResult::Error), "{}", last.2);
}

#[tokio::test]
async fn a_dry_run_and_what_cannot_be_done_ask_nothing() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (people, main, admin) = (sandbox.people(), sandbox.main_guild(), sandbox.admin());
    let id = people.slash(main, admin, UNSET, json!({"dry-run": true})).unwrap();
    let reply = people.reply(id).await.unwrap();
    assert!(text(&reply).contains("it would be a main no more"), "{reply}");
    assert_eq!(reply["components"], json!([]));
    test.link(&sandbox, wayhaven_shared::operations::setup::Mode::Active).await;
    let id = people.slash(main, admin, UNSET, json!({})).unwrap();
    let reply = people.reply(id).await.unwrap();
    assert!(text(&reply).contains("has links that are not closed"), "{reply}");
    assert_eq!(reply["components"], json!([]));
    assert!(is_main(&test, &sandbox));
    let results: Vec<_> = audited(&test, 2).await.into_iter().map(|(_, result, _)| result).collect();
    assert_eq!(results, [AuditResult::Success, AuditResult::Error]);
}

#[tokio::test]
async fn who_lost_the_permission_between_asking_and_pressing_is_refused() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (people, main, admin) = (sandbox.people(), sandbox.main_guild(), sandbox.admin());
    let asked = ask(&sandbox).await;
    people.set_role_permissions(main, sandbox.role(main, "Admin"), permissions::BAN_MEMBERS).unwrap();
    let pressed = people.press(asked.id, admin, &asked.go).unwrap();
    let end = shown(&sandbox, pressed, "setup unset-main needs the permission Manage Server").await;
    assert_eq!(end["components"], json!([]));
    assert!(is_main(&test, &sandbox));
    let last = audited(&test, 2).await.pop().unwrap();
    assert_eq!((last.0, last.1), (admin, AuditResult::Denied));
}

#[tokio::test]
async fn a_press_that_cannot_be_acknowledged_is_not_followed_and_can_be_repeated() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (people, admin) = (sandbox.people(), sandbox.admin());
    let asked = ask(&sandbox).await;
    let at = At::route("POST", CALLBACK);
    let fault =
        sandbox.inject(Fault::Answer { at, status: 404, code: 10062, message: "Unknown interaction".into() });
    let refused = |log: &[wayhaven_sandbox::Recorded]| log.iter().any(|one| one.code == Some(10062));
    people.press(asked.id, admin, &asked.go).unwrap();
    sandbox.wait_until(|discord| refused(&discord.log()), PATIENCE).await.unwrap();
    sandbox.clear(fault);
    let repeat = async {
        loop {
            // Until the first one's end is known it counts as the answer.
            let pressed = people.press(asked.id, admin, &asked.go).unwrap();
            let reply = text(&people.reply(pressed).await.unwrap());
            if !reply.contains("here before") {
                return pressed;
            }
        }
    };
    let pressed = tokio::time::timeout(PATIENCE, repeat).await.unwrap();
    shown(&sandbox, pressed, DONE).await;
    assert!(!is_main(&test, &sandbox));
    // However often it was pressed in between.
    let all = test.audit().await;
    let done = all.iter().filter(|entry| entry.operation == UNSET && entry.result == AuditResult::Success);
    assert_eq!(done.count(), 2, "the dry run and the one that was followed");
}

#[tokio::test]
async fn fault_36_a_press_is_acknowledged_while_the_store_is_busy() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let people = sandbox.people();
    let (asked, other) = (ask(&sandbox).await, ask(&sandbox).await);
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let store = test.systems.services.store().clone();
    let hold = move |_: &crate::store::Change<'_>| {
        let _ = wait.recv();
        Ok(())
    };
    let held = tokio::spawn(async move { store.write(hold).await });
    let presses = [
        people.press(asked.id, sandbox.admin(), &asked.go).unwrap(),
        people.press(other.id, sandbox.admin(), &other.cancel).unwrap(),
        people.press_unseen(asked.id, sandbox.owner(), &asked.go).unwrap(),
    ];
    let answered = |_: &wayhaven_sandbox::Discord| {
        presses.iter().all(|pressed| people.interaction(*pressed).unwrap().answered_after.is_some())
    };
    let waited = sandbox.wait_until(answered, PATIENCE).await;
    assert!(is_main(&test, &sandbox), "what is not stored is not done");
    go_on.send(()).unwrap();
    held.await.unwrap().unwrap();
    waited.unwrap();
    shown(&sandbox, presses[0], DONE).await;
}

#[tokio::test]
async fn lifting_everything_in_a_child_is_asked_about_with_its_counts() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, people) = (sandbox.main_guild(), sandbox.children()[0], sandbox.people());
    let victims = [sandbox.stranger(), sandbox.stranger()];
    for victim in victims {
        let ban = test.ban(main, victim).await;
        test.until_counted(ban, DeliveryState::Applied, 1).await;
    }
    let options = json!({ "child": child.to_string(), "undo": true });
    let asked = people.slash(main, sandbox.admin(), "setup remove-child", options).unwrap();
    let preview = people.reply(asked).await.unwrap();
    assert!(text(&preview).contains("2 ban"), "{preview}");
    let buttons = preview["components"][0]["components"].as_array().unwrap();
    let go = buttons.iter().find(|button| button["label"] == "Do it").unwrap()["custom_id"].clone();
    assert!(victims.iter().all(|victim| sandbox.is_banned(child, *victim)), "nothing before the press");
    people.press(asked, sandbox.admin(), go.as_str().unwrap()).unwrap();
    let lifted =
        |sandbox: &wayhaven_sandbox::Discord| victims.iter().all(|one| !sandbox.is_banned(child, *one));
    sandbox.wait_until(lifted, PATIENCE).await.unwrap();
}

fn go_button(message: &Value) -> String {
    let buttons = message["components"][0]["components"].as_array();
    let go = buttons.and_then(|buttons| buttons.iter().find(|button| button["label"] == "Do it"));
    go.map(|button| button["custom_id"].as_str().unwrap().to_owned()).unwrap_or_default()
}

/// A comparison that another main has begun, and which has found somebody.
async fn of_another_main(mut running: Running, _: Value) -> Result<JobResult, Stop> {
    let mut found = Reconciled::new(guild(1), false);
    found.add(Difference::Missing, 4_711);
    running.tell(1, Some(2), Some(JobResult::Reconciled(found))).await;
    running.unless_cancelled(std::future::pending()).await
}

#[tokio::test]
async fn a_plan_neither_waits_for_nor_shows_another_mains_comparison() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, people) = (sandbox.main_guild(), sandbox.children()[0], sandbox.people());
    let cursor = Cursor::new(Resolve::Show, Some(guild(987_654)));
    let new = new_job(JobKind::Reconcile, guild(child), "uid:0".into(), &cursor);
    let other = test.systems.jobs.begin(new, of_another_main).await.unwrap();
    let asked = people.slash(main, sandbox.admin(), "sync reconcile", json!({ "apply": true })).unwrap();
    let preview = shown(&sandbox, asked, "can be pressed for").await;
    let words = text(&preview);
    assert!(words.contains("1 of 2 guilds, 1 not compared") && !go_button(&preview).is_empty(), "{words}");
    let every = people.replies(asked).iter().map(text).collect::<String>();
    for foreign in ["4711", "987654", "uid:0"] {
        assert!(!every.contains(foreign), "{foreign}: {every}");
    }
    assert!(test.systems.jobs.has(other.id), "another main's comparison goes on");
}

#[tokio::test]
async fn a_child_that_cannot_be_compared_keeps_nobody_from_repairing_the_others() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, people, victim) = (sandbox.main_guild(), sandbox.people(), sandbox.stranger());
    let [stuck, child] = sandbox.children()[..] else { panic!("two children") };
    let ban = test.ban(main, victim).await;
    test.until_counted(ban, DeliveryState::Applied, 2).await;
    test.settled().await;
    for of in [stuck, child] {
        people.had_lifted(of, victim).unwrap();
    }
    let hang = sandbox.inject(Fault::Hang { at: At::route("GET", "/guilds/{guild_id}/bans").guild(stuck) });
    let asked = people.slash(main, sandbox.admin(), "sync reconcile", json!({ "apply": true })).unwrap();
    let preview = shown(&sandbox, asked, "can be pressed for").await;
    assert!(text(&preview).contains("in 1 of 2 guilds, 1 not compared"), "{preview}");
    let plan_of_stuck = move |view: &crate::store::View<'_>| {
        view.running_job(JobKind::Reconcile, Some(guild(stuck))).unwrap().filter(|job| job.dry_run)
    };
    assert!(test.read(plan_of_stuck).await.is_some(), "its plan still runs");
    people.press(asked, sandbox.admin(), &go_button(&preview)).unwrap();
    sandbox.wait_until(|sandbox| sandbox.is_banned(child, victim), PATIENCE).await.unwrap();
    assert!(!sandbox.is_banned(stuck, victim));
    sandbox.clear(hang);
    sandbox.wait_until(|sandbox| sandbox.is_banned(stuck, victim), PATIENCE).await.unwrap();
}
