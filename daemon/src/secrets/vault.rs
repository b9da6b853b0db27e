//! The sealed token and its key on the disk.
//!
//! A rotation writes the next key beside the key, seals the token with it, and gives the next key the key's name. Each
//! of these is whole or not there, and the token names its key: whichever of the two files has that key opens it, so
//! that nothing is lost wherever it is interrupted. Whoever comes next finishes it, or drops it where the token was not
//! sealed anew yet.

use super::files;
use super::seal::{Key, KeyId, SealedToken};
use crate::disk;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use wayhaven_shared::paths::Layout;
use wayhaven_shared::{Fault, FaultKind};

/// How often the files are read where somebody may be changing them meanwhile.
const TRIES: usize = 3;

/// Where the token lies sealed.
#[derive(Clone, Debug)]
pub struct Vault {
    token: PathBuf,
    key: PathBuf,
    next: PathBuf,
}

/// What sealing a token has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The file that holds the token now.
    pub token: PathBuf,
    /// The file that holds the key.
    pub key: PathBuf,
    /// Whether the key was made for it.
    pub new_key: bool,
}

/// What a rotation has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The key's id before it.
    pub before: String,
    /// And now.
    pub now: String,
}

impl Vault {
    /// That of this layout.
    pub fn of(layout: &Layout) -> Self {
        Self { token: layout.sealed_token(), key: layout.seal_key(), next: layout.next_seal_key() }
    }

    /// The file that holds the token.
    pub fn token(&self) -> &Path {
        &self.token
    }

    /// The token; nothing where none is sealed.
    ///
    /// # Errors
    /// There is one, and it does not open.
    pub fn open(&self) -> Result<Option<SecretString>, Fault> {
        let mut tried = 0;
        loop {
            // The token first: a rotation that ends meanwhile takes away the key that it names.
            let Some(sealed) = self.sealed()? else { return Ok(None) };
            match self.key_of(&sealed.key) {
                Ok(key) => return sealed.open(&key).map(Some).map_err(|why| self.unopened(&why)),
                Err(why) if tried + 1 >= TRIES => return Err(self.unopened(&why)),
                Err(_) => tried += 1,
            }
        }
    }

    /// Seals a token in the place of what is sealed, and makes the key where there is none.
    ///
    /// # Errors
    /// Somebody else is at it, or a file cannot be written.
    pub fn set(&self, token: &SecretString) -> Result<Sealed, Fault> {
        let _lock = self.lock()?;
        self.settle_locked()?;
        let (key, new_key) = match read_key(&self.key) {
            Ok(Some(key)) => (key, false),
            // Nothing opens with a key that cannot be read: what it sealed is lost already.
            Ok(None) | Err(_) => (draw()?, true),
        };
        if new_key {
            files::replace(&self.key, &key.line()).map_err(|error| unwritten(&self.key, &error))?;
        }
        self.seal(token, &key)?;
        Ok(Sealed { token: self.token.clone(), key: self.key.clone(), new_key })
    }

    /// Seals the token with a new key.
    ///
    /// # Errors
    /// No token is sealed, or it does not open; somebody else is at it; or a file cannot be written.
    pub fn rotate(&self) -> Result<Rotated, Fault> {
        let _lock = self.lock()?;
        self.settle_locked()?;
        let token = self.open()?.ok_or_else(|| {
            Fault::not_found(format!("no token is sealed: {} is not there", self.token.display()))
                .hint("wayhavend token set seals one")
        })?;
        let before = self.sealed()?.map(|sealed| sealed.key);
        let mut next = draw()?;
        while Some(next.id()) == before {
            next = draw()?;
        }
        files::replace(&self.next, &next.line()).map_err(|error| unwritten(&self.next, &error))?;
        self.seal(&token, &next)?;
        files::rename(&self.next, &self.key).map_err(|error| unwritten(&self.key, &error))?;
        let before = before.map_or_else(String::new, |id| id.to_string());
        Ok(Rotated { before, now: next.id().to_string() })
    }

