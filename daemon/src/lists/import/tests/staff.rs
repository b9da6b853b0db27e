//! Lists that name our own people: an import bans none of them.

use super::*;
use wayhaven_shared::operations::config::ConfigStaffrole;
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
    let me = test.daemon.directory().me().unwrap().get();
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

/// More than are asked for one by one: the guilds' members are read, and without the intent it is said that nobody knows.
#[tokio::test]
async fn staff_is_found_in_a_long_list_or_it_is_said_that_it_was_not_looked_for() {
    for intent in [true, false] {
        let sandbox = Sandbox::start(wayhaven_sandbox::Options {
            children: 1,
            global_limit: 0,
            members_intent: intent,
            ..Default::default()
        })
        .await
        .unwrap();
        let test = TestDaemon::start(&sandbox).await;
        let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
        let mut all = people(&sandbox, 40);
        all.push(sandbox.admin());
        let list: String = all.iter().map(|one| format!("{one}\n")).collect();
        let plan = import(&test, main, &list, true).await.unwrap();
        assert_eq!(told(&plan, Fate::Staff).len(), 1, "the main is asked user by user");
        let unknown = if intent { Vec::new() } else { vec![guild(child)] };
        assert_eq!((plan.count(Fate::New), &plan.staff_unknown), (40, &unknown));
        let report = format!("{:?}", wayhaven_shared::operation::Reported::report(&plan));
        assert_eq!(report.contains("Staff not checked"), !intent, "{report}");
    }
}
