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
