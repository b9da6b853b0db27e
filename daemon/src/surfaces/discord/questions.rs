//! What members were asked before something severe is done: the request, who may answer, and until when. In memory
//! only: after a restart nobody can vouch for what a preview showed, and it is asked for anew.

use crate::invocation::Upload;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared::operations::Request;
use wayhaven_shared::value::{GuildId, UserId};

/// How long a question can be answered: a preview tells less of what is true the older it is.
pub(super) const LIVES: Duration = Duration::from_secs(14 * 60);

/// How long it is known afterwards, so that a late press hears why it does nothing.
const KNOWN: Duration = Duration::from_secs(60 * 60);

/// How many are known at most; beyond it the oldest are forgotten.
const MOST: usize = 1_000;

/// What the names of our buttons begin with.
const PREFIX: &str = "confirm:";

/// The questions that were put, by what cannot be guessed of their buttons' names.
#[derive(Default)]
pub struct Questions(Mutex<HashMap<String, Question>>);

struct Question {
    by: UserId,
    guild: GuildId,
    request: Request,
    upload: Option<Upload>,
    at: Instant,
    answer: Option<Choice>,
}

/// What a button stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// Do it.
    Do,
    /// Leave it.
    Cancel,
}

/// The names of a question's buttons.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Buttons {
    pub(super) go: String,
    pub(super) cancel: String,
}

/// What a press means.
#[derive(Debug, PartialEq)]
pub(super) enum Press {
    /// The answer, by who was asked, in time, the first one.
    Answer(Choice, Request),
    /// Another user was asked, or it was in another guild.
    NotAsked(Request),
    /// It was answered before, like this.
    Answered(Choice, Request),
    /// Too late.
    Expired(Request),
    /// Not known: another process asked, or it was long ago.
    Unknown,
}

impl Questions {
    /// Remembers a question.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub(super) fn put(
        &self,
        at: Instant,
        by: UserId,
        guild: GuildId,
        request: Request,
        upload: Option<Upload>,
    ) -> Result<Buttons, getrandom::Error> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        let key = format!("{:032x}", u128::from_be_bytes(random));
        let buttons = Buttons { go: format!("{PREFIX}{key}:do"), cancel: format!("{PREFIX}{key}:cancel") };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, question| at.saturating_duration_since(question.at) < KNOWN);
        if known.len() >= MOST {
            let oldest = known.iter().min_by_key(|(_, question)| question.at).map(|(key, _)| key.clone());
            oldest.map(|key| known.remove(&key));
        }
        known.insert(key, Question { by, guild, request, upload, at, answer: None });
        Ok(buttons)
    }

    /// What pressing that button means; an answer is taken once.
    pub(super) fn press(&self, now: Instant, name: &str, by: UserId, guild: Option<GuildId>) -> Press {
        let Some((key, choice)) = read(name) else { return Press::Unknown };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(question) = known.get_mut(key) else { return Press::Unknown };
        let request = question.request.clone();
        if question.by != by || Some(question.guild) != guild {
            return Press::NotAsked(request);
        }
        if let Some(answer) = question.answer {
            return Press::Answered(answer, request);
        }
        if now.saturating_duration_since(question.at) >= LIVES {
            return Press::Expired(request);
        }
        question.answer = Some(choice);
        Press::Answer(choice, request)
    }

    /// The file that came with what is asked about.
    pub(super) fn upload(&self, name: &str) -> Option<Upload> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(read(name)?.0)?.upload.clone()
    }

    /// Lets time pass for what was asked so far.
    #[cfg(test)]
    pub(crate) fn age(&self, by: Duration) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.values_mut().for_each(|question| question.at -= by);
    }
}

fn read(name: &str) -> Option<(&str, Choice)> {
    let (key, word) = name.strip_prefix(PREFIX)?.split_once(':')?;
    match word {
        "do" => Some((key, Choice::Do)),
        "cancel" => Some((key, Choice::Cancel)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{guild, user};
    use wayhaven_shared::operations::setup::SetupUnsetMain;

    fn request() -> Request {
        SetupUnsetMain {}.into()
    }

    #[test]
    fn the_asked_answers_once_and_nobody_else() {
        let (questions, now) = (Questions::default(), Instant::now());
        let buttons = questions.put(now, user(1), guild(10), request(), None).unwrap();
        let press =
            |name: &str, by: u64, of: Option<u64>| questions.press(now, name, user(by), of.map(guild));
        assert_eq!(press(&buttons.go, 2, Some(10)), Press::NotAsked(request()));
        assert_eq!(press(&buttons.go, 1, Some(11)), Press::NotAsked(request()));
        assert_eq!(press(&buttons.go, 1, None), Press::NotAsked(request()));
        for unknown in ["", "confirm:", "confirm:0:do", "x", &buttons.go.replace(":do", ":maybe")] {
            assert_eq!(press(unknown, 1, Some(10)), Press::Unknown, "{unknown}");
        }
        assert_eq!(press(&buttons.go, 1, Some(10)), Press::Answer(Choice::Do, request()));
        assert_eq!(press(&buttons.cancel, 1, Some(10)), Press::Answered(Choice::Do, request()));
    }

    #[test]
    fn an_answer_comes_within_fourteen_minutes() {
        let (questions, now) = (Questions::default(), Instant::now());
        let buttons = questions.put(now, user(1), guild(10), request(), None).unwrap();
        let press = |at: Instant| questions.press(at, &buttons.go, user(1), Some(guild(10)));
        assert_eq!(press(now + LIVES), Press::Expired(request()));
        let in_time = LIVES.saturating_sub(Duration::from_millis(1));
        assert_eq!(press(now + in_time), Press::Answer(Choice::Do, request()));
        questions.put(now + KNOWN, user(1), guild(10), request(), None).unwrap();
        assert_eq!(press(now + KNOWN), Press::Unknown, "what is old is forgotten");
    }

    #[test]
    fn names_are_short_differ_and_only_so_many_are_known() {
        let (questions, now) = (Questions::default(), Instant::now());
        let put = |at: Instant| questions.put(at, user(1), guild(10), request(), None).unwrap();
        let first = put(now);
        assert!(first.go.len() <= 100 && first.cancel.len() <= 100 && first.go != first.cancel);
        let others: std::collections::BTreeSet<_> =
            (0..MOST).map(|_| put(now + Duration::from_secs(1)).go).collect();
        assert_eq!((others.len(), others.contains(&first.go)), (MOST, false));
        assert_eq!(questions.0.lock().unwrap().len(), MOST);
        assert_eq!(questions.press(now, &first.go, user(1), Some(guild(10))), Press::Unknown, "the oldest");
    }
}
