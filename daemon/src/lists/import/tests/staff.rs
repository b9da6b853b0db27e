//! Lists that name our own people: an import bans none of them.

use super::*;
use wayhaven_sandbox::{At, Fault as Trouble};
use wayhaven_shared::operations::config::ConfigStaffrole;
use wayhaven_shared::operations::hold::HoldKind;
use wayhaven_shared::operations::setup::{Mode, SetupMode};
use wayhaven_shared::value::RoleId;

/// The users of a fate, with why.
fn told(imported: &Imported, fate: Fate) -> Vec<(u64, String)> {
    let rows = imported.rows.iter().find(|rows| rows.fate == fate);
    let shown = rows.into_iter().flat_map(|rows| &rows.first);
    shown.map(|row| (row.value.raw().parse().unwrap(), row.why.clone().unwrap_or_default())).collect()
}

#[tokio::test]
async fn the_bot_owners_bots_of_ours_and_staff_are_rejected_with_their_reason() {
    let sandbox = sandbox(1).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let our_bot = sandbox.stranger();
    let test = TestDaemon::start_with(&sandbox, |settings| settings.network.bots = vec![user(our_bot)]).await;
    let me = test.systems.services.directory().me().unwrap().get();
    let (stranger, helper, plain) = (sandbox.stranger(), sandbox.stranger(), sandbox.stranger());
    // A role of no permissions is staff's once it is configured so.
    let role = sandbox.role(main, "Muted");
    for one in [helper, plain] {
        sandbox.people().join(main, one).unwrap();
    }
    sandbox.people().add_role(main, sandbox.owner(), helper, role).unwrap();
    let staff = ConfigStaffrole { role: RoleId::new(role), unset: false };
    asked(&test, main, staff, false).await.unwrap();
    let ours = [
        sandbox.owner(),
        sandbox.admin(),
        sandbox.moderator(),
        sandbox.child_moderator(child),
        me,
        our_bot,
        helper,
    ];
    let list: String = ours.iter().chain([&stranger, &plain]).map(|one| format!("{one}\n")).collect();
    let plan = import(&test, main, &list, true).await.unwrap();
    let staff: HashSet<u64> = ours.into_iter().collect();
    assert_eq!(told(&plan, Fate::Staff).iter().map(|(user, _)| *user).collect::<HashSet<_>>(), staff);
    assert!(told(&plan, Fate::Staff).iter().all(|(_, why)| !why.is_empty()), "{plan:?}");
    assert_eq!((plan.count(Fate::New), &plan.staff_unknown), (2, &Vec::new()));

    let done = import(&test, main, &list, false).await.unwrap();
    assert_eq!(named(&done), named(&plan));
    test.settled().await;
    let banned =
        sandbox.read(|world| world.guilds.get(&main).unwrap().bans.keys().copied().collect::<Vec<_>>());
    assert_eq!(banned.into_iter().collect::<HashSet<_>>(), HashSet::from([stranger, plain]));
}

async fn sandbox_with(members_intent: bool) -> Sandbox {
    let options =
        wayhaven_sandbox::Options { children: 1, global_limit: 0, members_intent, ..Default::default() };
    Sandbox::start(options).await.unwrap()
}

fn lines_of(users: &[u64]) -> String {
    users.iter().map(|one| format!("{one}\n")).collect()
}

async fn applied(test: &TestDaemon, main: u64, users: &[u64]) -> Result<Imported, Fault> {
    let apply: Request =
        SyncImport { file: "bans.csv".parse().unwrap(), apply: true, ignore_column: Vec::new() }.into();
    import_as(test, by_operator(Role::Owner, Some(main), apply), lines_of(users), false).await
}

async fn punishments(test: &TestDaemon) -> usize {
    test.read(|view| view.punishments(None, None, None, 500).unwrap().len()).await
}

/// The guilds' members are read, or the users are asked for one by one where the intent is missing.
#[tokio::test]
async fn staff_is_found_in_a_list_of_some_length_with_the_members_intent_and_without() {
    for intent in [true, false] {
        let sandbox = sandbox_with(intent).await;
        let test = TestDaemon::start(&sandbox).await;
        let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
        let mut all = people(&sandbox, 40);
        all.extend([sandbox.admin(), sandbox.child_moderator(child)]);
        let plan = import(&test, main, lines_of(&all), true).await.unwrap();
        assert_eq!((told(&plan, Fate::Staff).len(), plan.count(Fate::New)), (2, 40), "intent: {intent}");
        assert_eq!(plan.staff_unknown, Vec::new());
    }
}

#[tokio::test]
async fn a_list_too_long_to_look_for_staff_is_refused_and_bans_nobody() {
    let sandbox = sandbox_with(false).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let mut all = people(&sandbox, 60);
    all.push(sandbox.admin());
    let refused = [
        (import(&test, main, lines_of(&all), true).await, ""),
        (import(&test, main, lines_of(&all), false).await, ""),
        (applied(&test, main, &all).await, " and of 1 more guild"),
    ];
    for (outcome, more) in refused {
        let fault = outcome.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Conflict);
        assert_eq!(
            fault.message,
            format!(
                "nobody was banned, because the list may name staff of guild {main}{more}, and this cannot be checked: the \
                 bot may not read the guild's members, and 61 new users are too many to be asked for one by one"
            )
        );
        for way_out in ["Server Members Intent", "files of at most 50 users"] {
            assert!(fault.hints.iter().any(|hint| hint.contains(way_out)), "{fault:?}");
        }
    }
    assert_eq!(punishments(&test).await, 0);
    // In the parts that the hint names it is done.
    let done = applied(&test, main, &all[20..]).await.unwrap();
    assert_eq!((told(&done, Fate::Staff).len(), done.count(Fate::New)), (1, 40));
}

