//! Answers with a file.

use super::{Answer, TOKEN_LIVES};
use crate::discord::embed;
use crate::discord::rest::OutgoingFile;
use std::io::Read;
use wayhaven_shared::Fault;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::sync::Exported;
use wayhaven_shared::value::UploadId;

/// Shows a list with its file, to who asked and nobody else; a list that is larger than Discord takes is a fault.
pub(super) async fn give(answer: &Answer, exported: &Exported) {
    let Some(id) = exported.file else { return };
    let held = read(answer, exported.bytes, id).await;
    // Not shown before it is gone here.
    answer.daemon.uploads().was_brought(id);
    let shown = match held {
        Ok(held) => attach(answer, exported, held).await,
        Err(fault) => Err(fault),
    };
    if let Err(fault) = shown {
        answer.give(embed::fault_message(&fault.hint(OTHERWISE))).await;
    }
}

const OTHERWISE: &str = "an operator writes it with wayhaven sync export --output FILE on the command line";

/// Reads the list, if it can be shown at all.
async fn read(answer: &Answer, bytes: u64, id: UploadId) -> Result<Vec<u8>, Fault> {
    let limit = answer.interaction.attachment_limit;
    if bytes > limit {
        let message = format!("the list has {bytes} bytes, and Discord takes files of {limit} here");
        return Err(Fault::conflict(message));
    }
    // Not in a channel, where others read it.
    if answer.asked.elapsed() >= TOKEN_LIVES {
        return Err(Fault::unavailable("the list took longer than Discord lets an answer be changed"));
    }
    let mut file = answer.daemon.uploads().open(id)?;
    let read = tokio::task::spawn_blocking(move || {
        let mut held = Vec::new();
        file.read_to_end(&mut held).map(|_| held)
    });
    let held = read.await.map_err(|_| Fault::internal("reading the list failed"))?;
    held.map_err(|error| Fault::unavailable(format!("the list cannot be read: {error}")))
}

async fn attach(answer: &Answer, exported: &Exported, bytes: Vec<u8>) -> Result<(), Fault> {
    let Some(application) = answer.daemon.application() else { return Ok(()) };
    let name = format!("bans-{}.{}", exported.guild_id, exported.format.word());
    let message = embed::message(&exported.report());
    let file = OutgoingFile { name, bytes };
    let sent = answer.daemon.rest().answer_with(&application, &answer.interaction.token, message, file).await;
    sent.map_err(|error| Fault::unavailable(format!("Discord did not take the list: {error}")))
}
