//! How ids and durations are written in the control address's JSON: ids as strings (numbers are taken too),
//! durations as milliseconds.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

#[derive(Deserialize)]
#[serde(untagged)]
enum TextOrNumber {
    Text(String),
    Number(u64),
}

/// An id.
pub(crate) fn id<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    match TextOrNumber::deserialize(from)? {
        TextOrNumber::Text(text) => text.parse().map_err(de::Error::custom),
        TextOrNumber::Number(number) => Ok(number),
    }
}

/// An id that may be left out.
pub(crate) fn optional_id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    match Option::<TextOrNumber>::deserialize(from)? {
        None => Ok(None),
        Some(TextOrNumber::Text(text)) => text.parse().map(Some).map_err(de::Error::custom),
        Some(TextOrNumber::Number(number)) => Ok(Some(number)),
    }
}

/// Milliseconds.
pub(crate) fn millis<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    u64::deserialize(from).map(Duration::from_millis)
}

/// Milliseconds that may be left out.
pub(crate) fn optional_millis<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    Ok(Option::<u64>::deserialize(from)?.map(Duration::from_millis))
}

/// A list of ids.
pub(crate) fn ids<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u64>, D::Error> {
    let listed = Vec::<TextOrNumber>::deserialize(from)?;
    let read = |given| match given {
        TextOrNumber::Text(text) => text.parse().map_err(de::Error::custom),
        TextOrNumber::Number(number) => Ok(number),
    };
    listed.into_iter().map(read).collect()
}
