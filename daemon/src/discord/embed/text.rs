//! Text made safe for the places an embed has, and cut to fit them.

use wayhaven_shared::names::SHOWN;
use wayhaven_shared::report::Text;
use wayhaven_shared::value::Untrusted;

/// What Discord could read as markdown or as a mention, for text of ours.
const MARKS: &str = "\\*_~`|<>[]@#";

/// The length as JavaScript counts it, see the module above.
pub(super) fn length(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The text without blanks around it, cut to `limit` with an ellipsis.
pub(super) fn fit(text: &str, limit: usize) -> String {
    let text = text.trim();
    if length(text) <= limit {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for letter in text.chars() {
        used += letter.len_utf16();
        if used + 1 > limit {
            break;
        }
        out.push(letter);
    }
    // A backslash at the cut would escape the ellipsis and show itself.
    let kept = out.trim_end().trim_end_matches('\\').len();
    out.truncate(kept);
    out.push('…');
    out
}

/// One line for where Discord reads markdown: title, description, field names and values.
pub(super) fn rendered(text: &Text, limit: usize) -> String {
    fit(&piece(text, limit, false), limit)
}

/// The same for where Discord also shows mentions and timestamps: descriptions and the values of fields. A mention
/// notifies nobody, since messages allow none.
pub(super) fn spoken(text: &Text, limit: usize) -> String {
    fit(&piece(text, limit, true), limit)
}

fn piece(text: &Text, limit: usize, speaks: bool) -> String {
    match text {
        Text::Theirs(text) | Text::Prose(text) => text.markdown(limit),
        Text::Ours(text) => ours(text),
        // Many readers' clients do not know an account that is no member, so the name stands beside the mention.
        Text::User(user, name) if speaks => match text.named() {
            Some(_) => format!("<@{user}> ({})", name.as_ref().map_or_else(String::new, shown)),
            None => format!("<@{user}>"),
        },
        Text::User(..) | Text::Guild(..) => match text.named() {
            Some((name, id)) => format!("{} ({id})", shown(&Untrusted::clipped(&name))),
            None => text.line(),
        },
        Text::Time(at, _) if speaks => format!("<t:{0}:f> (<t:{0}:R>)", at.millis().div_euclid(1_000)),
        Text::Time(..) => ours(&text.line()),
        Text::Joined(parts) => parts.iter().map(|part| piece(part, limit, speaks)).collect(),
    }
}

/// A name, escaped. Twice as long as it is shown, since each sign may need one before it.
fn shown(name: &Untrusted) -> String {
    Untrusted::clipped(&name.line_within(SHOWN)).markdown(3 * SHOWN)
}

/// A line of ours, escaped, with the blanks at its ends.
fn ours(text: &str) -> String {
    let line = Untrusted::clipped(text).line();
    let words: Vec<_> = line.split(' ').map(escaped).collect();
    let blank = |is: bool| if is && !line.is_empty() { " " } else { "" };
    format!("{}{}{}", blank(text.starts_with(' ')), words.join(" "), blank(text.ends_with(' ')))
}

/// A word of ours with its marks escaped. A link is left as it is, since a backslash would become part of it.
fn escaped(word: &str) -> String {
    let is_link = word.starts_with("https://") || word.starts_with("http://");
    if is_link && !word.contains(|letter| "@<>`".contains(letter)) {
        return word.to_owned();
    }
    let mut out = String::with_capacity(word.len());
    for letter in word.chars() {
        if MARKS.contains(letter) {
            out.push('\\');
        }
        push_parted(&mut out, letter);
    }
    out
}

/// One line for where Discord reads no markdown: footers.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::new();
    Untrusted::clipped(text).line().chars().for_each(|letter| push_parted(&mut out, letter));
    out
}

/// Mentions are recognised in the raw text, so the sign is parted from what follows it.
fn push_parted(out: &mut String, letter: char) {
    out.push(letter);
    if letter == '@' {
        out.push('\u{200b}');
    }
}

/// One line for a code block, at most `width` characters wide: nothing in it can close the block.
pub(super) fn in_block(text: &Text, width: usize) -> String {
    let line = match (text.named(), text) {
        // The name is cut, and the id is not.
        (Some((name, id)), _) => match width.checked_sub(id.len() + 3).filter(|left| *left >= 3) {
            Some(left) => format!("{} ({id})", Untrusted::clipped(&name).line_within(left)),
            None => id,
        },
        (None, Text::Theirs(text) | Text::Prose(text)) => text.line_within(width),
        (None, text) => Untrusted::clipped(&text.line()).line_within(width),
    };
    let mut out = String::with_capacity(line.len());
    // A grapheme can hold many characters, so the width is also kept in those.
    for letter in line.chars().take(width) {
        push_parted(&mut out, if letter == '`' { 'ˋ' } else { letter });
    }
    out
}

/// How wide a line from [`in_block`] looks: the mark that parts mentions has no width.
pub(super) fn width(line: &str) -> usize {
    line.chars().filter(|letter| *letter != '\u{200b}').count()
}
