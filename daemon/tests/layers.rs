//! Which file may import which: a file imports from its own layer or a lower one. The table of layers is below; the
//! imports that still break it are listed in `layers/violations`, and the list only gets shorter: a new one fails here, and
//! so does a listed one that no longer exists. `WAYHAVEN_BLESS=1 cargo test -p wayhaven-daemon --test layers` removes the
//! latter, and adds nothing.

#![allow(clippy::unwrap_used)]

#[path = "layers/source.rs"]
mod source;

use source::{Source, imports, sources};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The layer of a module, by the longest row that it begins with. Above are the layers that know more.
const LAYERS: [(&str, u8); 43] = [
    // 0: the domain.
    ("attachment", 0),
    ("backoff", 0),
    ("clock", 0),
    ("delivery", 0),
    ("disk", 0),
    ("failpoint", 0),
    ("network", 0),
    // 1: who asks for what, and the process.
    ("invocation", 1),
    ("lifecycle", 1),
    ("lock", 1),
    ("log", 1),
    ("operators", 1),
    ("restart", 1),
    ("secrets", 1),
    ("settings", 1),
    // 2: the store, and the client of Discord. They do not know each other.
    ("store", 2),
    ("discord", 2),
    // 3: what every system works with.
    ("services", 3),
    // 4: what runs by itself, and files on their way.
    ("jobs", 4),
    ("tasks", 4),
    ("uploads", 4),
    // 5: what delivers.
    ("direct", 5),
    ("pages", 5),
    ("sync", 5),
    // 6: the systems. None knows another.
    ("alerts", 6),
    ("audit", 6),
    ("doctor", 6),
    ("health", 6),
    ("lists", 6),
    ("names", 6),
    ("notices", 6),
    ("reconcile", 6),
    ("reload", 6),
    // 7: the list of systems, and what is handed to handlers.
    ("context", 7),
    ("systems", 7),
    // 8 and 9: operations, and the way to them.
    ("authority", 8),
    ("handlers", 8),
    ("pipeline", 9),
    // 10: the surfaces, which alone run operations.
    ("surfaces", 10),
    // 11: startup and commands.
    ("commands", 11),
    ("lib", 11),
    ("main", 11),
    ("startup", 11),
];

/// Layers whose modules do not know each other. The sync engine and direct messages of layer 5 are not among them: what is
/// told before an act is part of it.
const STRANGERS: [u8; 2] = [2, 6];

/// Where an external crate may be used, and why nowhere else.
const CRATES: [(&str, &[&str], &str); 4] = [
    ("rusqlite", &["store"], "the store decides what is written, in one transaction"),
    ("serenity", &["discord::gateway"], "its types stay behind our own events"),
    ("reqwest", &["discord::rest"], "no request leaves without a slot of the budget"),
    ("tarpc", &["surfaces::socket"], "the socket is a surface"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The row of the table that a module belongs to.
fn row(module: &str) -> Option<(&'static str, u8)> {
    let is_below =
        |name: &str| module.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    LAYERS.into_iter().filter(|(name, _)| is_below(name)).max_by_key(|(name, _)| name.len())
}

/// Whether an import breaks the rule.
fn judge(from: &str, to: &str) -> bool {
    let (Some((own, layer)), Some((other, of_other))) = (row(from), row(to)) else { return false };
    let folder = |name: &'static str| name.split("::").next();
    of_other > layer
        || (of_other == layer && STRANGERS.contains(&layer) && own != other && folder(own) != folder(other))
}

/// The imports that break the rule, as `module -> row`.
fn violations(sources: &[Source]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in sources {
        for path in imports(source) {
            if judge(&source.module, &path) {
                let to = row(&path).map_or(path.as_str(), |(name, _)| name);
                found.insert(format!("{} -> {to}", source.module));
            }
        }
    }
    found
}

/// Where an external crate is used that may not be, as `module -> crate`.
fn strays(sources: &[Source]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in sources {
        for (name, places, _) in CRATES {
            let is_here = places
                .iter()
                .any(|place| source.module == *place || source.module.starts_with(&format!("{place}::")));
            if !is_here && source.names(name) {
                found.insert(format!("{} -> {name}", source.module));
            }
        }
    }
    found
}

#[test]
fn every_module_has_a_layer() {
    let sources = sources(&root());
    assert!(sources.len() > 200, "{} files: the sources are elsewhere", sources.len());
    let without: Vec<_> = sources.iter().filter(|one| row(&one.module).is_none()).collect();
    assert!(
        without.is_empty(),
        "not in the table of layers: {:?}",
        without.iter().map(|one| &one.module).collect::<Vec<_>>()
    );
    for (name, _) in LAYERS {
        let is_there = |one: &Source| row(&one.module).is_some_and(|(row, _)| row == name);
        assert!(name == "failpoint" || sources.iter().any(is_there), "no module is in the row {name}");
    }
}

#[test]
fn imports_point_downwards_and_the_list_of_exceptions_gets_shorter() {
    let sources = sources(&root());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layers/violations");
    let listed: BTreeSet<String> = std::fs::read_to_string(&file)
        .unwrap()
        .lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    let found: BTreeSet<String> = violations(&sources).into_iter().chain(strays(&sources)).collect();
    let new: Vec<_> = found.difference(&listed).collect();
    assert!(new.is_empty(), "these imports point to a higher layer, or to a stranger: {new:#?}");
    let gone: Vec<_> = listed.difference(&found).collect();
    if !gone.is_empty() && std::env::var_os("WAYHAVEN_BLESS").is_some() {
        let left: String = listed.intersection(&found).map(|line| format!("{line}\n")).collect();
        std::fs::write(&file, left).unwrap();
        return;
    }
    assert!(gone.is_empty(), "no longer there, remove them from {}: {gone:#?}", file.display());
}
