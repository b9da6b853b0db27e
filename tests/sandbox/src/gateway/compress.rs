//! Three ways to write a payload: plain text, each a zlib blob of its own (identify's `compress`), or one zlib
//! stream for the whole connection (`compress=zlib-stream`).

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compress, Compression, FlushCompress};
use tokio_tungstenite::tungstenite::Message;

/// Shorter payloads stay text even when a client takes blobs, as Discord's do.
const WORTH_COMPRESSING: usize = 1_024;

/// How a connection writes.
pub(crate) enum Writing {
    Plain,
    Blobs,
    Stream(Box<Compress>),
}

impl Writing {
    /// A stream that starts now.
    pub(crate) fn stream() -> Self {
        Self::Stream(Box::new(Compress::new(Compression::fast(), true)))
    }

    /// The frame that carries a payload; where each may be a blob, short ones are only if asked for.
    pub(crate) fn frame(&mut self, payload: &str, short_too: bool) -> std::io::Result<Message> {
        match self {
            Self::Plain => Ok(Message::Text(payload.to_owned())),
            Self::Blobs if payload.len() < WORTH_COMPRESSING && !short_too => {
                Ok(Message::Text(payload.to_owned()))
            }
            Self::Blobs => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(payload.as_bytes())?;
                Ok(Message::Binary(encoder.finish()?))
            }
            Self::Stream(context) => flushed(context, payload.as_bytes()).map(Message::Binary),
        }
    }
}

/// Adds to the stream and flushes, so that what was written ends in 00 00 FF FF.
fn flushed(context: &mut Compress, mut input: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut output = Vec::with_capacity(input.len() / 2 + 64);
    loop {
        let (before_in, before_out) = (context.total_in(), context.total_out());
        output.reserve(1_024);
        context.compress_vec(input, &mut output, FlushCompress::Sync).map_err(std::io::Error::other)?;
        let consumed = usize::try_from(context.total_in() - before_in).unwrap_or(input.len());
        input = &input[consumed.min(input.len())..];
        // Room left over means that the flush is complete.
        if input.is_empty() && output.len() < output.capacity() {
            return Ok(output);
        }
        if context.total_out() == before_out && consumed == 0 {
            return Ok(output);
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Decompress, FlushDecompress};

    use super::*;

    #[test]
    fn a_stream_inflates_payload_by_payload() {
        let mut writing = Writing::stream();
        let mut inflate = Decompress::new(true);
        for size in [10, 5_000, 200_000] {
            let text: String = (0..size).map(|at| char::from(b'a' + (at * 7 % 26) as u8)).collect();
            let Message::Binary(bytes) = writing.frame(&text, false).unwrap() else {
                panic!("no binary frame")
            };
            assert!(bytes.ends_with(&[0, 0, 0xFF, 0xFF]));
            let mut out = Vec::with_capacity(size + 16);
            inflate.decompress_vec(&bytes, &mut out, FlushDecompress::Sync).unwrap();
            assert_eq!(out, text.as_bytes());
        }
    }
}
