//! The signs we draw with, in Unicode and in ASCII, and cutting text to a width without breaking letters.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;
use wayhaven_shared::report::{Progress, Tone};

/// Which signs the terminal can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signs {
    /// Nothing but ASCII.
    pub(crate) ascii: bool,
}

impl Signs {
    /// The sign that stands beside a word, so that colour is never alone.
    pub(crate) fn tone(self, tone: Tone) -> &'static str {
        match (tone, self.ascii) {
            (Tone::Plain, _) => "",
            (Tone::Good, true) => "+",
            (Tone::Good, false) => "✓",
            (Tone::Waiting, _) => "~",
            (Tone::Warning, _) => "!",
            (Tone::Bad, true) => "x",
            (Tone::Bad, false) => "✗",
            (Tone::Quiet, _) => "=",
        }
    }

    /// A toned text with its sign before it, unless it brings one of its own.
    pub(crate) fn beside(self, tone: Tone, text: &str) -> String {
        let text = self.text(text);
        let signed =
            text.chars().nth(1) == Some(' ') && !text.starts_with(|first: char| first.is_ascii_digit());
        if tone == Tone::Plain || signed { text } else { format!("{} {text}", self.tone(tone)) }
    }

    /// What stands where text was cut off.
    pub(crate) fn ellipsis(self) -> &'static str {
        if self.ascii { "~" } else { "…" }
    }

    /// Text that the terminal can show: as it is, or with what is not ASCII replaced.
    pub(crate) fn text(self, text: &str) -> String {
        if !self.ascii || text.is_ascii() {
            return text.to_owned();
        }
        let plain = |letter: &str| match letter {
            "—" | "–" => "-".to_owned(),
            "…" => "...".to_owned(),
            "·" => "|".to_owned(),
            "›" => ">".to_owned(),
            "→" => "->".to_owned(),
            "×" => "x".to_owned(),
            "“" | "”" => "\"".to_owned(),
            "✓" => "+".to_owned(),
            "✗" => "x".to_owned(),
            ascii if ascii.is_ascii() => ascii.to_owned(),
            // As wide as what it stands for, so that columns stay columns.
            other => "?".repeat(other.width().max(1)),
        };
        text.graphemes(true).map(plain).collect()
    }

    /// `text` cut to `width` columns.
    pub(crate) fn cut(self, text: &str, width: usize) -> String {
        let text = self.text(text);
        if text.width() <= width {
            return text;
        }
        let mut cut = String::new();
        let mut used = 0;
        for letter in text.graphemes(true) {
            let wide = letter.width();
            if used + wide + 1 > width {
                break;
            }
            used += wide;
            cut.push_str(letter);
        }
        if width > 0 {
            cut.push_str(self.ellipsis());
        }
        cut
    }

    /// `text` cut and filled up to exactly `width` columns.
    pub(crate) fn fit(self, text: &str, width: usize) -> String {
        let mut text = self.cut(text, width);
        let used = text.width();
        text.extend(std::iter::repeat_n(' ', width.saturating_sub(used)));
        text
    }

    /// How far something has come, `width` columns wide.
    pub(crate) fn bar(self, progress: Progress, width: usize) -> String {
        let total = progress.total.max(1);
        let halves = |part: u64| usize::try_from(part * 2 * width as u64 / total).unwrap_or(0);
        let done = halves(progress.done.min(total)).min(width * 2);
        let (full, half) = (done / 2, done % 2);
        let (whole, tip, rest) = if self.ascii { ("#", "-", ".") } else { ("━", "╸", "┄") };
        let mut bar = whole.repeat(full);
        bar.push_str(&tip.repeat(half));
        bar.push_str(&rest.repeat(width - full - half));
        bar
    }
}

/// Words broken into lines of at most `width` columns; a word that is wider is broken where it must be.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let wide = word.width();
        if used > 0 && used + 1 + wide > width {
            lines.push(String::new());
            used = 0;
        }
        let Some(line) = lines.last_mut() else { break };
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        if wide <= width {
            line.push_str(word);
            used += wide;
            continue;
        }
        for letter in word.graphemes(true) {
            if used + letter.width() > width {
                lines.push(String::new());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push_str(letter);
            }
            used += letter.width();
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_letters_and_never_wider_than_asked() {
        let signs = Signs::default();
        assert_eq!(signs.cut("ru-gaming", 9), "ru-gaming");
        assert_eq!(signs.cut("ru-gaming", 5), "ru-g…");
        assert_eq!(signs.cut("日本語", 4), "日…");
        assert_eq!(signs.fit("日本語", 4), "日… ");
        assert_eq!(signs.cut("👩‍👩‍👧 family", 3), "👩‍👩‍👧…");
        for width in 0..12 {
            assert!(signs.cut("日本 👩‍👩‍👧 mixed", width).width() <= width);
        }
    }

    #[test]
    fn ascii_keeps_the_columns() {
        let signs = Signs { ascii: true };
        assert_eq!(signs.text("日本 — ok"), "???? - ok");
        assert!(signs.fit("日本語", 4).is_ascii());
    }

    #[test]
    fn a_bar_is_full_only_when_everything_is_done() {
        let signs = Signs { ascii: true };
        assert_eq!(signs.bar(Progress { done: 0, total: 4 }, 4), "....");
        assert_eq!(signs.bar(Progress { done: 4, total: 4 }, 4), "####");
        assert_eq!(Signs::default().bar(Progress { done: 999, total: 1000 }, 4), "━━━╸");
        assert_eq!(signs.bar(Progress { done: 0, total: 0 }, 2), "..");
    }

    #[test]
    fn long_words_are_broken_and_others_are_not() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
    }
}
