//! Answers with a file.

use super::Answer;
use crate::discord::embed;
use crate::discord::rest::OutgoingFile;
use std::io::Read;
use wayhaven_shared::Fault;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::sync::Exported;
use wayhaven_shared::value::UploadId;

/// Shows a list with its file, to who asked and nobody else; a list that is larger than Discord takes is a fault.
pub(super) async fn give(answer: &Answer, exported: Exported) {
    let Some(id) = exported.file else { return };
    let shown = attach(answer, &exported, id).await;
    answer.daemon.uploads().forget(id);
    if let Err(fault) = shown {
        answer.give(embed::fault_message(&fault)).await;
    }
}

async fn attach(answer: &Answer, exported: &Exported, id: UploadId) -> Result<(), Fault> {
    let (bytes, limit) = (exported.bytes, answer.interaction.attachment_limit);
    if bytes > limit {
        let message = format!("the list has {bytes} bytes, and Discord takes files of {limit} here");
        return Err(Fault::conflict(message)
            .hint("an operator writes it with wayhaven sync export --output FILE on the command line"));
    }
    let mut file = answer.daemon.uploads().open(id)?;
    let read = tokio::task::spawn_blocking(move || {
        let mut held = Vec::new();
        file.read_to_end(&mut held).map(|_| held)
    });
    let held = read.await;
    // Nobody else asks for it, and it is not shown before it is gone.
    answer.daemon.uploads().forget(id);
    let held = held.map_err(|_| Fault::internal("reading the list failed"))?;
    let held = held.map_err(|error| Fault::unavailable(format!("the list cannot be read: {error}")))?;
    let name = format!("bans-{}.{}", exported.guild_id, exported.format.word());
    let Some(application) = answer.daemon.application() else { return Ok(()) };
    let message = embed::message(&exported.report());
    let token = &answer.interaction.token;
    let file = OutgoingFile { name, bytes: held };
    answer.daemon.rest().answer_with(&application, token, message, file).await.map_err(|error| {
        Fault::unavailable(format!("Discord did not take the list: {error}"))
            .hint("an operator writes it with wayhaven sync export --output FILE on the command line")
    })
}
