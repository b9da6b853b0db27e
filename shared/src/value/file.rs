//! Files that go with a request, and where they are kept meanwhile.

use super::{Malformed, Untrusted, text_on_the_wire};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The name of a file that goes with a request. On the command line its path, or `-` for standard input: whoever asks
/// reads it, and the daemon never opens it. On Discord it is an attachment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileName(String);

impl FileName {
    /// The longest name, in bytes: as long as a path can be.
    pub const LONGEST: usize = 4_096;

    /// What stands for standard input where a file is read, and for standard output where one is written.
    pub const STANDARD_STREAM: &'static str = "-";

    /// The name as it was given.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// Its last part, for people.
    pub fn shown(&self) -> String {
        let name = self.0.rsplit('/').next().unwrap_or_default();
        Untrusted::clipped(name).line_within(60)
    }
}

impl FromStr for FileName {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text {
            "" => Err(Malformed("the name of a file is not empty".into())),
            text if text.len() > Self::LONGEST => {
                Err(Malformed(format!("the name of a file has at most {} bytes", Self::LONGEST)))
            }
            text if text.contains('\0') => Err(Malformed("the name of a file holds no zero byte".into())),
            text => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.shown())
    }
}

text_on_the_wire!(FileName);

/// The name of a file that is made where the request comes from. On Discord there is no such place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NewFile(FileName);

impl NewFile {
    /// The name as it was given.
    pub fn name(&self) -> &FileName {
        &self.0
    }
}

impl FromStr for NewFile {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        text.parse().map(Self)
    }
}

impl fmt::Display for NewFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// A file that the daemon keeps for a while: 128 random bits, so that nobody else's is guessed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UploadId(u128);

impl UploadId {
    /// The id with these bits.
    pub fn new(bits: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bits))
    }
}

impl FromStr for UploadId {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        id.map(Self).ok_or_else(|| Malformed("an upload's id has 32 hexadecimal digits".into()))
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", self.0)
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever knows it may use it.
        out.write_str("UploadId(…)")
    }
}

text_on_the_wire!(UploadId);

/// A part of a file on the wire: hexadecimal digits, since a frame is JSON.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Chunk(Vec<u8>);

impl Chunk {
    /// The most bytes one has.
    pub const LARGEST: usize = 1024 * 1024;

    /// A chunk of these bytes, of which there may be [`LARGEST`](Self::LARGEST).
    ///
    /// # Errors
    /// Where there are more.
    pub fn new(bytes: Vec<u8>) -> Result<Self, Malformed> {
        match bytes.len() <= Self::LARGEST {
            true => Ok(Self(bytes)),
            false => Err(Malformed(format!("a chunk has at most {} bytes", Self::LARGEST))),
        }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Chunk({} bytes)", self.0.len())
    }
}

impl TryFrom<String> for Chunk {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let byte = |pair: &[u8]| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        };
        let bytes = text.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>();
        Self::new(bytes.ok_or_else(|| Malformed("a chunk is written in pairs of hexadecimal digits".into()))?)
    }
}

impl From<Chunk> for String {
    fn from(chunk: Chunk) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digits = chunk.0.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_over_the_wire_as_they_were_and_never_larger() {
        let chunk = Chunk::new((0..=255).collect()).unwrap();
        let wire = serde_json::to_string(&chunk).unwrap();
        assert_eq!(serde_json::from_str::<Chunk>(&wire).unwrap(), chunk);
        for odd in ["0", "zz", "+1", "0g", "é"] {
            assert!(Chunk::try_from(odd.to_owned()).is_err(), "{odd}");
        }
        assert!(Chunk::new(vec![0; Chunk::LARGEST + 1]).is_err());
        // Twice its size as text, and the envelope around it.
        const { assert!(Chunk::LARGEST * 2 + 4_096 < crate::control::LARGEST_FRAME) };
    }

    #[test]
    fn an_upload_is_named_exactly() {
        let id = UploadId::new([0xab; 16]);
        assert_eq!(id.to_string().parse::<UploadId>().unwrap(), id);
        for odd in ["", "ab", "../../etc/passwd", &"+".repeat(32), &"a".repeat(33)] {
            assert!(odd.parse::<UploadId>().is_err(), "{odd}");
        }
        assert!(!format!("{id:?}").contains("abab"));
    }
}
