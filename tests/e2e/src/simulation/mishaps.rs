//! What may go wrong with requests, events and the gateway.

/// What goes wrong with requests for bans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Slow,
    Stumbles,
    Page,
    Limited,
    Shared,
    CutBefore,
    CutAfter,
    Reset,
    Hang,
    HangInside,
    Late,
    Outranked,
    NoAccess,
}

/// What goes wrong with events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mishap {
    Lost,
    Twice,
    Delayed,
    EntryFirst,
}

/// What goes wrong with the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Break {
    Drop,
    Reset,
    Reconnect,
    Close,
    Invalid,
    Resumable,
    Malformed,
    UnknownEvent,
    Storm,
}

pub(super) const TROUBLES: [Trouble; 13] = [
    Trouble::Slow,
    Trouble::Stumbles,
    Trouble::Page,
    Trouble::Limited,
    Trouble::Shared,
    Trouble::CutBefore,
    Trouble::CutAfter,
    Trouble::Reset,
    Trouble::Hang,
    Trouble::HangInside,
    Trouble::Late,
    Trouble::Outranked,
    Trouble::NoAccess,
];
pub(super) const MISHAPS: [Mishap; 4] = [Mishap::Lost, Mishap::Twice, Mishap::Delayed, Mishap::EntryFirst];
pub(super) const BREAKS: [Break; 9] = [
    Break::Drop,
    Break::Reset,
    Break::Reconnect,
    Break::Close,
    Break::Invalid,
    Break::Resumable,
    Break::Malformed,
    Break::UnknownEvent,
    Break::Storm,
];
