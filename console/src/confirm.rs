//! What a person types to confirm a severe operation.

use shared::{Request, grammar};
use wayhaven_shared as shared;

/// The name that stands for what is at stake: the operation's first argument (a backup, a user), or its own
/// words where it takes none.
pub(crate) fn name(request: &Request) -> String {
    let definition = request.definition();
    let command = grammar::command(definition);
    let Some(first) = command.get_positionals().next() else { return definition.name.to_owned() };
    let encoded = serde_json::to_value(request).unwrap_or_default();
    match &encoded["arguments"][first.get_id().as_str()] {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => definition.name.to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_argument_is_typed_and_without_one_the_operation() {
        let parse = |name: &str, words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            grammar::parse_arguments(grammar::find(name).unwrap(), &words).unwrap()
        };
        assert_eq!(super::name(&parse("ban", &["--reason=x", "77"])), "77");
        assert_eq!(super::name(&parse("daemon stop", &[])), "daemon stop");
    }
}
