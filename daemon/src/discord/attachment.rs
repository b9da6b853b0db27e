//! The files of a command, as Discord sends them.

use super::interaction::unreadable;
use crate::attachment::{Attachment, Link};
use serde_json::Value;
use std::collections::BTreeMap;
use wayhaven_shared::Fault;
use wayhaven_shared::value::Untrusted;

/// The files of a command's `resolved.attachments`.
///
/// # Errors
/// Where one is not what Discord describes.
pub(crate) fn read_all(attachments: &Value) -> Result<BTreeMap<u64, Attachment>, Fault> {
    let wrong = || unreadable("data.resolved.attachments");
    let attachments = match attachments {
        Value::Null => return Ok(BTreeMap::new()),
        attachments => attachments.as_object().ok_or_else(wrong)?,
    };
    let read = |(id, file): (&String, &Value)| {
        let id = id.parse().map_err(|_| wrong())?;
        let name = Untrusted::clipped(file["filename"].as_str().ok_or_else(wrong)?);
        let size = file["size"].as_u64().ok_or_else(wrong)?;
        let link = Link::new(file["url"].as_str().ok_or_else(wrong)?.to_owned());
        Ok((id, Attachment { id, name, size, link }))
    };
    attachments.iter().map(read).collect()
}
