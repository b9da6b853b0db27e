//! Starting, and failing to: each error is one clear line with a way out.

use crate::setting::{Setting, options, program};
use wayhaven_e2e::Home;
use wayhaven_sandbox::Sandbox;
use wayhaven_shared::operations::status::ConnectionState;

async fn refused(name: &str, value: Option<&str>) -> String {
    let sandbox = Sandbox::start(options(1)).await.unwrap();
    let home = Home::new(program(), &sandbox).unwrap().with(name, value);
    let output = home.command("wayhavend").arg("run").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{name}={value:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: "), "{said}");
    assert!(!said.contains(sandbox.token()), "no secret in {said}");
    said
}

#[tokio::test]
async fn what_is_wrong_with_the_settings_ends_the_start_and_is_named() {
    for (name, value, named) in [
        ("BOT_TOKEN", None, "hint: wayhavend token set"),
        ("BOT_TOKEN", Some("hunter2"), "BOT_TOKEN"),
        ("MAIN_GUILD_ID", Some("Wayhaven"), "MAIN_GUILD_ID"),
        ("DISCORD_API_BASE", Some("http://192.0.2.1"), "DISCORD_API_BASE"),
        ("DISCORD_REQUESTS_PER_SECOND", Some("0"), "DISCORD_REQUESTS_PER_SECOND"),
        ("WAYHAVEN_LOG_LEVLE", Some("info"), "WAYHAVEN_LOG_LEVEL"),
    ] {
        let said = refused(name, value).await;
        assert!(said.contains(named), "{name}={value:?}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn settings_that_others_can_write_or_replace_end_the_start_with_the_command_that_closes_them() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::start(options(1)).await.unwrap();
    let home = Home::new(program(), &sandbox).unwrap();
    let file = home.layout().unwrap().config;
    let set = |path: &std::path::Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let refused = |words: &str| {
        let output = home.command("wayhavend").arg("run").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.starts_with("error: ") && said.contains(words), "{said}");
    };
    std::fs::write(&file, "control.operators = [\"user:77\"]\n").unwrap();
    set(&file, 0o666);
    refused(&format!("hint: chmod go-w {}", file.display()));
    set(&file, 0o644);
    set(home.path(), 0o777);
    refused(&format!("hint: chmod go-w {}", home.path().display()));
    set(home.path(), 0o700);
    std::fs::write(home.path().join(".env"), "MAIN_GULD_ID=1\n").unwrap();
    refused("did you mean MAIN_GUILD_ID?");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_discord_is_retried_and_the_socket_tells() {
    let sandbox = Sandbox::start(options(1)).await.unwrap();
    // Port 9 is nobody's here.
    let home = Home::new(program(), &sandbox).unwrap().with("DISCORD_API_BASE", Some("http://127.0.0.1:9"));
    let mut daemon = home.start().unwrap();
    let client = daemon.client().await.unwrap();
    let reason = wayhaven_e2e::process::watching(&client, async |client| {
        let connection = client.call(wayhaven_shared::operations::status::Status {}).await?.discord;
        assert_eq!(connection.state, ConnectionState::Connecting);
        Ok(connection.reason.filter(|reason| reason != "starting"))
    });
    assert!(reason.await.unwrap().contains("tried again"));
    let status = home.wayhaven(&["status", "--json"]).unwrap();
    assert_eq!(status.json()["data"]["discord"]["state"], "connecting");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_stops_discord_and_leaves_the_socket_alive() {
    let sandbox = Sandbox::start(options(1)).await.unwrap();
    let home = Home::new(program(), &sandbox).unwrap();
    let _new = sandbox.people().reset_token();
    let mut daemon = home.start().unwrap();
    let client = daemon.client().await.unwrap();
    let reason = daemon.until(&client, ConnectionState::Stopped).await.unwrap().unwrap();
    assert!(reason.contains("BOT_TOKEN") && reason.contains("restart"), "{reason}");
    assert!(sandbox.log().len() <= 2, "all traffic has stopped: {:?}", sandbox.log().len());
    assert_eq!(daemon.terminate().await.unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_lies_below_the_home_and_is_nobody_elses() {
    use std::os::unix::fs::PermissionsExt;
    let setting = Setting::new(options(1)).await;
    let layout = setting.home.layout().unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&layout.socket), 0o660);
    assert_eq!(mode(layout.socket.parent().unwrap()), 0o750);
    for directory in [&layout.data, &layout.state, &layout.logs] {
        assert_eq!(mode(directory), 0o700, "{}", directory.display());
    }
    for file in [layout.store(), layout.lock(), layout.logs.join("wayhaven.log")] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    let log = std::fs::read_to_string(layout.logs.join("wayhaven.log")).unwrap();
    assert!(log.contains(" - wayhaven - INFO - started"), "{log}");
    assert!(!log.contains(setting.sandbox.token()));
}

#[tokio::test(flavor = "multi_thread")]
async fn daemon_stop_over_the_socket_ends_it_in_order() {
    let mut setting = Setting::new(options(1)).await;
    let stopped = setting.home.wayhaven(&["daemon", "stop", "--json"]).unwrap();
    assert_eq!(stopped.code, Some(0), "{}", stopped.stderr);
    assert_eq!(stopped.json()["data"]["pid"], setting.daemon.pid());
    assert_eq!(tokio::task::block_in_place(|| setting.daemon.wait()).unwrap().code(), Some(0));
    let status = setting.home.wayhaven(&["status"]).unwrap();
    assert_eq!(status.code, Some(7));
    assert!(status.stderr.contains("wayhavend run"), "{}", status.stderr);
}
