//! The pages of `wayhavend` in `man/` are made from its command line, and a stale one fails here.
//! `WAYHAVEN_BLESS=1 cargo test -p wayhaven-daemon --test man` writes them anew.

#![allow(clippy::unwrap_used)]

use clap::Command;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// One page per subcommand, by file name. Section 8, since they are for whoever administers the machine; the pages of
/// `wayhaven` are in section 1, and the console's own test checks those.
fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    let mut root = wayhaven_daemon::command().disable_help_subcommand(true);
    root.build();
    collect(&root, "wayhavend", &mut pages);
    pages
}

fn collect(command: &Command, name: &str, pages: &mut BTreeMap<String, String>) {
    let mut page = Vec::new();
    let named = command.clone().display_name(name.to_owned()).version(env!("CARGO_PKG_VERSION"));
    let man =
        clap_mangen::Man::new(named).section("8").source(format!("wayhaven {}", env!("CARGO_PKG_VERSION")));
    man.manual("Wayhaven").render(&mut page).unwrap();
    pages.insert(format!("{name}.8"), String::from_utf8(page).unwrap());
    for below in command.get_subcommands() {
        collect(below, &format!("{name}-{}", below.get_name()), pages);
    }
}

#[test]
fn man_pages_are_those_of_the_command_line() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../man");
    let pages = pages();
    let ours = || {
        let files = fs::read_dir(&directory).unwrap().map(|file| file.unwrap().path());
        files.filter(|file| file.extension().is_some_and(|section| section == "8"))
    };
    if std::env::var_os("WAYHAVEN_BLESS").is_some() {
        ours().for_each(|stale| fs::remove_file(stale).unwrap());
        pages.iter().for_each(|(name, page)| fs::write(directory.join(name), page).unwrap());
    }
    let there: BTreeMap<_, _> = ours()
        .map(|file| {
            (file.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&file).unwrap())
        })
        .collect();
    let bless = "bless with: WAYHAVEN_BLESS=1 cargo test -p wayhaven-daemon --test man";
    let names = |pages: &BTreeMap<String, String>| pages.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&there), names(&pages), "{bless}");
    for (name, page) in &pages {
        assert_eq!(&there[name], page, "{name} is stale; {bless}");
    }
}
