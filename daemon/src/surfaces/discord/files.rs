//! Answers with a file.

use super::{Answer, TOKEN_LIVES};
use crate::discord::rest::OutgoingFile;
use std::io::Read;
use wayhaven_shared::Fault;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::job::{Job, Written};

/// Shows what a job has written, to who asked and nobody else; what is larger than Discord takes is a fault.
pub(super) async fn give(answer: &Answer, job: &Job, written: Written) {
    let held = read(answer, &written).await;
    // Not shown before it is gone here.
    answer.systems.uploads.was_brought(written.file);
    let shown = match held {
        Ok(held) => attach(answer, job, written.name, held).await,
        Err(fault) => Err(fault),
    };
    if let Err(fault) = shown {
        let fault = match job.kind.file_operation() {
            Some(operation) => fault.hint(format!(
                "an operator writes it with wayhaven {operation} --output FILE on the command line"
            )),
            None => fault,
        };
        answer.give(answer.refusal(fault).await).await;
    }
}

/// Reads the file, if it can be shown at all.
async fn read(answer: &Answer, written: &Written) -> Result<Vec<u8>, Fault> {
    let (bytes, limit) = (written.bytes, answer.interaction.attachment_limit);
    if bytes > limit {
        let message = format!("the file has {bytes} bytes, and Discord takes files of {limit} here");
        return Err(Fault::conflict(message));
    }
    // Not in a channel, where others read it.
    if answer.asked.elapsed() >= TOKEN_LIVES {
        return Err(Fault::unavailable("the file took longer than Discord lets an answer be changed"));
    }
    let mut file = answer.systems.uploads.open(written.file)?;
    let read = tokio::task::spawn_blocking(move || {
        let mut held = Vec::new();
        file.read_to_end(&mut held).map(|_| held)
    });
    let held = read.await.map_err(|_| Fault::internal("reading the file failed"))?;
    held.map_err(|error| Fault::unavailable(format!("the file cannot be read: {error}")))
}

async fn attach(answer: &Answer, job: &Job, name: String, bytes: Vec<u8>) -> Result<(), Fault> {
    let Some(application) = answer.systems.services.gateway().application() else { return Ok(()) };
    let message = answer.message(job.report()).await;
    let file = OutgoingFile { name, bytes };
    let sent = answer
        .systems
        .services
        .rest()
        .answer_with(&application, &answer.interaction.token, message, file)
        .await;
    sent.map_err(|error| Fault::unavailable(format!("Discord did not take the file: {error}")))
}
