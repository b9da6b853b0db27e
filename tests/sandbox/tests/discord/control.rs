//! The control address.

use serde_json::{Value, json};
use wayhaven_sandbox::Sandbox;

use crate::bot::{Bot, Socket, unchecked};

#[tokio::test]
async fn people_act_over_http() {
    let sandbox = Sandbox::start(unchecked()).await.unwrap();
    let mut socket = Socket::settled(&sandbox).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = async |path: &str, body: Value| {
        let answer =
            client.post(format!("{}{path}", sandbox.control_base())).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let get = async |path: &str| -> Value {
        client.get(format!("{}{path}", sandbox.control_base())).send().await.unwrap().json().await.unwrap()
    };
    let (main, by) = (sandbox.main_guild().to_string(), sandbox.moderator().to_string());
    let user = sandbox.members(sandbox.main_guild())[0].to_string();
    let ban = json!({"guild": main, "by": by, "user": user, "reason": "spam"});
    assert_eq!(post("/ban", ban.clone()).await, (200, json!({})));
    assert_eq!(socket.event("GUILD_BAN_ADD").await["user"]["id"], user);
    assert_eq!(get(&format!("/bans/{main}")).await, json!([{"user": user, "reason": "spam"}]));
    let owner = json!({"guild": main, "by": by, "user": sandbox.owner().to_string()});
    assert_eq!(post("/kick", owner).await.0, 409);
    assert_eq!(post("/ban", json!({"guild": main})).await.0, 400);
    assert_eq!(post("/unban", ban).await.0, 200);

    let fault = json!({"fault": "answer", "at": {"guild": main, "times": 1}, "status": 403, "code": 50013});
    let (status, injected) = post("/faults", fault).await;
    assert_eq!(status, 200, "{injected}");
    assert_eq!(Bot::of(&sandbox).get(&format!("/guilds/{main}")).await.code(), 50013);
    for fault in [
        json!({"fault": "gateway", "trouble": "reconnect"}),
        json!({"fault": "gateway", "trouble": {"close": 4000}}),
        json!({"fault": "events", "name": "GUILD_BAN_ADD", "fate": {"after": 500}}),
        json!({"fault": "latency", "at": {}, "by_ms": 1}),
        json!({"fault": "rate_limit", "at": {}, "scope": "global", "retry_after": 1.5}),
    ] {
        let (status, answer) = post("/faults", fault.clone()).await;
        assert_eq!(status, 200, "{fault}: {answer}");
    }
    let log = get("/log").await;
    assert_eq!(log[0]["status"], 403);
    assert_eq!(log[0]["guild"], main);
    assert_eq!(get("/rate").await["invalid"], 1);
    let before = sandbox.read(|world| world.clock.unix_ms());
    let (_, clock) = post("/clock/advance", json!({"ms": 60_000})).await;
    assert!(clock["now_ms"].as_u64().unwrap() >= before + 60_000);
}
