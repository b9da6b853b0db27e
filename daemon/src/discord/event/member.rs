//! What an event tells of a member beside their roles.

use serde_json::Value;
use wayhaven_shared::value::Timestamp;

/// What an event tells of a member beside their roles. Times are Discord's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemberFacts {
    /// When they joined.
    pub joined_at: Option<Timestamp>,
    /// When their timeout ends, or that they have none; nothing where the event does not tell.
    pub timeout: Option<Option<Timestamp>>,
}

impl MemberFacts {
    /// Reads them from an event. What is odd is not told.
    pub(super) fn of(data: &Value) -> Self {
        let time = |value: &Value| value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
        let timeout = match data.get("communication_disabled_until") {
            None => None,
            Some(Value::Null) => Some(None),
            Some(until) => time(until).map(Some),
        };
        Self { joined_at: time(&data["joined_at"]), timeout }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_timeout_is_told_apart_from_nothing_told() {
        let until = |data: Value| MemberFacts::of(&data).timeout;
        assert_eq!(until(json!({})), None);
        assert_eq!(until(json!({ "communication_disabled_until": null })), Some(None));
        assert_eq!(until(json!({ "communication_disabled_until": "soon" })), None);
        let time = "2026-01-02T00:00:00.000+00:00";
        let told = json!({ "communication_disabled_until": time, "joined_at": time });
        let time = time.parse().ok();
        assert_eq!(MemberFacts::of(&told), MemberFacts { joined_at: time, timeout: Some(time) });
    }
}
