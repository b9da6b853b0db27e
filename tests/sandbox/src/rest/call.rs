//! One request as its handler sees it, and the readers of its path, query and body.

use serde_json::Value;

use crate::attachment::Part;
use crate::{FormErrors, Refusal, World};

/// What a handler answers.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Nothing for a 204.
    pub(crate) body: Option<Value>,
}

impl Answer {
    /// 200 with a body.
    pub(crate) fn ok(body: Value) -> Result<Self, Refusal> {
        Ok(Self { status: 200, body: Some(body) })
    }

    /// 201 with a body.
    pub(crate) fn created(body: Value) -> Result<Self, Refusal> {
        Ok(Self { status: 201, body: Some(body) })
    }

    /// 204.
    pub(crate) fn nothing() -> Result<Self, Refusal> {
        Ok(Self { status: 204, body: None })
    }
}

/// A request that passed the door and the limits.
pub(crate) struct Call<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) parameters: &'a [(&'static str, &'a str)],
    pub(crate) query: &'a [(String, String)],
    /// `{}` where nothing was sent.
    pub(crate) body: &'a Value,
    /// Files that came with it.
    pub(crate) files: &'a [Part],
    /// Decoded.
    pub(crate) reason: Option<&'a str>,
    /// For the address of the gateway.
    pub(crate) gateway_url: &'a str,
}

impl Call<'_> {
    /// The id in the path at this parameter.
    pub(crate) fn id(&self, name: &str) -> Result<u64, Refusal> {
        let given = self.raw(name);
        snowflake(given).ok_or_else(|| {
            FormErrors::one(&[name], "NUMBER_TYPE_COERCE", &format!("Value \"{given}\" is not snowflake."))
        })
    }

    /// The text in the path at this parameter.
    pub(crate) fn raw(&self, name: &str) -> &str {
        self.parameters.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }

    /// A query value.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A number of the query within bounds.
    pub(crate) fn query_number(
        &self,
        name: &str,
        least: u64,
        most: u64,
        default: u64,
    ) -> Result<u64, Refusal> {
        let Some(text) = self.query(name) else { return Ok(default) };
        let wrong = |code, message: String| FormErrors::one(&[name], code, &message);
        let number: u64 =
            text.parse().map_err(|_| wrong("NUMBER_TYPE_COERCE", format!("Value \"{text}\" is not int.")))?;
        if number < least {
            return Err(wrong(
                "NUMBER_TYPE_MIN",
                format!("int value should be greater than or equal to {least}."),
            ));
        }
        if number > most {
            return Err(wrong(
                "NUMBER_TYPE_MAX",
                format!("int value should be less than or equal to {most}."),
            ));
        }
        Ok(number)
    }

    /// A yes or no of the query.
    pub(crate) fn query_flag(&self, name: &str) -> bool {
        matches!(self.query(name), Some("true" | "True" | "1"))
    }

    /// An id of the query.
    pub(crate) fn query_id(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.query(name) else { return Ok(None) };
        snowflake(text).map(Some).ok_or_else(|| {
            FormErrors::one(&[name], "NUMBER_TYPE_COERCE", &format!("Value \"{text}\" is not snowflake."))
        })
    }

    /// Whether the body has a key, also with null.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.body.get(key).is_some()
    }

    /// An optional whole number of the body within bounds; null counts as left out.
    pub(crate) fn number(&self, key: &str, least: i64, most: i64) -> Result<Option<i64>, Refusal> {
        let value = &self.body[key];
        if value.is_null() {
            return Ok(None);
        }
        let Some(number) = value.as_i64() else {
            return Err(FormErrors::one(
                &[key],
                "NUMBER_TYPE_COERCE",
                &format!("Value \"{value}\" is not int."),
            ));
        };
        if number < least {
            let text = format!("int value should be greater than or equal to {least}.");
            return Err(FormErrors::one(&[key], "NUMBER_TYPE_MIN", &text));
        }
        if number > most {
            let text = format!("int value should be less than or equal to {most}.");
            return Err(FormErrors::one(&[key], "NUMBER_TYPE_MAX", &text));
        }
        Ok(Some(number))
    }

    /// An optional text of the body within bounds of characters; null counts as left out.
    pub(crate) fn text(&self, key: &str, least: usize, most: usize) -> Result<Option<&str>, Refusal> {
        let value = &self.body[key];
        if value.is_null() {
            return Ok(None);
        }
        let Some(text) = value.as_str() else {
            let text = format!("Could not interpret \"{value}\" as string.");
            return Err(FormErrors::one(&[key], "STRING_TYPE_CONVERT", &text));
        };
        if !(least..=most).contains(&text.chars().count()) {
            let text = format!("Must be between {least} and {most} in length.");
            return Err(FormErrors::one(&[key], "BASE_TYPE_BAD_LENGTH", &text));
        }
        Ok(Some(text))
    }
}

/// An id as Discord takes it: decimal digits of 64 bits.
pub(crate) fn snowflake(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// An id in a body. Its description says string; Discord takes numbers too, and discord.py sends them.
pub(crate) fn id(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| snowflake(value.as_str()?))
}

/// The ids of a list in a body.
pub(crate) fn ids(value: &Value) -> Option<Vec<u64>> {
    value.as_array()?.iter().map(id).collect()
}
