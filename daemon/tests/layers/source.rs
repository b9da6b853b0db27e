//! The sources as the compiler sees them without tests: no comments, no text, nothing behind `#[cfg(test)]`.

use std::path::Path;

/// A source file.
pub(crate) struct Source {
    /// Its module, as `store::deliveries`.
    pub(crate) module: String,
    tokens: Vec<Token>,
}

/// What a path is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Name(String),
    /// `::`
    Path,
    Other(char),
}

impl Source {
    /// Whether a path begins with that crate.
    pub(crate) fn names(&self, external: &str) -> bool {
        let starts = |at: usize| at == 0 || self.tokens[at - 1] != Token::Path;
        (0..self.tokens.len()).any(|at| {
            self.tokens[at] == Token::Name(external.to_owned())
                && starts(at)
                && self.tokens.get(at + 1) == Some(&Token::Path)
        })
    }
}

/// All sources below a folder, without those of tests.
pub(crate) fn sources(root: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    collect(root, root, &mut found);
    found.sort_by(|one, other| one.module.cmp(&other.module));
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if ["tests", "testing"].contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module = path.strip_prefix(root).unwrap().with_extension("");
            let module = module.iter().map(|part| part.to_str().unwrap()).collect::<Vec<_>>().join("::");
            let text = std::fs::read_to_string(&path).unwrap();
            found.push(Source { module, tokens: without_tests(tokens(&text)) });
        }
    }
}

