//! Using commands, and the clocks of what comes of it.

use std::time::Duration;

use serde_json::{Value, json};
use wayhaven_sandbox::{Sandbox, permissions};

use crate::bot::{Bot, Desk, Socket, facts, missing, unchecked};

fn ban_command() -> Value {
    json!([{"name": "ban", "description": "Ban somebody", "contexts": [0], "integration_types": [0],
        "default_member_permissions": permissions::BAN_MEMBERS.to_string(), "options": [
        {"type": 6, "name": "user", "description": "Whom", "required": true},
        {"type": 3, "name": "reason", "description": "Why", "max_length": 10},
        {"type": 3, "name": "guild", "description": "Where", "autocomplete": true}]},
      {"name": "setup", "description": "Setup", "options": [
        {"type": 1, "name": "add-child", "description": "Link", "options": [
          {"type": 3, "name": "guild-id", "description": "Which", "required": true}]}]}])
}

struct Scene {
    sandbox: Sandbox,
    bot: Bot,
    socket: Socket,
}

impl Scene {
    async fn set() -> Self {
        let sandbox = Sandbox::start(unchecked()).await.unwrap();
        let bot = Bot::of(&sandbox);
        let path = format!("/applications/{}/commands", sandbox.application_id());
        assert_eq!(bot.with("PUT", &path, ban_command()).await.status, 200);
        let socket = Socket::settled(&sandbox).await;
        Self { sandbox, bot, socket }
    }

    fn use_ban(&self) -> u64 {
        let user = self.sandbox.members(self.sandbox.main_guild())[0].to_string();
        let (main, by) = (self.sandbox.main_guild(), self.sandbox.moderator());
        self.sandbox.people().slash(main, by, "ban", json!({"user": user, "reason": "spam"})).unwrap()
    }

    async fn asked(&mut self) -> (String, String) {
        let event = self.socket.event("INTERACTION_CREATE").await;
        let text = |key: &str| event[key].as_str().unwrap().to_owned();
        (format!("/interactions/{}/{}/callback", text("id"), text("token")), text("token"))
    }

    fn webhook(&self, token: &str) -> String {
        format!("/webhooks/{}/{token}", self.sandbox.application_id())
    }
}

#[tokio::test]
async fn a_deferred_reply_is_edited_and_stays_ephemeral() {
    let mut scene = Scene::set().await;
    let id = scene.use_ban();
    let (callback, token) = scene.asked().await;
    let defer = json!({"type": 5, "data": {"flags": 64}});
    assert_eq!(scene.bot.with("POST", &callback, defer.clone()).await.status, 204);
    let again = scene.bot.with("POST", &callback, defer).await;
    assert_eq!((again.status, again.code()), (400, 40060));
    let original = format!("{}/messages/@original", scene.webhook(&token));
    assert_eq!(scene.bot.get(&original).await.body["flags"], 64 | 128, "loading");
    let edited = scene.bot.with("PATCH", &original, json!({"content": "done"})).await;
    assert_eq!((edited.status, &edited.body["flags"]), (200, &json!(64)));

    let people = scene.sandbox.people();
    assert_eq!(people.reply(id).await.unwrap()["content"], "done");
    assert_eq!(people.replies(id).len(), 1);
    let known = people.interaction(id).unwrap();
    assert!(known.was_deferred && known.ephemeral && known.answered_after.unwrap() < Duration::from_secs(3));
    let more = scene.bot.with("POST", &scene.webhook(&token), json!({"content": "and more"})).await;
    assert_eq!(more.status, 200);
    assert_ne!(more.body["id"], edited.body["id"]);
    assert_eq!(scene.bot.bare("DELETE", &original).await.status, 204);
    assert_eq!(scene.bot.get(&original).await.code(), 10008);
}

#[tokio::test]
async fn the_first_post_after_a_deferral_edits_it() {
    let mut scene = Scene::set().await;
    scene.use_ban();
    let (callback, token) = scene.asked().await;
    scene.bot.with("POST", &callback, json!({"type": 5})).await;
    let sent = scene.bot.with("POST", &scene.webhook(&token), json!({"content": "here", "flags": 64})).await;
    let original = scene.bot.get(&format!("{}/messages/@original", scene.webhook(&token))).await;
    assert_eq!(sent.body["id"], original.body["id"]);
    assert_eq!(original.body["flags"], 0, "the deferral was not ephemeral");
}

