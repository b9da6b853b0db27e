//! Names beside ids, on a real connection to the sandbox.

use super::*;
use crate::discord::embed;
use crate::store::MOST_NAMES;
use crate::testing::{TestDaemon, asked, guild, sandbox, user};
use serde_json::json;
use wayhaven_sandbox::Sandbox;
use wayhaven_shared::FaultKind;
use wayhaven_shared::client::Client;
use wayhaven_shared::control::{ClientSurface, Envelope, Outcome};
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::protect::{ProtectAdd, ProtectList};
use wayhaven_shared::operations::punishment::{DeliveryState, PunishmentList};
use wayhaven_shared::value::Untrusted;

/// A daemon that keeps names as in earnest, but does not wait before it stores them.
async fn start(sandbox: &Sandbox) -> TestDaemon {
    TestDaemon::start(sandbox).await
}

async fn client(test: &TestDaemon) -> Client {
    Client::connect(&test.systems.services.layout().socket, ClientSurface::Cli).await.unwrap()
}

async fn run(client: &Client, of: u64, request: impl Into<Request>) -> Outcome {
    let envelope = Envelope { guild: Some(guild(of).into()), ..Envelope::new(&request.into()) };
    client.run(envelope).await.unwrap()
}

async fn until_stored(test: &TestDaemon, whom: u64, name: &'static str) {
    test.until("the name is stored", move |view| {
        let found = view.user_names(&[user(whom)]).unwrap();
        found.first().is_some_and(|seen| seen.name.raw() == name)
    })
    .await;
}

fn asked_about(sandbox: &Sandbox, whom: u64) -> usize {
    sandbox.log().iter().filter(|one| one.path == format!("/users/{whom}")).count()
}

#[tokio::test]
async fn discord_is_asked_once_for_a_name_that_is_shown_and_no_answer_waits_for_it() {
    let sandbox = sandbox(1).await;
    let test = start(&sandbox).await;
    let (main, admin) = (sandbox.main_guild(), sandbox.admin());
    let client = client(&test).await;
    let protect = ProtectAdd { user: Some(user(admin)), ..ProtectAdd::default() };
    asked(&test, main, protect, false).await.unwrap();

    let first = run(&client, main, ProtectList::default()).await;
    assert_eq!(first.data["protected"][0]["protected"]["id"], admin.to_string(), "the id is a string");
    assert_eq!(first.names.guilds[&guild(main)].raw(), "Wayhaven");
    until_stored(&test, admin, "main-admin").await;
    for _ in 0..2 {
        let then = run(&client, main, ProtectList::default()).await;
        assert_eq!(then.names.users[&user(admin)].raw(), "main-admin");
    }
    assert_eq!(asked_about(&sandbox, admin), 1);
}

#[tokio::test]
async fn interactions_and_events_bring_names_along() {
    let sandbox = sandbox(1).await;
    let test = start(&sandbox).await;
    let (main, moderator, victim) = (sandbox.main_guild(), sandbox.moderator(), sandbox.stranger());
    let people = sandbox.people();
    let options = json!({ "user": victim.to_string(), "reason": "raid" });
    let asked = people.slash(main, moderator, "ban", options).unwrap();
    let answer = people.reply(asked).await.unwrap();
    let title = answer["embeds"][0]["title"].as_str().unwrap();
    assert!(title.contains(&format!("({victim})")), "a name before the id: {title}");

    until_stored(&test, moderator, "main-moderator").await;
    let id = test.punishment(victim, 1).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    let listed = run(&client(&test).await, main, PunishmentList::default()).await;
    assert_eq!(listed.names.users.len(), 2, "{:?}", listed.names);
    assert_eq!(asked_about(&sandbox, moderator) + asked_about(&sandbox, victim), 0);
}

#[tokio::test]
async fn faults_and_events_on_the_socket_have_names() {
    let sandbox = sandbox(1).await;
    let test = start(&sandbox).await;
    let (main, owner) = (sandbox.main_guild(), sandbox.owner());
    test.systems.services.directory().accounts().names().learn(user(owner), "harbour\u{202e}master\n");
    let client = client(&test).await;
    let begun = client.watch(None, Duration::ZERO).await.unwrap().cursor;
    let envelope =
        Envelope { guild: Some(guild(main).into()), ..Envelope::new(&Ban::new(user(owner)).into()) };
    let refused = client.run(envelope).await.unwrap_err();
    assert_eq!(refused.kind, FaultKind::Denied);
    let (whom, place) = (format!("user harbourmaster ({owner})"), format!("guild Wayhaven ({main})"));
    assert!(refused.message.contains(&whom) && refused.message.contains(&place), "{refused}");
    let audited = test.audit().await.into_iter().find(|entry| entry.operation == "ban").unwrap();
    let message = audited.message.unwrap();
    assert!(!message.raw().contains("harbourmaster"), "the audit keeps ids: {message:?}");

    let victim = sandbox.stranger();
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    let seen = client.watch(Some(begun), Duration::ZERO).await.unwrap();
    // The event of the ban has brought the name that Discord knows.
    assert!(seen.names.users[&user(victim)].raw().starts_with("stranger-"), "{:?}", seen.names);
    assert_eq!(seen.names.guilds[&guild(main)].raw(), "Wayhaven");
}