/// The modules of this crate that a source names, each once and as far as it names them.
pub(crate) fn imports(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let tokens = &source.tokens;
    let mut at = 0;
    while at < tokens.len() {
        let begins = at == 0 || tokens[at - 1] != Token::Path;
        let start = match &tokens[at] {
            Token::Name(name) if begins && tokens.get(at + 1) == Some(&Token::Path) => match name.as_str() {
                "crate" => Some((Vec::new(), at + 2)),
                "super" => above(source, at),
                _ => None,
            },
            _ => None,
        };
        if let Some((prefix, behind)) = start {
            at = tree(tokens, behind, &prefix, &mut found);
        } else {
            at += 1;
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The module that a row of `super` means, and the place behind it.
fn above(source: &Source, mut at: usize) -> Option<(Vec<String>, usize)> {
    let mut prefix: Vec<String> = source.module.split("::").map(str::to_owned).collect();
    while source.tokens.get(at) == Some(&Token::Name("super".into())) {
        prefix.pop()?;
        at += 2;
    }
    Some((prefix, at))
}

/// Reads the paths after `prefix::` into `found`. Returns the index of the first token after them.
fn tree(tokens: &[Token], mut at: usize, prefix: &[String], found: &mut Vec<String>) -> usize {
    let mut path = prefix.to_vec();
    loop {
        match tokens.get(at) {
            Some(Token::Name(name)) => {
                path.push(name.clone());
                at += 1;
                if tokens.get(at) != Some(&Token::Path) {
                    break;
                }
                at += 1;
            }
            Some(Token::Other('{')) => {
                at += 1;
                while let Some(token) = tokens.get(at) {
                    match token {
                        Token::Other('}') => return at + 1,
                        Token::Other(',') => at += 1,
                        _ => {
                            let behind = tree(tokens, at, &path, found);
                            at = if behind == at { at + 1 } else { behind };
                        }
                    }
                }
                return at;
            }
            _ => break,
        }
    }
    found.push(path.join("::"));
    at
}

/// The text as tokens, without comments and literals.
fn tokens(text: &str) -> Vec<Token> {
    let text: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let next = text.get(at + 1).copied();
        match text[at] {
            '/' if next == Some('/') => {
                while at < text.len() && text[at] != '\n' {
                    at += 1;
                }
            }
            '/' if next == Some('*') => {
                at += 2;
                while at < text.len() && !(text[at] == '*' && text.get(at + 1) == Some(&'/')) {
                    at += 1;
                }
                at += 2;
            }
            'r' if matches!(next, Some('"' | '#')) && raw_end(&text, at).is_some() => {
                at = raw_end(&text, at).unwrap_or(text.len());
            }
            '"' => at = quoted_end(&text, at),
            // A character, and no lifetime.
            '\'' if next == Some('\\') => {
                at += 3;
                while at < text.len() && text[at] != '\'' {
                    at += 1;
                }
                at += 1;
            }
            '\'' if text.get(at + 2) == Some(&'\'') => at += 3,
            ':' if next == Some(':') => {
                tokens.push(Token::Path);
                at += 2;
            }
            letter if letter.is_alphabetic() || letter == '_' => {
                let begin = at;
                while at < text.len() && (text[at].is_alphanumeric() || text[at] == '_') {
                    at += 1;
                }
                tokens.push(Token::Name(text[begin..at].iter().collect()));
            }
            letter => {
                if !letter.is_whitespace() {
                    tokens.push(Token::Other(letter));
                }
                at += 1;
            }
        }
    }
    tokens
}

fn quoted_end(text: &[char], begin: usize) -> usize {
    let mut at = begin + 1;
    while at < text.len() && text[at] != '"' {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The place behind a raw string that begins here, where one does.
fn raw_end(text: &[char], begin: usize) -> Option<usize> {
    let marks = text[begin + 1..].iter().take_while(|letter| **letter == '#').count();
    let open = begin + 1 + marks;
    if text.get(open) != Some(&'"') {
        return None;
    }
    let closes = |at: usize| {
        text[at] == '"'
            && text.len() > at + marks
            && text[at + 1..=at + marks].iter().all(|letter| *letter == '#')
    };
    (open + 1..text.len()).find(|at| closes(*at)).map(|at| at + 1 + marks)
}

/// The tokens without what is compiled for tests only.
fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    let mark = [
        Token::Other('#'),
        Token::Other('['),
        Token::Name("cfg".into()),
        Token::Other('('),
        Token::Name("test".into()),
        Token::Other(')'),
        Token::Other(']'),
    ];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..].starts_with(&mark) {
            at = item_end(&tokens, at + mark.len());
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// The place behind an item or a statement: behind its braces, or its semicolon or comma, whichever comes first outside of
/// other brackets.
fn item_end(tokens: &[Token], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            Token::Other('(' | '[' | '{') => depth += 1,
            Token::Other(')' | ']' | '}') => {
                // The end of what holds the statement.
                let Some(less) = depth.checked_sub(1) else { return at - 1 };
                depth = less;
                if depth == 0 && *token == Token::Other('}') {
                    return at;
                }
            }
            Token::Other(';' | ',') if depth == 0 => return at,
            _ => {}
        }
    }
    at
}

#[test]
fn paths_are_found_in_trees_and_expressions_and_not_in_texts_or_tests() {
    let text = r##"
        //! crate::comment::x
        use crate::store::{self, Change, deliveries::{Queued, Scope}};
        use super::{lane, super::jobs};
        fn work() -> crate::network::Permit { let _ = "crate::text::x"; let _ = r#"crate::raw::x"#; '{'; crate::direct::tell::<u8>() }
        #[cfg(test)]
        fn only() { crate::testing::home(); }
        fn mixed<'a>(one: &'a str) { #[cfg(test)] crate::failpoint::reach(1); super::super::alerts::raise(one) }
        #[cfg(test)]
        mod tests { use crate::surface::x; }
    "##;
    let source = Source { module: "sync::engine".into(), tokens: without_tests(tokens(text)) };
    assert_eq!(
        imports(&source),
        [
            "alerts::raise",
            "direct::tell",
            "network::Permit",
            "store::Change",
            "store::deliveries::Queued",
            "store::deliveries::Scope",
            "store::self",
            "sync::lane",
            "sync::super::jobs",
        ]
    );
}
