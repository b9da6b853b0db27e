//! Checks against Discord's own description of its API (OpenAPI 3.1, JSON Schema 2020-12).
//!
//! Requests are checked as they arrive; the sandbox's own answers are checked by its tests. Where the description
//! is known to differ from what Discord takes, [`EXCEPTIONS`] says so in writing.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::rest::fit;

/// Where Discord takes what its description does not say, each with the reason.
pub const EXCEPTIONS: [&str; 3] = [
    "a ban's PUT and DELETE come without a body: the description requires one, Discord does not",
    "default_member_permissions of a command is a string of digits: so says the documentation, the description integer",
    "permissions of a role is a string of digits: so says the documentation, the description integer",
];

/// Which schema of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The body that is sent.
    Request,
    /// The body of an answer with that status.
    Response(u16),
    /// A parameter, by its name.
    Parameter(String),
}

/// A request as the description sees it.
#[derive(Debug, Clone, Copy)]
pub struct DescribedRequest<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Path without `/api/v10`.
    pub path: &'a str,
    /// The path as violations name it: without tokens.
    pub shown: &'a str,
    /// Decoded query.
    pub query: &'a [(String, String)],
    /// JSON body.
    pub body: Option<&'a Value>,
}

type Compiled = HashMap<(String, String, Direction), Option<Arc<Validator>>>;

/// The description, with validators compiled when first needed.
pub struct Conformance {
    document: Value,
    compiled: Mutex<Compiled>,
}

impl fmt::Debug for Conformance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Conformance")
    }
}

impl Conformance {
    /// Reads the description.
    ///
    /// # Errors
    /// The file cannot be read, or is no OpenAPI description.
    pub fn read(path: &Path) -> Result<Self, String> {
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        let document: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        if !document["paths"].is_object() || !document["components"]["schemas"].is_object() {
            return Err("no paths and schemas in it".to_owned());
        }
        Ok(Self { document, compiled: Mutex::default() })
    }

    /// What is wrong with a request; empty if nothing is.
    #[must_use]
    pub fn check_request(&self, request: &DescribedRequest<'_>) -> Vec<String> {
        let at = format!("{} {}", request.method, request.shown);
        let Some((template, values)) = self.template(request.path) else {
            return vec![format!("{at}: Discord has no such path")];
        };
        let method = request.method.to_lowercase();
        let operation = &self.document["paths"][template][&method];
        if !operation.is_object() {
            return vec![format!("{at}: Discord's {template} has no such method")];
        }
        let mut found = Vec::new();
        let parameters = self.parameters(template, operation);
        for (name, value) in values {
            self.check_parameter(template, &method, &parameters, ("path", name), value, &mut found);
        }
        for (name, value) in request.query {
            self.check_parameter(template, &method, &parameters, ("query", name), value, &mut found);
        }
        match request.body {
            Some(body) if operation["requestBody"].is_object() => {
                let body = without_exceptions(template, body);
                found.extend(self.check(template, &method, Direction::Request, &body));
            }
            Some(_) => found.push("a body where Discord takes none".to_owned()),
            None if operation["requestBody"]["required"] == true => {
                // Checked as empty: the description calls bodies required whose fields are all optional.
                found.extend(self.check(template, &method, Direction::Request, &json!({})));
            }
            None => {}
        }
        found.into_iter().map(|what| format!("{at}: {what}")).collect()
    }

    /// What is wrong with the body of an answer; empty if nothing is.
    #[must_use]
    pub fn check_response(&self, method: &str, path: &str, status: u16, body: &Value) -> Vec<String> {
        let Some((template, _)) = self.template(path) else {
            return vec![format!("{method} {path}: Discord has no such path")];
        };
        let method = method.to_lowercase();
        let described = &self.document["paths"][template][&method]["responses"];
        if described[status.to_string()].is_null() {
            return vec![format!("{method} {path}: Discord does not answer {status}")];
        }
        let found = self.check(template, &method, Direction::Response(status), body);
        found.into_iter().map(|what| format!("{method} {path} -> {status}: {what}")).collect()
    }

