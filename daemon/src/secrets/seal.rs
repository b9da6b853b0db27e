//! A token under a key, and the lines in which both lie on the disk.
//!
//! ```text
//! wayhaven-key 1 <key id> <key>
//! wayhaven-sealed 1 <key id> <nonce> <ciphertext and tag>
//! ```
//!
//! All in hexadecimal; XChaCha20-Poly1305, whose nonce is long enough to be drawn. What the line is, its version and its
//! key's id are authenticated with it, so that no line stands for another. A key's id comes from the key: a key file
//! that was damaged is known as such.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::fmt;

/// What the two lines begin with: what they are, and the version of their form.
const KEY: &str = "wayhaven-key 1";
const SEALED: &str = "wayhaven-sealed 1";

/// The one thing that is sealed today.
const KIND: &str = "discord-token";

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const ID_BYTES: usize = 4;

/// Which key: the first bytes of a hash of it, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyId(String);

impl fmt::Display for KeyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A key. It is zeroed when it is dropped, and has no `Debug`.
pub(super) struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl Key {
    /// A new one.
    pub(super) fn draw() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    pub(super) fn id(&self) -> KeyId {
        let digest = Sha256::new().chain_update("wayhaven-key-id").chain_update(self.0.as_slice()).finalize();
        KeyId(hex(digest.get(..ID_BYTES).unwrap_or_default()).to_string())
    }

    /// The line of its file.
    pub(super) fn line(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{KEY} {} {}\n", self.id(), hex(self.0.as_slice()).as_str()))
    }

    /// The key in a file; why it holds none.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let words = words(text, KEY)?;
        let [id, bytes] = words.as_slice() else { return Err("it is cut, or holds more than a key".into()) };
        let bytes = unhex(bytes).filter(|bytes| bytes.len() == KEY_BYTES);
        let bytes = bytes.ok_or("what it holds is no key")?;
        let mut key = Self(Zeroizing::new([0; KEY_BYTES]));
        key.0.copy_from_slice(&bytes);
        match key.id().0 == *id {
            true => Ok(key),
            false => Err("the key in it is damaged".into()),
        }
    }

    fn cipher(&self) -> Result<XChaCha20Poly1305, String> {
        XChaCha20Poly1305::new_from_slice(self.0.as_slice()).map_err(|_| "the key has a wrong length".into())
    }

    /// The token's line under this key, with a nonce of its own.
    pub(super) fn seal(&self, token: &SecretString) -> Result<String, String> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|error| format!("there are no random numbers: {error}"))?;
        let payload = Payload { msg: token.expose_secret().as_bytes(), aad: &bound_to(&self.id()) };
        let sealed = self.cipher()?.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| "the token cannot be encrypted")?;
        Ok(format!("{SEALED} {} {} {}\n", self.id(), hex(&nonce).as_str(), hex(&sealed).as_str()))
    }
}

/// What is authenticated beside the token.
fn bound_to(id: &KeyId) -> Vec<u8> {
    format!("{SEALED} {KIND} {id}").into_bytes()
}

/// A token as it lies on the disk.
#[derive(Debug)]
pub(super) struct SealedToken {
    /// The key that opens it.
    pub(super) key: KeyId,
    nonce: [u8; NONCE_BYTES],
    ciphertext: Vec<u8>,
}

impl SealedToken {
    /// The sealed token in a file; why it holds none.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let words = words(text, SEALED)?;
        let [key, nonce, ciphertext] = words.as_slice() else {
            return Err("it is cut, or holds more than a sealed token".into());
        };
        let damaged = || "it is damaged".to_owned();
        let is_id = key.len() == 2 * ID_BYTES && unhex(key).is_some();
        let nonce = unhex(nonce).and_then(|bytes| <[u8; NONCE_BYTES]>::try_from(bytes.as_slice()).ok());
        let ciphertext = unhex(ciphertext).ok_or_else(damaged)?.to_vec();
        let nonce = nonce.filter(|_| is_id).ok_or_else(damaged)?;
        Ok(Self { key: KeyId((*key).to_owned()), nonce, ciphertext })
    }

    /// The token; why this key does not open it.
    pub(super) fn open(&self, key: &Key) -> Result<SecretString, String> {
        let payload = Payload { msg: &self.ciphertext, aad: &bound_to(&self.key) };
        let opened = key.cipher()?.decrypt(&XNonce::from(self.nonce), payload);
        let opened = Zeroizing::new(opened.map_err(|_| "it is damaged, or sealed with another key")?);
        let token = std::str::from_utf8(&opened).map_err(|_| "what it seals is no text")?;
        Ok(SecretString::from(token))
    }
}

