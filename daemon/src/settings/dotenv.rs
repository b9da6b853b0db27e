//! The `.env` beside the settings file. Invariant: of our variables none is filled in by halves: one that is given twice,
//! or refers to a variable that is not set, is refused.

use super::{keys, one_line};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use wayhaven_shared::Fault;

/// The variables in the text.
///
/// # Errors
/// A line that is none, one of our variables that is given twice, or a reference in one to what is not set.
pub(super) fn variables(path: &Path, text: &str) -> Result<BTreeMap<String, String>, Fault> {
    let shown = path.display();
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    // The iterator also fills in `$NAME` from the process's environment, as people expect of a `.env`.
    for pair in dotenvy::from_read_iter(text.as_bytes()) {
        let (name, value) = pair.map_err(|error| malformed(path, text, &error))?;
        let is_filled = |value: &String| !value.trim().is_empty();
        let is_given_before = variables.get(&name).is_some_and(is_filled);
        if is_given_before && is_filled(&value) && concerns_us(&name) {
            let lines: Vec<_> =
                lines(text).filter(|line| line.name == name).map(|line| line.number.to_string()).collect();
            let (name, lines) = (one_line(&name), lines.join(" and "));
            return Err(Fault::usage(format!("{shown} gives {name} more than once, in lines {lines}"))
                .hint("keep the line that counts, and remove the other"));
        }
        variables.insert(name, value);
    }
    let mut known = HashSet::new();
    for line in lines(text) {
        let is_set = |name: &String| known.contains(name) || std::env::var(name).is_ok();
        if let Some(unset) = line.references.iter().find(|name| !is_set(name))
            && concerns_us(&line.name)
        {
            let (name, number, unset) = (one_line(&line.name), line.number, one_line(unset));
            return Err(Fault::usage(format!(
                "{name} in {shown} line {number} refers to the variable {unset}, which is not set"
            ))
            .hint(format!("set {unset} in the environment or in a line above"))
            .hint("put single quotes around a value with a $ that is meant as it is"));
        }
        known.insert(line.name);
    }
    Ok(variables)
}

fn concerns_us(name: &str) -> bool {
    name.starts_with(keys::PREFIX) || keys::is_known(name)
}

/// Its own message repeats the line, which may hold the token.
fn malformed(path: &Path, text: &str, error: &dotenvy::Error) -> Fault {
    let line = match error {
        // It carries the whole line or the value, which is the line's end.
        dotenvy::Error::LineParse(end, _) if !end.trim().is_empty() => {
            text.lines().position(|line| line.trim().ends_with(end.trim()))
        }
        _ => None,
    };
    let place = line.map_or_else(String::new, |index| format!(" line {}", index + 1));
    Fault::usage(format!(
        "{}{place} is not NAME=value: put quotes around a value with spaces, and # before a comment",
        path.display()
    ))
}

/// A variable as it is written.
struct Line {
    name: String,
    /// Of its first line, counted from 1.
    number: usize,
    /// The variables that its value refers to.
    references: Vec<String>,
}

/// The variables of a text that is well-formed.
fn lines(text: &str) -> impl Iterator<Item = Line> {
    let mut rest = text.chars().peekable();
    let mut number = 1;
    std::iter::from_fn(move || {
        loop {
            rest.peek()?;
            let at = number;
            let mut name = String::new();
            let is_part = |one: &char| !matches!(one, '=' | '\n' | '#');
            while let Some(one) = rest.next_if(is_part) {
                name.push(one);
            }
            if rest.next_if_eq(&'=').is_some() {
                let name = name.trim();
                let name = name.strip_prefix("export ").unwrap_or(name).trim().to_owned();
                let references = references(&mut rest, &mut number);
                return Some(Line { name, number: at, references });
            }
            rest.by_ref().find(|one| *one == '\n');
            number += 1;
        }
    })
}

/// Reads a value to the end of its last line, as `dotenvy` does, for the variables that it refers to.
fn references(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, number: &mut usize) -> Vec<String> {
    let (mut found, mut quote, mut before) = (Vec::new(), None, ' ');
    while let Some(one) = rest.next() {
        match (one, quote) {
            ('\n', _) => {
                *number += 1;
                if quote.is_none() {
                    return found;
                }
            }
            ('#', None) if before.is_whitespace() => {
                rest.by_ref().find(|one| *one == '\n');
                *number += 1;
                return found;
            }
            ('\\', None | Some('"')) => drop(rest.next()),
            ('$', None | Some('"')) => {
                let is_braced = rest.next_if_eq(&'{').is_some();
                let mut name = String::new();
                let is_part = |one: &char| if is_braced { *one != '}' } else { one.is_alphanumeric() };
                while let Some(one) = rest.next_if(is_part) {
                    name.push(one);
                }
                found.push(name);
            }
            ('"' | '\'', None) => quote = Some(one),
            (one, Some(open)) if one == open => quote = None,
            _ => {}
        }
        before = one;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<BTreeMap<String, String>, String> {
        variables(Path::new("/etc/.env"), text).map_err(|fault| fault.message)
    }

    #[test]
    fn a_variable_of_ours_that_is_given_twice_is_refused_with_both_lines() {
        assert_eq!(
            read("# MAIN_GUILD_ID=1\nMAIN_GUILD_ID=2\nX='a\nb'\n\n export MAIN_GUILD_ID=3 # that one")
                .unwrap_err(),
            "/etc/.env gives MAIN_GUILD_ID more than once, in lines 2 and 6"
        );
        // An empty one is a template's, and what is not ours is not judged.
        let read = read("MAIN_GUILD_ID=\nMAIN_GUILD_ID=3\nMAIN_GUILD_ID=\nX=1\nX=2").unwrap();
        assert_eq!(read["X"], "2");
    }

    #[test]
    fn a_reference_to_what_is_not_set_is_refused() {
        let unset = |value: &str| format!("A=1\nMAIN_GUILD_ID={value}");
        for value in ["${NOPE}", "$NOPE", "1${NOPE}", "\"1\n${NOPE}\"", "${A}${NOPE}"] {
            assert_eq!(
                read(&unset(value)).unwrap_err(),
                "MAIN_GUILD_ID in /etc/.env line 2 refers to the variable NOPE, which is not set",
                "{value}"
            );
        }
        for value in
            ["'${NOPE}'", "\\$NOPE", "\"\\$NOPE\"", "1 # ${NOPE}", "${A}", "$A", "${PATH}", "${B}\nB=1"]
        {
            let read = read(&format!("B=2\n{}", unset(value)));
            assert!(read.is_ok(), "{value}: {read:?}");
        }
        // What is filled in later was not there yet.
        assert!(read("MAIN_GUILD_ID=${LATER}\nLATER=1").is_err());
        assert!(read("SOMEBODY_ELSES=${NOPE}").is_ok(), "other programs' references are theirs");
    }
}
