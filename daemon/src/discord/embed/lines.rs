//! Many short lines as few messages: what is posted by itself, and not in answer to somebody.

use super::text::{length, rendered, spoken};
use super::{DESCRIPTION, TITLE, embed, titled};
use serde_json::Value;
use wayhaven_shared::report::{Text, Tone};

/// The longest a piece of a line gets: a reason is told, not quoted in full.
const PIECE: usize = 200;
/// What goes into a line at most.
const PIECES: usize = 10;

/// One line: pieces with blanks between them, each as safe as who wrote it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How what it tells stands.
    pub tone: Tone,
    /// What it says.
    pub pieces: Vec<Text>,
}

impl Line {
    fn rendered(&self) -> String {
        let pieces = self.pieces.iter().take(PIECES).map(|piece| spoken(piece, PIECE));
        let words: Vec<_> = pieces.filter(|piece| !piece.is_empty()).collect();
        format!("{}{}", super::sign(self.tone), words.join(" "))
    }
}

/// The lines under a title, in order, in as few messages as Discord's limits on one embed allow.
pub fn messages(title: &str, tone: Tone, lines: &[Line]) -> Vec<Value> {
    let title = titled(Tone::Plain, &rendered(&Text::Ours(title.to_owned()), TITLE));
    let mut bodies: Vec<String> = Vec::new();
    for line in lines.iter().map(Line::rendered) {
        match bodies.last_mut() {
            Some(body) if length(body) + 1 + length(&line) <= DESCRIPTION => {
                body.push('\n');
                body.push_str(&line);
            }
            _ => bodies.push(line),
        }
    }
    bodies.iter().map(|body| embed(tone, &title, body, &[], "")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wayhaven_shared::value::Untrusted;

    fn line(text: &str) -> Line {
        let theirs = Text::Theirs(Untrusted::clipped(text));
        Line { tone: Tone::Good, pieces: vec!["ban of 7".into(), theirs] }
    }

    #[test]
    fn lines_keep_their_order_and_every_message_fits() {
        let lines: Vec<_> = (0..300).map(|n| line(&format!("{n:03} {}", "@*x".repeat(80)))).collect();
        let messages = messages("Punishments", Tone::Plain, &lines);
        let bodies: Vec<_> =
            messages.iter().map(|message| message["embeds"][0]["description"].as_str().unwrap()).collect();
        assert!(bodies.len() > 1 && bodies.iter().all(|body| length(body) <= DESCRIPTION));
        let all: Vec<_> = bodies.iter().flat_map(|body| body.lines()).collect();
        assert_eq!(all.len(), 300);
        assert!(all.iter().enumerate().all(|(n, line)| line.contains(&format!("{n:03}"))));
    }

    #[test]
    fn fault_32_what_somebody_wrote_stays_in_its_line_and_mentions_nobody() {
        let message = messages("Punishments", Tone::Plain, &[line("x\n@everyone **b** <@1>")]).remove(0);
        let body = message["embeds"][0]["description"].as_str().unwrap();
        assert_eq!(body.lines().count(), 1, "{body}");
        assert!(!body.contains("@everyone") && !body.contains("<@1>") && !body.contains("**b**"), "{body}");
        assert_eq!(message["allowed_mentions"]["parse"], serde_json::json!([]));
    }
}
