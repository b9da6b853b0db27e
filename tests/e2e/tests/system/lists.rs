//! Lists of bans, as the command line brings them.

use crate::setting::{Setting, options};
use std::process::Stdio;
use std::time::Instant;
use wayhaven_e2e::process::PATIENCE;
use wayhaven_sandbox::{At, Fault as Trouble};
use wayhaven_shared::operations::job::JobList;

const BANS: &str = "/guilds/{guild_id}/bans";

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_discord_takes_long_to_show_is_waited_for_and_leaves_nothing_half_written() {
    let setting = Setting::new(options(0)).await;
    let (sandbox, main) = (&setting.sandbox, setting.main.get());
    sandbox.change(|world| {
        let listed = &mut world.guilds.get_mut(&main).unwrap().bans;
        listed.extend((0..1_500).map(|number| (700_000_000_000_000_000 + number, None)));
    });
    let hang = sandbox.inject(Trouble::Hang { at: At::route("GET", BANS).guild(main) });
    let path = setting.home.path().join("bans.csv");
    let output = format!("--output={}", path.display());
    let ask = |last: &str| {
        let mut command = setting.home.command("wayhaven");
        command.args(["sync", "export", "--source=discord", &format!("--guild={main}"), last]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let (first, mut second) = (ask(&output), ask("--format=csv"));
    let (running, deadline) = (JobList { running: true, limit: None }, Instant::now() + PATIENCE);
    while setting.client.call(running.clone()).await.unwrap().jobs.is_empty() {
        assert!(Instant::now() < deadline, "it never begins");
    }
    // Whoever goes away leaves no file that looks like a list.
    assert!(!path.exists());
    second.kill().unwrap();
    second.wait().unwrap();
    let third = ask("--format=csv");
    sandbox.clear(hang);
    let (first, third) = (first.wait_with_output().unwrap(), third.wait_with_output().unwrap());
    let told = String::from_utf8_lossy(&first.stdout).into_owned();
    assert!(first.status.success() && told.contains("a list of 1500 bans"), "{first:?}");
    let list = std::fs::read_to_string(&path).unwrap();
    assert_eq!(list.lines().count(), 1_501);
    // On standard output there is the list and nothing else.
    assert!(third.status.success(), "{third:?}");
    assert_eq!(String::from_utf8_lossy(&third.stdout), list);

    // A hyphen is standard output, as it is standard input for an import.
    let streamed = ask("--output=-").wait_with_output().unwrap();
    assert!(streamed.status.success(), "{streamed:?}");
    assert_eq!(String::from_utf8_lossy(&streamed.stdout), list);

    // What is there is not written over, and nothing is asked of Discord for it.
    let again = ask(&output).wait_with_output().unwrap();
    assert_eq!(again.status.code(), Some(6), "{again:?}");
    assert!(String::from_utf8_lossy(&again.stderr).contains("is there already"), "{again:?}");
}