    /// Finishes a rotation that was interrupted, or drops what it left. Where somebody is at it now, it is theirs.
    ///
    /// # Errors
    /// A file cannot be read, renamed or removed.
    pub fn settle(&self) -> Result<(), Fault> {
        if !self.is_left_over()? {
            return Ok(());
        }
        match self.lock() {
            Ok(_lock) => self.settle_locked(),
            Err(fault) if fault.kind == FaultKind::Conflict => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    fn is_left_over(&self) -> Result<bool, Fault> {
        let drafts = [&self.token, &self.key, &self.next].map(|path| files::draft_of(path));
        for path in drafts.iter().chain([&self.next]) {
            if path.try_exists().map_err(|error| unread(path, &error))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn settle_locked(&self) -> Result<(), Fault> {
        let next = read_key(&self.next);
        if !matches!(next, Ok(None)) {
            let sealed = self.sealed();
            let names = |key: &Result<Option<Key>, Fault>| match (&sealed, key) {
                (Ok(Some(sealed)), Ok(Some(key))) => sealed.key == key.id(),
                _ => false,
            };
            if names(&next) {
                files::rename(&self.next, &self.key).map_err(|error| unwritten(&self.key, &error))?;
            } else if matches!(sealed, Ok(None)) || names(&read_key(&self.key)) {
                files::remove(&self.next).map_err(|error| unwritten(&self.next, &error))?;
            }
            // Otherwise nobody knows what the next key is good for, and it stays.
        }
        for path in [&self.token, &self.key, &self.next] {
            let draft = files::draft_of(path);
            files::remove(&draft).map_err(|error| unwritten(&draft, &error))?;
        }
        Ok(())
    }

    fn seal(&self, token: &SecretString, key: &Key) -> Result<(), Fault> {
        let line = key.seal(token).map_err(Fault::internal)?;
        files::replace(&self.token, &line).map_err(|error| unwritten(&self.token, &error))
    }

    fn sealed(&self) -> Result<Option<SealedToken>, Fault> {
        let Some(text) = read(&self.token)? else { return Ok(None) };
        SealedToken::read(&text).map(Some).map_err(|why| self.unopened(&why))
    }

    /// The key with this id, from whichever file has it; why neither has.
    fn key_of(&self, id: &KeyId) -> Result<Key, String> {
        let mut why = Vec::new();
        for path in [&self.key, &self.next] {
            match read_key(path) {
                Ok(Some(key)) if key.id() == *id => return Ok(key),
                Ok(Some(key)) => why.push(format!("{} holds the key {}", path.display(), key.id())),
                Ok(None) if *path == self.key => why.push(format!("{} is not there", path.display())),
                Ok(None) => {}
                Err(fault) => why.push(fault.message),
            }
        }
        Err(format!("it is sealed with the key {id}, and {}", why.join(", ")))
    }

    fn unopened(&self, why: &str) -> Fault {
        let message = format!("the sealed token {} does not open: {why}", self.token.display());
        Fault::new(FaultKind::Verification, message)
            .hint("wayhavend token set seals the bot's token anew")
            .hint(format!(
                "or put both files back as they were: {} and {}",
                self.token.display(),
                self.key.display()
            ))
    }

    /// Keeps other writers away, for as long as it is held.
    fn lock(&self) -> Result<File, Fault> {
        for path in [&self.token, &self.key] {
            let Some(directory) = path.parent() else { continue };
            files::make_directory(directory).map_err(|error| unwritten(directory, &error))?;
        }
        let directory = self.key.parent().unwrap_or(Path::new("."));
        let lock = File::open(directory).map_err(|error| unread(directory, &error))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => {
                Err(Fault::conflict("another wayhavend is changing the sealed token at this moment")
                    .hint("try again when it is done"))
            }
            Err(TryLockError::Error(error)) => Err(unread(directory, &error)),
        }
    }
}

fn draw() -> Result<Key, Fault> {
    Key::draw().map_err(|error| Fault::unavailable(format!("there are no random numbers: {error}")))
}

fn read_key(path: &Path) -> Result<Option<Key>, Fault> {
    let Some(text) = read(path)? else { return Ok(None) };
    let key = Key::read(&text).map_err(|why| {
        Fault::new(FaultKind::Verification, format!("{} cannot be used: {why}", path.display()))
    })?;
    Ok(Some(key))
}

fn read(path: &Path) -> Result<Option<Zeroizing<String>>, Fault> {
    match std::fs::read(path).map(Zeroizing::new) {
        Ok(bytes) => Ok(Some(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unread(path, &error)),
    }
}

fn unread(path: &Path, error: &io::Error) -> Fault {
    Fault::unavailable(format!("{} cannot be read: {error}", path.display()))
        .hint("the daemon's user must own it; run this as that user")
}

fn unwritten(path: &Path, error: &io::Error) -> Fault {
    disk::fault(path, "cannot be written", error)
        .hint("run this as the daemon's user; what was sealed before still is")
}

#[cfg(test)]
mod tests;