#[tokio::test]
async fn three_seconds_to_answer_and_fifteen_minutes_after() {
    let mut scene = Scene::set().await;
    scene.use_ban();
    let (late, _) = scene.asked().await;
    scene.sandbox.advance(Duration::from_millis(3_001));
    assert_eq!(scene.bot.with("POST", &late, json!({"type": 5})).await.code(), 10062);

    scene.use_ban();
    let (callback, token) = scene.asked().await;
    let original = format!("{}/messages/@original", scene.webhook(&token));
    assert_eq!(scene.bot.get(&original).await.code(), 10015, "nothing was answered yet");
    assert_eq!(scene.bot.with("POST", &callback, json!({"type": 5})).await.status, 204);
    scene.sandbox.advance(Duration::from_secs(14 * 60));
    assert_eq!(scene.bot.with("PATCH", &original, json!({"content": "slow"})).await.status, 200);
    scene.sandbox.advance(Duration::from_secs(61));
    assert_eq!(scene.bot.with("PATCH", &original, json!({"content": "too slow"})).await.code(), 50027);
}

#[tokio::test]
async fn the_event_says_who_may_what() {
    let mut scene = Scene::set().await;
    let user = scene.sandbox.members(scene.sandbox.main_guild())[0].to_string();
    scene.use_ban();
    let event = scene.socket.event("INTERACTION_CREATE").await;
    let held: u64 = event["member"]["permissions"].as_str().unwrap().parse().unwrap();
    assert_ne!(held & permissions::BAN_MEMBERS, 0);
    assert_eq!(event["data"]["options"][0], json!({"name": "user", "type": 6, "value": user}));
    assert_eq!(event["data"]["resolved"]["users"][&user]["id"], user);
    let member = &event["data"]["resolved"]["members"][&user];
    assert!(member["permissions"].is_string() && member.get("user").is_none());
    assert_eq!(event["authorizing_integration_owners"]["0"], scene.sandbox.main_guild().to_string());
    for example in facts("INTERACTION_CREATE").iter().filter(|example| example["type"] == 2) {
        assert_eq!(missing(&event, example), Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_the_client_of_discord_would_not_send_is_an_error() {
    let scene = Scene::set().await;
    let people = scene.sandbox.people();
    let (main, moderator) = (scene.sandbox.main_guild(), scene.sandbox.moderator());
    let ordinary = scene.sandbox.members(main)[1];
    let user = scene.sandbox.stranger().to_string();
    let wrong = |command: &str, options: Value| people.slash(main, moderator, command, options).unwrap_err();
    assert!(wrong("nothing", json!({})).contains("not registered"));
    assert!(wrong("ban", json!({})).contains("user is required"));
    assert!(wrong("ban", json!({"user": 55})).contains("id as a string"));
    assert!(wrong("ban", json!({"user": "55"})).contains("does not exist"));
    assert!(wrong("ban", json!({"user": user, "reason": "far too long a text"})).contains("length"));
    assert!(wrong("ban", json!({"user": user, "days": 1})).contains("no option days"));
    assert!(wrong("setup", json!({})).contains("bare"));
    assert!(people.slash(main, ordinary, "ban", json!({"user": user})).unwrap_err().contains("not allowed"));
    assert!(people.slash(main, moderator, "setup add-child", json!({"guild-id": "123"})).is_ok());
}

#[tokio::test]
async fn options_complete_themselves_and_buttons_update_their_message() {
    let mut scene = Scene::set().await;
    let people = scene.sandbox.people();
    let (main, by) = (scene.sandbox.main_guild(), scene.sandbox.moderator());
    let id = people.autocomplete(main, by, "ban", "guild", "ma").unwrap();
    let (callback, _) = scene.asked().await;
    let many: Vec<Value> = (0..26).map(|at| json!({"name": format!("g{at}"), "value": "1"})).collect();
    let refused = scene.bot.with("POST", &callback, json!({"type": 8, "data": {"choices": many}})).await;
    assert_eq!(refused.code(), 50035);
    let choices = json!({"type": 8, "data": {"choices": [{"name": "Main", "value": "1"}]}});
    assert_eq!(scene.bot.with("POST", &callback, choices).await.status, 204);
    assert_eq!(people.reply(id).await.unwrap()["choices"][0]["name"], "Main");

    let id = scene.use_ban();
    let (callback, _) = scene.asked().await;
    let row =
        json!([{"type": 1, "components": [{"type": 2, "style": 4, "label": "Ban", "custom_id": "yes"}]}]);
    let ask = json!({"type": 4, "data": {"content": "Sure?", "flags": 64, "components": row}});
    assert_eq!(scene.bot.with("POST", &callback, ask).await.status, 204);
    assert!(people.press(id, scene.sandbox.owner(), "yes").is_err(), "it is ephemeral");
    assert!(people.press(id, by, "no").is_err());
    let pressed = people.press(id, by, "yes").unwrap();
    let (callback, _) = scene.asked().await;
    let update = json!({"type": 7, "data": {"content": "Banned.", "components": []}});
    assert_eq!(scene.bot.with("POST", &callback, update).await.status, 204);
    assert_eq!(people.reply(pressed).await.unwrap()["content"], "Banned.");
    assert_eq!(people.reply(id).await.unwrap()["content"], "Banned.");

    // The button is gone; what somebody's client sends all the same arrives.
    assert!(people.press(id, by, "yes").is_err());
    assert!(people.press_unseen(id, by, "no").is_err(), "there never was such a button");
    let mut press =
        json!({"interaction": id.to_string(), "by": scene.sandbox.owner().to_string(), "custom_id": "yes"});
    let desk = Desk::of(&scene.sandbox);
    assert_eq!(desk.post("/press", press.clone()).await.0, 409);
    press["unseen"] = json!(true);
    assert_eq!(desk.post("/press", press).await.0, 200);
    let event = scene.socket.event("INTERACTION_CREATE").await;
    assert_eq!(event["member"]["user"]["id"], scene.sandbox.owner().to_string());
    assert_eq!(event["data"], json!({"custom_id": "yes", "component_type": 2}));
    let text = |key: &str| event[key].as_str().unwrap();
    let callback = format!("/interactions/{}/{}/callback", text("id"), text("token"));
    let refusal = json!({"type": 4, "data": {"content": "Not you.", "flags": 64}});
    assert_eq!(scene.bot.with("POST", &callback, refusal).await.status, 204);
    assert_eq!(people.reply(id).await.unwrap()["content"], "Banned.");
}

#[tokio::test]
async fn files_come_with_commands_and_go_with_answers() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let bot = Bot::of(&sandbox);
    let command = json!([{"name": "import", "description": "Import", "options": [
        {"type": 11, "name": "file", "description": "Which", "required": true}]}]);
    let path = format!("/applications/{}/commands", sandbox.application_id());
    assert_eq!(bot.with("PUT", &path, command).await.status, 200);
    let mut socket = Socket::settled(&sandbox).await;
    let (main, by) = (sandbox.main_guild(), sandbox.admin());
    assert!(
        sandbox.people().slash(main, by, "import", json!({"file": "123"})).is_err(),
        "there is no such file"
    );
    let file = json!({"file": {"filename": "a b.csv", "content": "1\n2\n"}});
    sandbox.people().slash(main, by, "import", file).unwrap();
    let event = socket.event("INTERACTION_CREATE").await;
    let id = event["data"]["options"][0]["value"].as_str().unwrap();
    let attached = &event["data"]["resolved"]["attachments"][id];
    assert_eq!((&attached["filename"], &attached["size"]), (&json!("a b.csv"), &json!(4)));
    let link = attached["url"].as_str().unwrap();
    assert_eq!(reqwest::get(link).await.unwrap().text().await.unwrap(), "1\n2\n");
    let unsigned = link.split('?').next().unwrap();
    assert_eq!(reqwest::get(unsigned).await.unwrap().status(), 404);
    sandbox.change(|world| world.files.values_mut().for_each(|file| file.expired = true));
    assert_eq!(reqwest::get(link).await.unwrap().status(), 404);

    let text = |key: &str| event[key].as_str().unwrap().to_owned();
    let callback = format!("/interactions/{}/{}/callback", text("id"), text("token"));
    assert_eq!(bot.with("POST", &callback, json!({"type": 5})).await.status, 204);
    let original = format!("/webhooks/{}/{}/messages/@original", sandbox.application_id(), text("token"));
    let body = |place: &str, name: &str| {
        let message = json!({"content": "here", "attachments": [{"id": place, "filename": "x.csv"}]});
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"payload_json\"\r\n\r\n{message}\r\n--b\r\n\
             Content-Disposition: form-data; name=\"files[0]\"; filename=\"{name}\"\r\n\r\n1\r\n2\r\n--b--\r\n"
        )
    };
    let sent = async |body: String| {
        let request =
            bot.request("PATCH", &original).header("content-type", "multipart/form-data; boundary=b");
        bot.send(request.body(body)).await
    };
    assert_eq!(sent(body("1", "x.csv")).await.status, 400, "no such file came");
    assert_eq!(sent(body("0", "y.csv")).await.status, 400, "it has another name");
    assert_eq!(sent("--b\r\nno end".to_owned()).await.status, 400);
    let answer = sent(body("0", "x.csv")).await;
    assert_eq!(answer.status, 200);
    let link = answer.body["attachments"][0]["url"].as_str().unwrap().to_owned();
    assert_eq!(reqwest::get(link).await.unwrap().text().await.unwrap(), "1\r\n2");
}

#[tokio::test]
async fn a_form_answers_a_menu_and_comes_back_filled_in() {
    let mut scene = Scene::set().await;
    let path = format!("/applications/{}/commands", scene.sandbox.application_id());
    let menu = |extra: Value| {
        let mut menu = json!({"type": 2, "name": "Ban in the network\u{2026}", "contexts": [0]});
        menu.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!([menu])
    };
    for refused in [json!({"description": "x"}), json!({"name": "x".repeat(33)})] {
        assert_eq!(scene.bot.with("PUT", &path, menu(refused)).await.status, 400);
    }
    assert_eq!(scene.bot.with("PUT", &path, menu(json!({}))).await.status, 200);
    let (main, by) = (scene.sandbox.main_guild(), scene.sandbox.moderator());
    let target = scene.sandbox.members(main)[0];
    let people = scene.sandbox.people();
    let id = people.user_command(main, by, "Ban in the network\u{2026}", target).unwrap();
    let (callback, _) = scene.asked().await;
    let form = |title: &str, inputs: usize| {
        let input = |name: String| {
            json!({"type": 1, "components": [
            {"type": 4, "custom_id": name, "style": 1, "label": "Why", "max_length": 5}]})
        };
        let inputs: Vec<Value> = (0..inputs).map(|at| input(format!("f{at}"))).collect();
        json!({"type": 9, "data": {"custom_id": "form", "title": title, "components": inputs}})
    };
    for wrong in [form("", 1), form("Ban", 6), form("Ban", 0), form(&"x".repeat(46), 1)] {
        assert_eq!(scene.bot.with("POST", &callback, wrong).await.code(), 50035);
    }
    assert_eq!(scene.bot.with("POST", &callback, form("Ban", 1)).await.status, 204);
    assert!(people.submit(id, by, json!({})).unwrap_err().contains("required"));
    assert!(people.submit(id, by, json!({"f0": "too long"})).unwrap_err().contains("characters"));
    assert!(people.submit(id, target, json!({"f0": "spam"})).unwrap_err().contains("another person"));
    people.submit(id, by, json!({"f0": "spam"})).unwrap();
    let sent = scene.socket.event("INTERACTION_CREATE").await;
    assert_eq!((&sent["type"], &sent["data"]["custom_id"]), (&json!(5), &json!("form")));
    assert_eq!(sent["data"]["components"][0]["components"][0]["value"], "spam");
    let again = format!(
        "/interactions/{}/{}/callback",
        sent["id"].as_str().unwrap(),
        sent["token"].as_str().unwrap()
    );
    assert_eq!(
        scene.bot.with("POST", &again, form("Ban", 1)).await.status,
        400,
        "a form is no answer to a form"
    );
    assert_eq!(scene.bot.with("POST", &again, json!({"type": 5, "data": {"flags": 64}})).await.status, 204);
}