#[tokio::test]
async fn members_read_names_of_guilds_with_an_accepted_link_and_of_no_others() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    test.propose(main, children[2]).await;
    let mut mentions = Mentions::default();
    mentions.guilds.extend([main, children[0], children[1]].map(guild));
    // Also not where somebody has written the id.
    mentions.quote(&format!("guild {}", children[2]));
    let known = async |reader: Reader| -> Vec<u64> {
        of(&test.systems.services, &mentions, reader).await.guilds.into_keys().map(GuildId::get).collect()
    };
    let sorted = |mut ids: Vec<u64>| {
        ids.sort_unstable();
        ids
    };
    let reader = |of: u64| Reader::Member(Some(guild(of)));
    assert_eq!(known(reader(main)).await, sorted(vec![main, children[0], children[1]]));
    assert_eq!(known(reader(children[0])).await, sorted(vec![main, children[0]]));
    assert_eq!(known(reader(children[2])).await, [children[2]]);
    assert_eq!(known(Reader::Member(None)).await, Vec::<u64>::new());
    assert_eq!(known(Reader::Operator).await, sorted([vec![main], children.clone()].concat()));
}

#[tokio::test]
async fn a_name_outlives_a_restart_and_no_longer_than_the_settings_say() {
    let sandbox = sandbox(0).await;
    let test = start(&sandbox).await;
    let (home, somebody) = (test.home(), 777_000_000_000_000_001);
    test.systems.services.directory().accounts().names().learn(user(somebody), "alice");
    until_stored(&test, somebody, "alice").await;
    drop(test);

    let test = TestDaemon::start_at(&sandbox, home).await;
    let mut mentions = Mentions::default();
    mentions.users.insert(user(somebody));
    let names = of(&test.systems.services, &mentions, Reader::Operator).await;
    assert_eq!(names.users[&user(somebody)].raw(), "alice");
    let kept = async || {
        let look = move |change: &crate::store::Change<'_>| Ok(change.user_names(&[user(somebody)])?.len());
        test.systems.services.store().write(look).await.unwrap()
    };
    let day = 86_400_000;
    test.systems.services.clock().shift(29 * day);
    expire(&test.systems.services).await;
    assert_eq!(kept().await, 1);
    test.systems.services.clock().shift(2 * day);
    assert!(of(&test.systems.services, &mentions, Reader::Operator).await.is_empty(), "too old to be shown");
    expire(&test.systems.services).await;
    assert_eq!(kept().await, 0);
}

#[tokio::test]
async fn the_table_keeps_those_that_were_seen_last() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let store = test.systems.services.store();
    let name = |id: u64| vec![(user(id), Untrusted::clipped("x"))];
    for id in 1..=3 {
        store.write(move |change| Ok(change.keep_user_names(&name(id))?)).await.unwrap();
        test.systems.services.clock().shift(1_000);
    }
    let gone = store.write(|change| Ok(change.forget_user_names(Timestamp::from_millis(0), 2)?)).await;
    assert_eq!(gone.unwrap(), 1);
    let left = test.read(|view| view.user_names(&[user(1), user(2), user(3)]).unwrap()).await;
    assert_eq!(left.iter().map(|seen| seen.user.get()).collect::<Vec<_>>(), [2, 3]);
    const { assert!(MOST_NAMES > 2) };
}

#[test]
fn an_embed_mentions_users_by_name_and_shows_times_in_the_readers_zone() {
    let at = Timestamp::from_millis(1_767_323_045_678);
    let whom = |name: Option<&str>| {
        Report::new(wayhaven_shared::report::Text::from("banned ") + user(55), Default::default())
            .field("User", user(55))
            .field("Guild", guild(100))
            .field("Until", at)
            .named(&Names {
                users: name.map(|name| (user(55), Untrusted::clipped(name))).into_iter().collect(),
                guilds: name.map(|name| (guild(100), Untrusted::clipped(name))).into_iter().collect(),
            })
    };
    let fields = |message: &serde_json::Value| -> Vec<String> {
        let fields = message["embeds"][0]["fields"].as_array().unwrap();
        fields.iter().map(|field| field["value"].as_str().unwrap().to_owned()).collect()
    };
    let bare = embed::message(&whom(None));
    assert_eq!(bare["embeds"][0]["title"], "banned 55");
    assert_eq!(fields(&bare)[..2], ["<@55>", "100"]);
    assert_eq!(fields(&bare)[2], "<t:1767323045:f> (<t:1767323045:R>)");
    let hostile = embed::message(&whom(Some("*x* <@1> @everyone")));
    let shown = "\\*x\\* \\<\\@\u{200b}1\\> \\@\u{200b}everyone";
    assert_eq!(hostile["embeds"][0]["title"], format!("banned {shown} (55)"));
    assert_eq!(fields(&hostile)[..2], [format!("<@55> ({shown})"), format!("{shown} (100)")]);
    assert_eq!(hostile["allowed_mentions"], json!({ "parse": [] }));
}
