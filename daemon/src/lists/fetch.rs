//! Lists that members attach on Discord: fetched into the same place as those that come over the socket.

use super::Lists;
use crate::attachment::Attachment;
use crate::uploads::{Holder, LARGEST, too_large};
use wayhaven_shared::Fault;
use wayhaven_shared::value::{Chunk, UploadId, UserId};

/// Fetches a file, unless it was fetched for this member before: between a preview and its confirmation it stays.
///
/// # Errors
/// Where it is too large, its link is not Discord's or has expired, or it cannot be kept.
pub(super) async fn fetch(lists: &Lists, user: UserId, file: &Attachment) -> Result<UploadId, Fault> {
    let (uploads, holder) = (lists.uploads.clone(), Holder::Member(user));
    if let Some(id) = uploads.copy_for(holder, file.id) {
        return Ok(id);
    }
    if file.size > LARGEST {
        return Err(too_large());
    }
    let id = uploads.begin(holder)?;
    let fetched = bring(lists, holder, id, file).await;
    match &fetched {
        Ok(()) => uploads.is_copy_of(id, file.id),
        Err(_) => uploads.forget(id),
    }
    fetched.map(|()| id)
}

async fn bring(lists: &Lists, holder: Holder, id: UploadId, file: &Attachment) -> Result<(), Fault> {
    let mut incoming = lists.services.rest().file(file).await?;
    let mut offset = 0;
    loop {
        let mut part = Vec::new();
        while part.len() < Chunk::LARGEST / 2
            && let Some(piece) = incoming.next().await?
        {
            part.extend_from_slice(&piece);
        }
        let length = part.len() as u64;
        if length == 0 {
            return Ok(());
        }
        // It says where it is beyond what is kept, whatever was declared.
        let uploads = lists.uploads.clone();
        let keep = move || uploads.append(holder, id, offset, &part);
        let kept = tokio::task::spawn_blocking(keep).await;
        kept.map_err(|_| Fault::internal("keeping the file failed"))??;
        offset += length;
    }
}
