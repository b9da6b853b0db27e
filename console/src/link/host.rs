//! The name of another machine: `ssh://[user@]host[:port]`.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

/// A machine that ssh reaches. None of its parts can be taken for an option or for a command of a shell's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    user: Option<String>,
    host: String,
    port: Option<NonZeroU16>,
}

impl Host {
    /// What ssh is called with, the command on the other machine included.
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["-T".to_owned()];
        if let Some(port) = self.port {
            arguments.extend(["-p".to_owned(), port.to_string()]);
        }
        let destination = match &self.user {
            Some(user) => format!("{user}@{}", self.host),
            None => self.host.clone(),
        };
        arguments.extend(["--", &destination, "wayhaven", "dial-stdio"].map(str::to_owned));
        arguments
    }
}

impl fmt::Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.iter().flat_map(|user| [user.as_str(), "@"]);
        user.into_iter().try_for_each(|part| out.write_str(part))?;
        match self.host.contains(':') {
            true => write!(out, "[{}]", self.host)?,
            false => out.write_str(&self.host)?,
        }
        self.port.map_or(Ok(()), |port| write!(out, ":{port}"))
    }
}

const MUST: &str = "it must be ssh://HOST, ssh://USER@HOST or ssh://USER@HOST:PORT";

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let must = || MUST.to_owned();
        let rest = text.strip_prefix("ssh://").ok_or_else(must)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        // An IPv6 address stands in brackets, so that its colons are no port's.
        let (host, port) = match place.strip_prefix('[') {
            Some(address) => {
                let (address, after) = address.split_once(']').ok_or_else(must)?;
                address.parse::<std::net::Ipv6Addr>().map_err(|_| must())?;
                (
                    address,
                    after
                        .strip_prefix(':')
                        .map_or_else(|| after.is_empty().then_some(None), |port| Some(Some(port))),
                )
            }
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(Some(port))),
                None => (place, Some(None)),
            },
        };
        let port = port.ok_or_else(must)?;
        let port = match port {
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(port.parse::<NonZeroU16>().map_err(|_| format!("{MUST}, with a port from 1 to 65535"))?)
            }
            Some(_) => return Err(must()),
            None => None,
        };
        let is_address = place.starts_with('[');
        if !(is_address || is_name(host)) || !user.is_none_or(is_name) {
            return Err(format!("{MUST}, in letters, digits, dots, underscores and hyphens"));
        }
        Ok(Self { user: user.map(str::to_owned), host: host.to_owned(), port })
    }
}

/// Nothing that a shell or ssh could understand as more than a name, an option above all.
fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !text.is_empty() && text.len() <= 255 && !text.starts_with('-') && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ssh_is_called_with() {
        for (text, expected) in [
            ("ssh://box", "-T -- box wayhaven dial-stdio"),
            ("ssh://box/", "-T -- box wayhaven dial-stdio"),
            ("ssh://me@box.example:2222", "-T -p 2222 -- me@box.example wayhaven dial-stdio"),
            ("ssh://[::1]", "-T -- ::1 wayhaven dial-stdio"),
            ("ssh://me@[fe80::1]:22", "-T -p 22 -- me@fe80::1 wayhaven dial-stdio"),
        ] {
            let host: Host = text.parse().unwrap();
            assert_eq!(host.arguments().join(" "), expected);
            assert_eq!(format!("ssh://{host}"), text.trim_end_matches('/'));
        }
    }

    #[test]
    fn whatever_could_be_an_option_or_a_command_is_no_host() {
        for text in [
            "box",
            "http://box",
            "ssh://",
            "ssh://-oProxyCommand=touch",
            "ssh://-l@box",
            "ssh://me@-box",
            "ssh://@box",
            "ssh://box:",
            "ssh://box:0",
            "ssh://box:65536",
            "ssh://box:-1",
            "ssh://box:22:22",
            "ssh://box;reboot",
            "ssh://$(reboot)",
            "ssh://a b",
            "ssh://box/path",
            "ssh://me@you@box",
            "ssh://[box]",
            "ssh://[::1",
            "ssh://[::1]22",
            "ssh://[::1%eth0]",
            "ssh://bö",
        ] {
            let refused = text.parse::<Host>().unwrap_err();
            assert!(refused.contains("ssh://USER@HOST"), "{text}: {refused}");
        }
    }
}
