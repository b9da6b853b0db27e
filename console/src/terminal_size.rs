//! The terminal's size. Terminals without one report 0 × 0 (a pty whose other end has set none, `docker exec`, serial
//! lines), and some report sizes that nobody can have.

/// What is assumed where a terminal reports nothing.
const ASSUMED: (u16, u16) = (80, 24);

/// The largest size that is drawn: more than any screen shows, and little enough to keep two frames of in memory.
const LARGEST: (u16, u16) = (1_000, 400);

/// Columns and rows that can be drawn, for those that a terminal reports.
pub(crate) fn usable(columns: u16, rows: u16) -> (u16, u16) {
    let one = |reported: u16, assumed: u16, largest: u16| match reported {
        0 => assumed,
        reported => reported.min(largest),
    };
    (one(columns, ASSUMED.0, LARGEST.0), one(rows, ASSUMED.1, LARGEST.1))
}

/// The size of this process's terminal.
pub(crate) fn current() -> (u16, u16) {
    let (columns, rows) = crossterm::terminal::size().unwrap_or_default();
    usable(columns, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_is_missing_is_assumed_and_an_absurd_one_is_bounded() {
        for (reported, expected) in [
            ((0, 0), (80, 24)),
            ((0, 50), (80, 50)),
            ((132, 0), (132, 24)),
            ((1, 1), (1, 1)),
            ((120, 40), (120, 40)),
            ((u16::MAX, u16::MAX), LARGEST),
        ] {
            assert_eq!(usable(reported.0, reported.1), expected, "{reported:?}");
        }
    }
}
