//! What a person or a script sees of a reply: a [`Report`](wayhaven_shared::Report) laid out in lines, for the
//! terminal and for the console alike, and the JSON envelope.

pub(crate) mod json;
pub(crate) mod layout;
pub(crate) mod signs;
pub(crate) mod table;
pub(crate) mod terminal;
