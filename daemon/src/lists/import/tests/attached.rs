//! Lists that members attach on Discord.

use super::*;
use crate::attachment::Attachment;
use crate::discord::attachment::read_all;
use crate::lists::Line;
use crate::lists::fetch::fetch;
use crate::testing::PATIENCE;
use serde_json::{Value, json};
use wayhaven_sandbox::{At, Fault as Trouble, InteractionId};

const CALLBACK: &str = "/interactions/{interaction_id}/{interaction_token}/callback";

fn attach(sandbox: &Sandbox, list: &str) -> InteractionId {
    let file = json!({ "file": { "filename": "bans.csv", "content": list } });
    sandbox.people().slash(sandbox.main_guild(), sandbox.admin(), "sync import", file).unwrap()
}

async fn shown(sandbox: &Sandbox, id: InteractionId, words: &str) -> Value {
    let people = sandbox.people();
    let latest = || people.replies(id).pop().unwrap_or_default();
    let shows = sandbox.wait_until(|_| latest().to_string().contains(words), PATIENCE).await;
    assert!(shows.is_ok(), "{words:?} never came: {:?}", people.replies(id));
    latest()
}

fn expire(sandbox: &Sandbox) {
    sandbox.change(|world| world.files.values_mut().for_each(|file| file.expired = true));
}

#[tokio::test]
async fn an_attached_list_is_previewed_and_imported_by_a_press() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let people = people(&sandbox, 2);
    let asked_for = attach(&sandbox, &format!("user_id\n{}\n{}\nnobody\n", people[0], people[1]));
    let preview = shown(&sandbox, asked_for, "Do it").await;
    assert!(preview.to_string().contains("2 users would be banned"), "{preview}");
    assert!(people.iter().all(|one| !sandbox.is_banned(main, *one)));
    // What was shown is what is done: the file is not fetched again.
    expire(&sandbox);
    let buttons = preview["components"][0]["components"].as_array().unwrap();
    let go = buttons.iter().find(|button| button["label"] == "Do it").unwrap();
    let go = go["custom_id"].as_str().unwrap();
    let pressed = sandbox.people().press(asked_for, sandbox.admin(), go).unwrap();
    shown(&sandbox, pressed, "2 users imported").await;
    test.settled().await;
    assert!(people.iter().all(|one| sandbox.is_banned(main, *one) && !sandbox.is_banned(child, *one)));
    assert_eq!(test.systems.uploads.count(), 0);
    assert_eq!(sandbox.violations(), Vec::<String>::new(), "the token went nowhere");
}

#[tokio::test]
async fn a_link_that_has_expired_is_a_clear_fault() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let hang = sandbox.inject(Trouble::Hang { at: At::route("POST", CALLBACK) });
    let asked_for = attach(&sandbox, "700000000000000001");
    expire(&sandbox);
    sandbox.clear(hang);
    let answer = shown(&sandbox, asked_for, "link has expired").await;
    assert!(answer.to_string().contains("attach the file"), "{answer}");
    assert!(!answer.to_string().contains("Do it") && test.systems.uploads.count() == 0);
}

#[tokio::test]
async fn what_is_too_large_or_elsewhere_is_not_fetched() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let file = |size: u64, url: &str| -> Attachment {
        let file = json!({ "1": { "filename": "x.csv", "size": size, "url": url } });
        read_all(&file).unwrap().remove(&1).unwrap()
    };
    let by = user(sandbox.admin());
    let too_large =
        fetch(&test.systems.lists, by, &file(64 * 1024 * 1024 + 1, sandbox.api_base())).await.unwrap_err();
    assert!(too_large.message.contains("64 MiB"), "{too_large}");
    for elsewhere in ["http://127.0.0.1:1/x", "https://cdn.discordapp.com/x", "file:///etc/passwd", ""] {
        assert_eq!(
            fetch(&test.systems.lists, by, &file(1, elsewhere)).await.unwrap_err().kind,
            FaultKind::Denied
        );
    }
    assert_eq!(test.systems.uploads.count(), 0);
}

#[tokio::test]
async fn an_export_comes_as_a_file_and_one_that_is_too_large_names_the_command_line() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let people = people(&sandbox, 3);
    for one in &people {
        test.ban(main, *one).await;
    }
    let export = || sandbox.people().slash(main, sandbox.admin(), "sync export", json!({})).unwrap();
    let answer = shown(&sandbox, export(), "a list of 3 bans").await;
    let file: u64 = answer["attachments"][0]["id"].as_str().unwrap().parse().unwrap();
    let held = sandbox.read(|world| world.files.get(&file).unwrap().bytes.clone());
    let rows: Vec<_> = ListReader::open(&held[..]).unwrap().map(|line| line.unwrap()).collect();
    let users = rows.into_iter().map(|line| match line {
        Line::Row(row) => row.user.get(),
        other => panic!("{other:?}"),
    });
    assert_eq!(users.collect::<Vec<_>>(), people);
    assert_eq!(answer["attachments"][0]["filename"], format!("bans-{main}.csv"));
    assert_eq!(test.systems.uploads.count(), 0, "nothing of it is left here");
    assert_eq!(sandbox.violations(), Vec::<String>::new());

    // Reasons of 500 letters, so that it is beyond ten mebibytes.
    let fill = "INSERT INTO punishments (source_guild, target_user, action, reason, origin, created_at, status)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 21000)
        SELECT source_guild, 700000000000000000 + i, 'ban', printf('%.*c', 500, 'x'), 'import', created_at, 'active'
          FROM n, (SELECT source_guild, created_at FROM punishments LIMIT 1)";
    test.systems.services.store().write(move |change| Ok(change.raw(fill)?)).await.unwrap();
    let answer = shown(&sandbox, export(), "Discord takes files of").await;
    assert!(answer.to_string().contains("command line"), "{answer}");
    assert_eq!(test.systems.uploads.count(), 0);
}
