//! Who of this machine's users may do what on the control socket: users and groups, by name or number.

use std::ffi::OsStr;
use std::fmt;
use uzers::{get_group_by_name, get_user_by_name};

/// The settings of the control socket.
#[derive(Clone, Debug, Default)]
pub struct ControlSettings {
    /// Who may do there what an administrator of every guild may.
    pub operators: Vec<Principal>,
    /// Who may read there.
    pub observers: Vec<Principal>,
    /// The group that the socket is given to.
    pub group: Option<Group>,
}

/// A user or a group of this machine, by number; the name is looked up once, when the settings are read, so that
/// whoever takes the name afterwards is nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A user's id.
    User(u32),
    /// A group's id.
    Group(u32),
}

impl Principal {
    /// Reads `user:NAME` or `group:NAME`, where a name may be a number.
    ///
    /// # Errors
    /// What it must be, or that this machine knows no such user or group.
    pub fn read(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("user", name)) => user(name).map(Self::User),
            Some(("group", name)) => group(name).map(Self::Group),
            _ => Err("it must be user:NAME, user:UID, group:NAME or group:GID".to_owned()),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(out, "user:{id}"),
            Self::Group(id) => write!(out, "group:{id}"),
        }
    }
}

/// A group as somebody named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its number.
    pub id: u32,
    /// Its name, or its number again.
    pub name: String,
}

impl Group {
    /// Reads a group's name or number.
    ///
    /// # Errors
    /// This machine knows no such group.
    pub fn read(text: &str) -> Result<Self, String> {
        group(text).map(|id| Self { id, name: text.to_owned() })
    }
}

/// A number needs no entry in the machine's lists: a container often has none. All ones is how the system says *none*.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| digits && *id != u32::MAX)
}

fn user(name: &str) -> Result<u32, String> {
    let found = || get_user_by_name(OsStr::new(name)).map(|user| user.uid());
    number(name)
        .or_else(found)
        .ok_or_else(|| "this machine has no such user: getent passwd lists those that it has".to_owned())
}

fn group(name: &str) -> Result<u32, String> {
    let found = || get_group_by_name(OsStr::new(name)).map(|group| group.gid());
    number(name)
        .or_else(found)
        .ok_or_else(|| "this machine has no such group: getent group lists those that it has".to_owned())
}
