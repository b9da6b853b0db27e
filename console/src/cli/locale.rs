//! Whether a terminal shows UTF-8, by the locale. POSIX: of LC_ALL, LC_CTYPE and LANG the first that is set and not empty
//! counts, and "C" and "POSIX" are ASCII. Where none is set nothing is known, and UTF-8 is assumed: ssh and containers
//! often hand no locale over, and terminals of today show UTF-8.

/// Whether the locale of this environment is UTF-8.
pub(super) fn is_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
    match ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set) {
        Some(locale) => names_utf8(&locale),
        None => true,
    }
}

/// `language_TERRITORY.codeset@modifier`; on macOS also the codeset alone.
fn names_utf8(locale: &str) -> bool {
    let locale = locale.split('@').next().unwrap_or_default();
    let codeset = locale.rsplit('.').next().unwrap_or_default();
    let plain: String = codeset.chars().filter(char::is_ascii_alphanumeric).collect();
    plain.eq_ignore_ascii_case("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides() {
        let utf8 = |all: Option<&str>, ctype: Option<&str>, lang: Option<&str>| {
            is_utf8(|name| {
                let value = match name {
                    "LC_ALL" => all,
                    "LC_CTYPE" => ctype,
                    _ => lang,
                };
                value.map(str::to_owned)
            })
        };
        for (all, ctype, lang, expected) in [
            (None, None, None, true),
            (None, None, Some("en_GB.UTF-8"), true),
            (None, None, Some("C"), false),
            (None, None, Some("POSIX"), false),
            (None, None, Some("de_DE"), false),
            (None, None, Some("de_DE@euro"), false),
            (None, None, Some("de_DE.ISO-8859-1"), false),
            (None, None, Some("ru_RU.KOI8-R"), false),
            (None, None, Some("ja_JP.eucJP"), false),
            (None, None, Some("C.UTF-8"), true),
            (None, None, Some("C.utf8"), true),
            (None, None, Some("ca_ES.UTF-8@valencia"), true),
            (None, Some("UTF-8"), Some("C"), true),
            (None, Some("C"), Some("en_GB.UTF-8"), false),
            (Some("C"), Some("en_GB.UTF-8"), Some("en_GB.UTF-8"), false),
            (Some("en_GB.UTF-8"), Some("C"), Some("C"), true),
            (Some(""), Some(""), Some("C"), false),
            (Some(""), Some("C.UTF-8"), Some("C"), true),
        ] {
            assert_eq!(utf8(all, ctype, lang), expected, "{all:?} {ctype:?} {lang:?}");
        }
    }
}