async fn remove_bot(test: &TestDaemon, sandbox: &Sandbox, of: u64) {
    sandbox.people().remove_bot(of).unwrap();
    let systems = Arc::clone(&test.systems);
    test.until("the bot is gone", move |_| {
        systems.services.directory().presence(guild(of)) == Some(crate::discord::directory::Presence::Absent)
    })
    .await;
}

/// Where nothing is sent to a child, it does not matter whether its staff is known: in monitor
/// mode, before the child's consent, and while the link closes.
#[tokio::test]
async fn a_child_that_no_ban_reaches_neither_refuses_nor_delays_an_import() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let monitor = SetupMode { child: guild(child), mode: Mode::Monitor, no_backfill: false };
    asked(&test, main, monitor, false).await.unwrap();
    let owner = test.systems.services.directory().owner(guild(child)).unwrap().get();
    remove_bot(&test, &sandbox, child).await;
    let mut all = people(&sandbox, 3);
    all.push(owner);
    let plan = import(&test, main, lines_of(&all), true).await.unwrap();
    assert_eq!((plan.staff_unknown.len(), plan.children), (0, 1));
    let done = applied(&test, main, &all).await.unwrap();
    assert_eq!((done.count(Fate::New), done.staff_unknown.len()), (3, 0));
    test.settled().await;
    assert!(sandbox.is_banned(sandbox.children()[1], all[0]) && !sandbox.is_banned(child, all[0]));
}

/// Of whom Discord did not tell a while ago is asked again, and of whom it still does not tell waits
/// like a bot.
#[tokio::test]
async fn a_user_of_whom_discord_does_not_tell_waits_like_a_bot() {
    let sandbox = sandbox(1).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (bot, untold) = (sandbox.people().another_bot(), sandbox.people().another_bot());
    let test = TestDaemon::start(&sandbox).await;
    let people = people(&sandbox, 2);
    for one in [bot, untold, people[0]] {
        test.systems.services.directory().accounts().note_untold(user(one));
    }
    let at = At::route("GET", "/users/{user_id}").user(untold);
    sandbox.inject(Trouble::Answer { at, status: 403, code: 50_001, message: "No".into() });
    let all = [bot, untold, people[0], people[1]];
    let plan = import(&test, main, lines_of(&all), true).await.unwrap();
    let done = applied(&test, main, &all).await.unwrap();
    assert_eq!((plan.bots, done.bots, done.count(Fate::New)), (2, 2, 4));
    test.settled().await;
    for (one, banned) in [(bot, false), (untold, false), (people[0], true), (people[1], true)] {
        assert!(sandbox.is_banned(main, one));
        assert_eq!(sandbox.is_banned(child, one), banned, "{one}");
    }
    let holds = test.read(|view| view.open_holds(None).unwrap()).await;
    assert_eq!((holds.len(), holds[0].kind, holds[0].deliveries), (1, HoldKind::Bot, 2));
}

/// In a child that cannot be asked the staff is not known: the bans for it wait for an approval, or
/// there are none.
#[tokio::test]
async fn where_a_childs_staff_is_not_known_nothing_is_applied_without_an_approval() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    remove_bot(&test, &sandbox, child).await;
    let people = people(&sandbox, 3);
    let fault = applied(&test, main, &people).await.unwrap_err();
    assert!(fault.message.contains(&format!("staff of guild {child}, ")), "{fault}");
    assert!(fault.message.ends_with("the bot is not in the guild"), "{fault}");
    assert!(fault.hints.iter().any(|hint| hint.contains("without --apply")), "{fault:?}");
    assert_eq!(punishments(&test).await, 0);

    let done = import(&test, main, lines_of(&people), false).await.unwrap();
    assert_eq!((done.count(Fate::New), &done.staff_unknown, done.waits), (3, &vec![guild(child)], true));
    let report = format!("{:?}", wayhaven_shared::operation::Reported::report(&done));
    assert!(report.contains("Staff not checked"), "{report}");
}

/// Of a bot nobody has heard of before, in a child or in no guild: what goes to the children waits
/// for an approval of its own.
#[tokio::test]
async fn a_bot_in_a_list_waits_for_an_approval_of_its_own() {
    for count in [1, 30] {
        let sandbox = sandbox(2).await;
        let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
        // Before the daemon hears anything.
        let inside = sandbox.people().invite_other_bot(child, 0).unwrap();
        let outside = sandbox.people().another_bot();
        let test = TestDaemon::start(&sandbox).await;
        let mut all = people(&sandbox, count);
        all.extend([inside, outside]);
        let plan = import(&test, main, lines_of(&all), true).await.unwrap();
        let done = applied(&test, main, &all).await.unwrap();
        assert_eq!((plan.bots, done.bots, done.count(Fate::New)), (2, 2, count + 2));
        assert_eq!(done.held, 2 * count, "in the import's own hold");
        test.settled().await;
        assert!(sandbox.is_banned(main, inside) && sandbox.is_banned(main, outside));
        assert!(sandbox.is_member(child, inside));
        for child in sandbox.children() {
            assert!(!sandbox.is_banned(child, inside) && !sandbox.is_banned(child, outside));
            assert!(sandbox.is_banned(child, all[0]));
        }
        let holds = test.read(|view| view.open_holds(None).unwrap()).await;
        assert_eq!((holds.len(), holds[0].kind, holds[0].deliveries), (1, HoldKind::Bot, 4));
        let report = format!("{:?}", wayhaven_shared::operation::Reported::report(&done));
        assert!(report.contains("2: their bans need an approval of their own"), "{report}");
    }
}
