//! The pages in `man/` are made from the grammar, and a stale one fails here.
//! `WAYHAVEN_BLESS=1 cargo test -p wayhaven-console man` writes them anew.

#![allow(clippy::unwrap_used)]

use clap::Command;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One page per operation and per group, by file name.
fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    let mut root = wayhaven_console::command().disable_help_subcommand(true);
    root.build();
    collect(&root, "wayhaven", &mut pages);
    pages
}

fn collect(command: &Command, name: &str, pages: &mut BTreeMap<String, String>) {
    let mut page = Vec::new();
    let named = command.clone().display_name(name.to_owned()).version(env!("CARGO_PKG_VERSION"));
    let man = clap_mangen::Man::new(named).source(format!("wayhaven {}", env!("CARGO_PKG_VERSION")));
    man.manual("Wayhaven").render(&mut page).unwrap();
    pages.insert(format!("{name}.1"), String::from_utf8(page).unwrap());
    for below in command.get_subcommands() {
        collect(below, &format!("{name}-{}", below.get_name()), pages);
    }
}

/// The pages of section 1; those of `wayhavend` are in section 8, and its own test checks them.
fn ours(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    files.filter(|file| file.extension().is_none_or(|section| section != "8"))
}

#[test]
fn man_pages_are_those_of_the_grammar() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../man");
    let pages = pages();
    if std::env::var_os("WAYHAVEN_BLESS").is_some() {
        fs::create_dir_all(&directory).unwrap();
        ours(&directory).for_each(|stale| fs::remove_file(stale).unwrap());
        pages.iter().for_each(|(name, page)| fs::write(directory.join(name), page).unwrap());
    }
    let mut there = BTreeMap::new();
    for file in ours(&directory) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        there.insert(name, fs::read_to_string(file).unwrap());
    }
    let names = |pages: &BTreeMap<String, String>| pages.keys().cloned().collect::<Vec<_>>();
    let bless = "bless with: WAYHAVEN_BLESS=1 cargo test -p wayhaven-console man";
    assert_eq!(names(&there), names(&pages), "{bless}");
    for (name, page) in &pages {
        assert_eq!(&there[name], page, "{name} is stale; {bless}");
    }
}