    /// The described path that fits, literal segments first.
    fn template<'a>(&'a self, path: &'a str) -> Option<(&'a str, Vec<(&'a str, &'a str)>)> {
        let paths = self.document["paths"].as_object()?;
        let fitting =
            paths.keys().filter_map(|template| fit(template, path).map(|values| (template.as_str(), values)));
        fitting.min_by_key(|(_, values)| values.len())
    }

    fn parameters(&self, template: &str, operation: &Value) -> Vec<Value> {
        let shared = self.document["paths"][template]["parameters"].as_array();
        let own = operation["parameters"].as_array();
        shared.into_iter().chain(own).flatten().cloned().collect()
    }

    fn check_parameter(
        &self,
        template: &str,
        method: &str,
        known: &[Value],
        (place, name): (&str, &str),
        text: &str,
        found: &mut Vec<String>,
    ) {
        let parameter = known.iter().find(|known| known["in"] == place && known["name"] == name);
        let Some(parameter) = parameter else {
            return found.push(format!("unknown {place} parameter {name}"));
        };
        let value = match parameter["schema"]["type"].as_str() {
            Some("integer") => text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number)),
            Some("boolean") if matches!(text, "true" | "True" | "1") => json!(true),
            Some("boolean") if matches!(text, "false" | "False" | "0") => json!(false),
            _ if is_number(&self.resolved(&parameter["schema"])) => {
                text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number))
            }
            _ => json!(text),
        };
        let direction = Direction::Parameter(name.to_owned());
        let wrong = self.check(template, method, direction, &value);
        found.extend(wrong.into_iter().map(|what| format!("{place} parameter {name}={text}: {what}")));
    }

    fn resolved(&self, schema: &Value) -> Value {
        let pointer = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        pointer.and_then(|pointer| self.document.pointer(pointer)).unwrap_or(schema).clone()
    }

    fn check(&self, template: &str, method: &str, direction: Direction, value: &Value) -> Vec<String> {
        let Some(validator) = self.validator(template, method, direction) else { return Vec::new() };
        validator
            .iter_errors(value)
            .take(5)
            .map(|error| {
                let at = error.instance_path().to_string();
                let text: String = error.to_string().chars().take(300).collect();
                if at.is_empty() { text } else { format!("at {at}: {text}") }
            })
            .collect()
    }

    fn validator(&self, template: &str, method: &str, direction: Direction) -> Option<Arc<Validator>> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (template.to_owned(), method.to_owned(), direction);
        if let Some(known) = compiled.get(&key) {
            return known.clone();
        }
        let schema = self.schema(&key.0, &key.1, &key.2);
        let validator = schema.and_then(|schema| {
            let options =
                jsonschema::options().should_validate_formats(true).should_ignore_unknown_formats(true);
            match options.build(&self.closed(schema)) {
                Ok(validator) => Some(Arc::new(validator)),
                Err(error) => {
                    crate::complain::complain(format!(
                        "a schema of {method} {template} cannot be used: {error}"
                    ));
                    None
                }
            }
        });
        compiled.insert(key, validator.clone());
        validator
    }

    fn schema(&self, template: &str, method: &str, direction: &Direction) -> Option<&Value> {
        let operation = &self.document["paths"][template][method];
        let content = match direction {
            Direction::Request => &operation["requestBody"]["content"],
            Direction::Response(status) => &operation["responses"][status.to_string()]["content"],
            Direction::Parameter(name) => {
                let shared = self.document["paths"][template]["parameters"].as_array();
                let own = operation["parameters"].as_array();
                let mut all = shared.into_iter().chain(own).flatten();
                return all
                    .find(|parameter| parameter["name"] == name.as_str())
                    .map(|found| &found["schema"]);
            }
        };
        content.get("application/json").map(|found| &found["schema"])
    }

    /// A schema together with the components it leads to, and no others: compiling all of them takes seconds.
    fn closed(&self, schema: &Value) -> Value {
        let mut wanted = BTreeSet::new();
        let mut open = vec![schema];
        while let Some(node) = open.pop() {
            match node {
                Value::Object(map) => {
                    let name = map.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next());
                    if let Some(name) = name
                        && wanted.insert(name)
                    {
                        open.push(&self.document["components"]["schemas"][name]);
                    }
                    open.extend(map.values());
                }
                Value::Array(list) => open.extend(list),
                _ => {}
            }
        }
        let schemas: Map<String, Value> = wanted
            .into_iter()
            .map(|name| (name.to_owned(), self.document["components"]["schemas"][name].clone()))
            .collect();
        let mut closed = schema.clone();
        closed["components"] = json!({"schemas": schemas});
        closed["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        closed
    }
}

fn is_number(schema: &Value) -> bool {
    schema["type"] == "integer"
        || schema["oneOf"].as_array().is_some_and(|all| all.iter().any(|s| s["const"].is_i64()))
}

/// A body as it would have to be for the description, where that is wrong.
fn without_exceptions(template: &str, body: &Value) -> Value {
    let key = if template.ends_with("/commands") {
        "default_member_permissions"
    } else if template.contains("/roles") {
        "permissions"
    } else {
        return body.clone();
    };
    let mut body = body.clone();
    let holders: Vec<&mut Value> = match &mut body {
        Value::Array(list) => list.iter_mut().collect(),
        single => vec![single],
    };
    for holder in holders {
        if let Some(bits) = holder[key].as_str().and_then(|bits| bits.parse::<u64>().ok()) {
            holder[key] = json!(bits);
        }
    }
    body
}
