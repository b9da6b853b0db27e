//! What follows how many warnings.

use super::{Malformed, Span, text_on_the_wire};
use crate::operations::action::Action;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What follows when somebody reaches a number of warnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WarningStep {
    warnings: u16,
    action: Action,
    span: Option<Span>,
}

impl WarningStep {
    /// The most warnings a step may stand at.
    pub const HIGHEST: u16 = 100;

    /// At how many warnings.
    pub fn warnings(self) -> u16 {
        self.warnings
    }

    /// What follows.
    pub fn action(self) -> Action {
        self.action
    }

    /// For how long, where it ends by itself.
    pub fn span(self) -> Option<Span> {
        self.span
    }

    /// What follows, for people: `timed out for 1h`.
    pub fn words(self) -> String {
        match self.span {
            Some(span) => format!("{} for {span}", self.action.past()),
            None => self.action.past().to_owned(),
        }
    }
}

fn malformed(what: impl fmt::Display) -> Malformed {
    Malformed(format!(
        "{what}: a step is written like 3:timeout:1h, 5:kick, 6:mute:1d or 7:ban, at 1 to {} warnings",
        WarningStep::HIGHEST
    ))
}

impl FromStr for WarningStep {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut parts = text.trim().splitn(3, ':').map(str::trim);
        let warnings = parts.next().and_then(|count| count.parse::<u16>().ok());
        let warnings = warnings
            .filter(|count| (1..=Self::HIGHEST).contains(count))
            .ok_or_else(|| malformed(format_args!("{text:?} does not begin with a number of warnings")))?;
        let action = parts.next().and_then(Action::from_word);
        let span = parts.next().map(str::parse::<Span>).transpose()?;
        match (action, span) {
            (Some(Action::Timeout), None) => Err(malformed("a timeout needs how long it lasts")),
            (Some(Action::Kick), Some(_)) => Err(malformed("a kick has no length")),
            (Some(action @ (Action::Kick | Action::Mute | Action::Timeout | Action::Ban)), span) => {
                Ok(Self { warnings, action, span })
            }
            _ => Err(malformed(format_args!("{text:?} names no timeout, mute, kick or ban"))),
        }
    }
}

impl fmt::Display for WarningStep {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.warnings, self.action.word())?;
        self.span.map_or(Ok(()), |span| write!(out, ":{span}"))
    }
}

text_on_the_wire!(WarningStep);

/// The steps of a guild, fewest warnings first: `3:timeout:1h,5:kick,7:ban:7d`, or `off` where nothing follows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WarningSteps(Vec<WarningStep>);

impl WarningSteps {
    /// The most steps a guild may have.
    pub const MOST: usize = 10;
    /// The longest text that may be such steps, in characters.
    pub const LONGEST: u16 = 400;

    /// Whether nothing ever follows.
    pub fn is_off(&self) -> bool {
        self.0.is_empty()
    }

    /// The steps, fewest warnings first.
    pub fn iter(&self) -> impl Iterator<Item = WarningStep> + '_ {
        self.0.iter().copied()
    }

    /// The step at exactly so many warnings.
    pub fn at(&self, warnings: u64) -> Option<WarningStep> {
        self.0.iter().copied().find(|step| u64::from(step.warnings) == warnings)
    }

    /// The first step at so many warnings or more.
    pub fn next(&self, warnings: u64) -> Option<WarningStep> {
        self.0.iter().copied().find(|step| u64::from(step.warnings) >= warnings)
    }
}

impl FromStr for WarningSteps {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text.trim() == "off" {
            return Ok(Self::default());
        }
        let mut steps = text.split(',').map(str::parse).collect::<Result<Vec<WarningStep>, _>>()?;
        steps.sort_by_key(|step| step.warnings);
        if steps.len() > Self::MOST {
            return Err(malformed(format_args!("there are more than {} steps", Self::MOST)));
        }
        if let Some(twice) = steps.windows(2).find(|two| two[0].warnings == two[1].warnings) {
            return Err(malformed(format_args!("two steps stand at {} warnings", twice[0].warnings)));
        }
        Ok(Self(steps))
    }
}

impl fmt::Display for WarningSteps {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_off() {
            return out.write_str("off");
        }
        for (place, step) in self.0.iter().enumerate() {
            write!(out, "{}{step}", if place > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

text_on_the_wire!(WarningSteps);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_in_any_order_and_written_fewest_warnings_first() {
        for (text, written) in [
            ("off", "off"),
            (" off ", "off"),
            ("3:timeout:1h,5:kick,7:ban:7d", "3:timeout:1h,5:kick,7:ban:7d"),
            ("7:ban, 3 : timeout : 90m", "3:timeout:1h30m,7:ban"),
            ("100:mute", "100:mute"),
        ] {
            let steps: WarningSteps = text.parse().unwrap();
            assert_eq!(steps.to_string(), written);
            assert_eq!(serde_json::from_value::<WarningSteps>(written.into()).unwrap(), steps);
        }
    }

    #[test]
    fn what_is_no_step_is_refused_on_both_ways_in() {
        let many = (1..=11).map(|at| format!("{at}:kick")).collect::<Vec<_>>().join(",");
        for text in [
            "",
            "on",
            "3",
            "0:kick",
            "101:kick",
            "-1:kick",
            "3:warn",
            "3:unban",
            "3:timeout",
            "3:kick:1h",
            "3:ban:",
            "3:ban:1x",
            "3:ban:1h:2h",
            "3:kick,",
            "3:kick,3:ban",
            "off,3:kick",
            &many,
        ] {
            assert!(text.parse::<WarningSteps>().is_err(), "{text:?}");
            assert!(serde_json::from_value::<WarningSteps>(text.into()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_step_is_reached_at_exactly_its_number() {
        let steps: WarningSteps = "3:timeout:1h,5:kick".parse().unwrap();
        assert_eq!(steps.at(2), None);
        assert_eq!(steps.at(3).map(WarningStep::words).as_deref(), Some("timed out for 1h"));
        assert_eq!(steps.at(4), None);
        assert_eq!(steps.next(4).map(WarningStep::warnings), Some(5));
        assert_eq!(steps.next(6), None);
        assert_eq!(WarningSteps::default().next(1), None);
    }
}
