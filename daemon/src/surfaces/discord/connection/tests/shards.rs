//! Several shards, and many guilds at once.

use crate::discord::directory::Presence;
use crate::discord::event::shard_of;
use crate::testing::{self, PATIENCE, TestDaemon, guild, sandbox, user};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use wayhaven_sandbox::{Aim, Discord, Fault, Options, Recorded, Sandbox, Trouble};
use wayhaven_shared::event::Change;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};

const LOG: &str = "/guilds/{guild_id}/audit-logs";

async fn five_shards(children: usize) -> Sandbox {
    let options = Options { children, shards: 5, max_concurrency: 5, global_limit: 0, ..Options::default() };
    Sandbox::start(options).await.unwrap()
}

fn shard(of: u64) -> u32 {
    shard_of(guild(of), 5)
}

fn at_shard(of: u32, trouble: Trouble) -> Fault {
    Fault::Gateway { trouble }.only(Aim { shard: Some(u64::from(of)), ..Aim::default() })
}

/// The guilds whose logs were read on since so many requests.
fn read_since(sandbox: &Discord, before: usize) -> BTreeSet<u64> {
    let reads_on = |request: &&Recorded| request.query.iter().any(|(name, _)| name == "after");
    let log = sandbox.log();
    let readings = log[before..].iter().filter(|request| request.route == LOG).filter(reads_on);
    readings.filter_map(|request| request.guild).collect()
}

#[tokio::test]
async fn guilds_of_five_shards_work_together() {
    let sandbox = five_shards(12).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    let shards: BTreeSet<u32> = children.iter().chain([&main]).map(|of| shard(*of)).collect();
    assert_eq!(shards.len(), 5, "the sandbox spreads its guilds");
    assert_eq!((sandbox.identifies(), test.systems.services.directory().count()), (5, 13));

    let victim = sandbox.stranger();
    sandbox.people().ban(main, sandbox.moderator(), victim, Some("why")).unwrap();
    let id = test.punishment(victim, 1).await;
    test.until_counted(id, DeliveryState::Applied, 12).await;
    let options = json!({ "user": sandbox.stranger().to_string() });
    let asked = sandbox.people().slash(main, sandbox.moderator(), "ban", options).unwrap();
    sandbox.people().reply(asked).await.unwrap();
    for child in children.iter().copied() {
        let own = sandbox.stranger();
        sandbox.people().ban(child, sandbox.child_moderator(child), own, None).unwrap();
        test.until("its own", move |view| {
            view.is_done_locally(guild(child), user(own), Action::Ban).unwrap()
        })
        .await;
    }
    let contained = |change: &Change| matches!(change, Change::Contained { .. });
    assert_eq!(test.told().await.into_iter().filter(contained).count(), 12);
    assert!(test.alerts().await.is_empty());
}

#[tokio::test]
async fn one_shards_trouble_leaves_the_others_alone() {
    let sandbox = five_shards(12).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    let far = *children.iter().find(|child| shard(**child) != shard(main)).unwrap();
    let before = sandbox.log().len();
    sandbox.inject(at_shard(shard(far), Trouble::InvalidSession(false)));
    let own = sandbox.stranger();
    sandbox.people().ban(far, sandbox.child_moderator(far), own, None).unwrap();
    // Meanwhile the main's shard goes on.
    let victim = sandbox.stranger();
    sandbox.people().ban(main, sandbox.moderator(), victim, None).unwrap();
    let id = test.punishment(victim, 1).await;
    test.until_counted(id, DeliveryState::Applied, 12).await;
    test.until("its own", move |view| view.is_done_locally(guild(far), user(own), Action::Ban).unwrap())
        .await;
    test.systems.ingest.gaps().idle().await;
    assert_eq!(sandbox.identifies(), 6);
    let concerned = children.iter().copied().filter(|child| shard(*child) == shard(far)).collect();
    assert_eq!(read_since(&sandbox, before), concerned, "only its guilds have a gap");
    assert!(test.alerts().await.is_empty());
}

#[tokio::test]
async fn a_shard_that_is_dropped_resumes_and_the_others_do_not_notice() {
    let sandbox = five_shards(12).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let before = sandbox.log().len();
    sandbox.inject(at_shard(shard(main), Trouble::DropTcp));
    let victim = sandbox.stranger();
    sandbox.people().ban(main, sandbox.moderator(), victim, None).unwrap();
    let id = test.punishment(victim, 1).await;
    test.until_counted(id, DeliveryState::Applied, 12).await;
    assert_eq!(sandbox.identifies(), 5);
    assert_eq!(read_since(&sandbox, before), BTreeSet::new(), "what was missed was replayed");
}

#[tokio::test]
async fn a_guild_that_a_new_session_does_not_name_is_absent() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let gone = sandbox.children()[0];
    assert_eq!(test.systems.services.directory().presence(guild(gone)), Some(Presence::Here));
    sandbox.inject(Fault::Gateway { trouble: Trouble::ReadyWithout(vec![gone]) });
    sandbox.inject(Fault::Gateway { trouble: Trouble::InvalidSession(false) });
    test.until("it is told", move |view| {
        let (events, _) = view.events_after(0, usize::MAX).unwrap();
        let absent = |change: &Change| {
            matches!(change, Change::Guild { guild_id, presence, .. }
                if *guild_id == guild(gone) && presence == "absent")
        };
        events.iter().any(|event| absent(&event.change))
    })
    .await;
    assert_eq!(test.systems.services.directory().presence(guild(gone)), Some(Presence::Absent));
    assert_eq!(
        test.systems.services.directory().presence(guild(sandbox.children()[1])),
        Some(Presence::Here)
    );
}

#[tokio::test]
async fn a_storm_of_guilds_loses_nothing_and_interactions_are_answered_in_it() {
    let options = Options {
        children: 2_499,
        members: 0,
        shards: 2,
        max_concurrency: 2,
        global_limit: 0,
        ..Options::default()
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let test = TestDaemon::start_at(&sandbox, Arc::new(testing::home())).await;
    let (main, child) = (guild(sandbox.main_guild()), guild(sandbox.children()[0]));
    let link = move |change: &crate::store::Change<'_>| {
        Ok(change.activate_link(main, child, wayhaven_shared::operations::setup::Mode::Active)?)
    };
    test.systems.services.store().write(link).await.unwrap();
    test.until_ready().await;
    assert_eq!(test.systems.services.directory().count(), 2_500);

    // Half of them again, those of the other shard. What is behind a storm on its own shard waits for it.
    let other = 1 - shard_of(main, 2);
    sandbox.inject(at_shard(other, Trouble::GuildStorm));
    let (victim, people) = (sandbox.stranger(), sandbox.people());
    people.ban(main.get(), sandbox.moderator(), victim, None).unwrap();
    // Discord waits three seconds of real time, which a machine of two busy cores may stand still for: it is asked again.
    let answered = async {
        loop {
            let options = json!({ "user": sandbox.stranger().to_string() });
            let asked = people.slash(main.get(), sandbox.moderator(), "ban", options).unwrap();
            let is_answered = |_: &Discord| !people.replies(asked).is_empty();
            if sandbox.wait_until(is_answered, Duration::from_secs(4)).await.is_ok() {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, answered).await.unwrap();
    let id = test.punishment(victim, 1).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    assert_eq!((sandbox.identifies(), test.systems.services.directory().count()), (2, 2_500));
    assert!(test.alerts().await.is_empty());
}
