//! What answers mean, without a request.

use super::*;
use reqwest::header::HeaderMap;

fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Answer {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: body.as_bytes().to_vec() }
}

fn call(bare: bool) -> Call {
    let route = Route { template: "PUT /guilds/{guild}/bans/{user}", major: 1 };
    Call { method: Method::PUT, route, path: "/".into(), body: None, reason: None, bare }
}

fn rest() -> Rest {
    let token = SecretString::from("token");
    Rest::new("http://127.0.0.1:1", &token, Budget::new(49), CONNECT).unwrap()
}

#[tokio::test]
async fn a_shared_limit_is_not_counted_against_us() {
    let rest = rest();
    let body = r#"{"message":"limited","retry_after":1.0,"global":false}"#;
    for _ in 0..crate::discord::refusals::ENOUGH {
        assert!(rest.judge(&call(false), &answer(429, &[("x-ratelimit-scope", "shared")], body)).is_err());
    }
    assert_eq!(rest.budget().paused_for(), None);
    for _ in 0..crate::discord::refusals::ENOUGH {
        assert!(rest.judge(&call(false), &answer(429, &[("x-ratelimit-scope", "user")], body)).is_err());
    }
    assert!(rest.budget().paused_for().is_some());
}

#[tokio::test]
async fn fault_9_a_refused_interaction_s_token_says_nothing_about_the_bot_s() {
    let rest = rest();
    let refused = answer(401, &[], r#"{"message":"401: Unauthorized","code":50027}"#);
    let error = rest.judge(&call(true), &refused).unwrap_err();
    assert_eq!(error.code(), Some(50027));
    assert!(!rest.budget().is_stopped());
    assert_eq!(rest.judge(&call(false), &refused).unwrap_err(), RestError::Unauthorised);
    assert!(rest.budget().is_stopped());
}

#[tokio::test]
async fn a_429_waits_for_the_longer_of_what_its_header_and_its_body_say() {
    for (header, body, seconds) in
        [("1", "7.5", 7.5), ("9", "2.5", 9.0), ("soon", "3.5", 3.5), ("-1", "-1", 5.0)]
    {
        let body = format!(r#"{{"retry_after":{body},"global":false}}"#);
        let error = rest().judge(&call(false), &answer(429, &[("retry-after", header)], &body)).unwrap_err();
        let wait = Duration::from_secs_f64(seconds);
        assert_eq!(error, RestError::RateLimited { wait, everything: false }, "{header} {body}");
    }
}

#[tokio::test]
async fn an_answer_that_shows_another_timeout_than_was_asked_for_tells_that_it_was_not_applied() {
    let rest = rest();
    let at = |millis: i64| Timestamp::from_millis(rest.clock.now().millis() + millis);
    let asked = at(60_000);
    for (shown, is_asked, is_none) in [
        (serde_json::json!(null), false, true),
        (serde_json::json!(at(-1_000).to_string()), false, true),
        (serde_json::json!("soon"), false, true),
        (serde_json::json!(asked.to_string()), true, false),
        // It keeps thousandths of a second, or does not.
        (serde_json::json!(at(59_000).to_string()), true, false),
        // The timeout that was there before.
        (serde_json::json!(at(600_000).to_string()), false, false),
        (serde_json::json!(at(30_000).to_string()), false, false),
    ] {
        let member = serde_json::json!({ "communication_disabled_until": shown });
        assert_eq!(rest.check_timeout(Some(asked), &member).is_ok(), is_asked, "{member}");
        assert_eq!(rest.check_timeout(None, &member).is_ok(), is_none, "{member}");
    }
    // Nothing is known where no member is in the answer (204).
    for end in [Some(asked), None] {
        assert!(rest.check_timeout(end, &Value::Null).is_ok());
    }
    assert!(RestError::NotApplied.is_passing());
}