/// The words of the one line behind what it begins with.
fn words<'t>(text: &'t str, begin: &str) -> Result<Vec<&'t str>, String> {
    let kind = begin.split(' ').next().unwrap_or_default();
    let line = text.strip_suffix('\n').unwrap_or(text);
    match line.strip_prefix(begin).and_then(|rest| rest.strip_prefix(' ')) {
        Some(rest) if !rest.contains('\n') => Ok(rest.split(' ').collect()),
        _ if line.starts_with(&format!("{kind} ")) && !line.starts_with(&format!("{begin} ")) => {
            Err("it has a form that this version does not know: a newer wayhavend wrote it, or it is damaged"
                .into())
        }
        _ => Err("it is not what wayhavend writes there".into()),
    }
}

fn hex(bytes: &[u8]) -> Zeroizing<String> {
    // Whole before it is filled, so that no smaller copy is left behind.
    let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).unwrap_or_default());
        }
    }
    text
}

fn unhex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    for pair in text.as_bytes().chunks(2) {
        let [high, low] = pair else { return None };
        bytes.push(digit(high)? << 4 | digit(low)?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GGGGGG.s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3c";

    fn token() -> SecretString {
        SecretString::from(TOKEN)
    }

    fn open(line: &str, key: &Key) -> Result<String, String> {
        Ok(SealedToken::read(line)?.open(key)?.expose_secret().to_owned())
    }

    #[test]
    fn a_sealed_token_opens_with_its_key_and_shows_nothing_of_itself() {
        let key = Key::read(&Key::draw().unwrap().line()).unwrap();
        let line = key.seal(&token()).unwrap();
        assert_eq!(open(&line, &key).unwrap(), TOKEN);
        assert_eq!(SealedToken::read(&line).unwrap().key, key.id());
        for part in TOKEN.split('.').chain([TOKEN]) {
            assert!(!line.contains(part) && !line.contains(hex(part.as_bytes()).as_str()), "{line}");
        }
        assert_ne!(key.seal(&token()).unwrap(), line, "each time another nonce");
        let other = Key::draw().unwrap();
        assert_ne!(other.id(), key.id());
        assert!(open(&line, &other).unwrap_err().contains("another key"));
    }

    #[test]
    fn a_sealed_line_with_any_character_changed_or_cut_away_does_not_open() {
        let key = Key::draw().unwrap();
        let line = key.seal(&token()).unwrap();
        let line = line.trim_end();
        for place in 0..line.len() {
            assert!(open(&line[..place], &key).is_err(), "cut at {place}");
            let mut bytes = line.as_bytes().to_vec();
            for other in [b'0', b'7', b'f', b' ', b'\n', b'x'] {
                bytes[place] = other;
                let changed = String::from_utf8(bytes.clone()).unwrap();
                assert!(changed == line || open(&changed, &key).is_err(), "{changed}");
            }
        }
    }

    #[test]
    fn a_key_file_with_any_character_changed_or_cut_away_is_no_key() {
        let key = Key::draw().unwrap();
        let line = key.line();
        let line = line.trim_end();
        for place in 0..line.len() {
            assert!(Key::read(&line[..place]).is_err(), "cut at {place}");
            let mut bytes = line.as_bytes().to_vec();
            bytes[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
            let read = Key::read(std::str::from_utf8(&bytes).unwrap());
            let why = read.err().unwrap();
            assert!(!why.contains(line.rsplit(' ').next().unwrap()), "{why}");
        }
        assert!(Key::read("wayhaven-key 2 00000000 aa").err().unwrap().contains("a newer wayhavend"));
    }
}
