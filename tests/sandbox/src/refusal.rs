//! Discord's error answers: a status, a JSON code, a message and, for forms, a tree that mirrors the body.

use std::fmt;

use serde_json::{Map, Value, json};

/// An error as Discord answers it (FACTS 0, A11).
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Discord's JSON error code; 0 where Discord gives none.
    pub code: u32,
    /// Free text.
    pub message: String,
    /// The tree of a 50035.
    pub errors: Option<Value>,
    /// Seconds, for the budgets that are answered like rate limits.
    pub retry_after: Option<f64>,
}

impl Refusal {
    /// An error without a tree.
    #[must_use]
    pub fn new(status: u16, code: u32, message: &str) -> Self {
        Self { status, code, message: message.to_owned(), errors: None, retry_after: None }
    }

    /// 401 without a code, as for a bad or missing token.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(401, 0, "401: Unauthorized")
    }

    /// 403/50013: a permission is missing or the target ranks too high.
    #[must_use]
    pub fn missing_permissions() -> Self {
        Self::new(403, 50013, "Missing Permissions")
    }

    /// 403/50001: the bot cannot see it at all.
    #[must_use]
    pub fn missing_access() -> Self {
        Self::new(403, 50001, "Missing Access")
    }

    /// 404 with the code of what is unknown (10003 channel, 10004 guild, 10007 member, …).
    #[must_use]
    pub fn unknown(code: u32) -> Self {
        let what = match code {
            10002 => "Application",
            10003 => "Channel",
            10004 => "Guild",
            10007 => "Member",
            10008 => "Message",
            10011 => "Role",
            10013 => "User",
            10015 => "Webhook",
            10026 => "Ban",
            10062 => "interaction",
            10063 => "application command",
            _ => "resource",
        };
        Self::new(404, code, &format!("Unknown {what}"))
    }

    /// The body Discord sends.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut body = json!({"message": self.message, "code": self.code});
        if let Some(errors) = &self.errors {
            body["errors"] = errors.clone();
        }
        if let Some(seconds) = self.retry_after {
            body["retry_after"] = json!(seconds);
        }
        body
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.status, self.code, self.message)?;
        match &self.errors {
            Some(errors) => write!(f, " {errors}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

/// Collects the errors of one form, each at its path, and becomes a 50035.
#[derive(Debug, Default)]
pub struct FormErrors {
    root: Map<String, Value>,
}

impl FormErrors {
    /// Adds an error at a path of keys and array positions; the empty path is the whole request.
    pub fn add(&mut self, path: &[&str], code: &str, message: &str) {
        let mut node = &mut self.root;
        for key in path {
            let next = node.entry((*key).to_owned()).or_insert_with(|| json!({}));
            match next {
                Value::Object(map) => node = map,
                _ => return,
            }
        }
        let leaf = json!({"code": code, "message": message});
        if let Value::Array(list) = node.entry("_errors").or_insert_with(|| json!([])) {
            list.push(leaf);
        }
    }

    /// Whether nothing was wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.root.is_empty()
    }

    /// `Ok` if nothing was wrong, else 400/50035 with the tree.
    ///
    /// # Errors
    /// The collected errors.
    pub fn finish(self) -> Result<(), Refusal> {
        if self.root.is_empty() {
            return Ok(());
        }
        let mut refusal = Refusal::new(400, 50035, "Invalid Form Body");
        refusal.errors = Some(Value::Object(self.root));
        Err(refusal)
    }

    /// A 50035 with a single error.
    #[must_use]
    pub fn one(path: &[&str], code: &str, message: &str) -> Refusal {
        let mut errors = Self::default();
        errors.add(path, code, message);
        match errors.finish() {
            Err(refusal) => refusal,
            Ok(()) => Refusal::new(400, 50035, "Invalid Form Body"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_mirrors_the_body() {
        let refusal =
            FormErrors::one(&["options", "0", "name"], "BASE_TYPE_REQUIRED", "This field is required");
        assert_eq!(
            refusal.body(),
            json!({"message":"Invalid Form Body","code":50035,"errors":{"options":{"0":{"name":{"_errors":[
                {"code":"BASE_TYPE_REQUIRED","message":"This field is required"}]}}}}})
        );
    }
}
