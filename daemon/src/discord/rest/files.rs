//! Files that members attach: read from where Discord keeps them, and from nowhere else. Such a request is not counted by
//! Discord, and carries no token of ours.

use super::fault::transport_error;
use super::{CONNECT, Call, Rest, RestError, USER_AGENT};
use crate::attachment::Attachment;
use crate::discord::interaction::InteractionToken;
use crate::discord::routes::Route;
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde_json::{Value, json};
use std::time::Duration;
use wayhaven_shared::{Fault, FaultKind};

/// Where Discord itself is.
const DISCORD: &str = "discord.com";

/// Where it keeps files.
const HOSTS: [&str; 2] = ["cdn.discordapp.com", "media.discordapp.net"];

/// A file that does not come within this is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client without the token.
pub(super) fn client() -> reqwest::Result<Client> {
    Client::builder()
        .user_agent(USER_AGENT)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .timeout(PATIENCE)
        .build()
}

/// A file on its way here.
pub struct Incoming(Response);

impl Incoming {
    /// The next piece of it; nothing at its end.
    ///
    /// # Errors
    /// Where the rest does not come.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let piece = self.0.chunk().await.map_err(|error| lost(&transport_error(&error).to_string()))?;
        Ok(piece.map(Vec::from))
    }
}

/// A file that goes with a message.
#[derive(Clone, Debug)]
pub struct OutgoingFile {
    /// Its name: letters, digits, dots and hyphens.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

impl OutgoingFile {
    /// The body of several parts, and its kind: the message, and the file that it names (FACTS A6).
    pub(super) fn beside(&self, message: Option<&Value>) -> (String, Vec<u8>) {
        let mut message = message.cloned().unwrap_or_else(|| json!({}));
        message["attachments"] = json!([{ "id": "0", "filename": self.name }]);
        let message = message.to_string();
        let holds = |boundary: &str| {
            let there = |bytes: &[u8]| bytes.windows(boundary.len()).any(|part| part == boundary.as_bytes());
            there(&self.bytes) || there(message.as_bytes())
        };
        // What stands between the parts stands in none of them.
        let mut boundary = "wayhaven".to_owned();
        while holds(&boundary) {
            boundary.push('-');
        }
        let mut body = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"payload_json\"\r\n\
             Content-Type: application/json\r\n\r\n{message}\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"files[0]\"; filename=\"{}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n",
            self.name
        )
        .into_bytes();
        body.extend_from_slice(&self.bytes);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        (format!("multipart/form-data; boundary={boundary}"), body)
    }
}

impl Rest {
    /// Fills in the answer of a deferred interaction, with a file.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn answer_with(
        &self,
        application: &str,
        token: &InteractionToken,
        message: Value,
        file: OutgoingFile,
    ) -> Result<(), RestError> {
        let route = Route { template: "PATCH /webhooks/{app}/{token}/messages/@original", major: 0 };
        let path = format!("/webhooks/{application}/{}/messages/@original", token.expose());
        let call = Call { method: Method::PATCH, route, path, body: Some(message), reason: None, bare: true };
        self.send_with(None, call, Some(file)).await.map(drop)
    }

    /// Begins to read a file that a member attached.
    ///
    /// # Errors
    /// Where it does not lie at Discord, or not any more.
    pub async fn file(&self, file: &Attachment) -> Result<Incoming, Fault> {
        let url = Url::parse(file.link.expose()).ok().filter(|url| is_of_discord(url, &self.base));
        let url = url.ok_or_else(|| {
            Fault::denied("the file does not lie at Discord, and nothing else is fetched")
                .hint("attach the file to the command and send it again")
        })?;
        let response =
            self.files.get(url).send().await.map_err(|error| lost(&transport_error(&error).to_string()))?;
        match response.status() {
            StatusCode::OK => Ok(Incoming(response)),
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN | StatusCode::GONE => {
                Err(Fault::not_found("Discord does not give the file any more: its link has expired")
                    .hint("attach the file to the command and send it again"))
            }
            status => Err(lost(&format!("Discord answered {}", status.as_u16()))),
        }
    }
}

fn lost(why: &str) -> Fault {
    Fault::new(FaultKind::Unavailable, format!("the file could not be fetched: {why}"))
        .hint("send the command again in a while")
}

/// Whether a file lies where Discord keeps them; where another place stands in for Discord, there.
fn is_of_discord(url: &Url, base: &str) -> bool {
    let Ok(base) = Url::parse(base) else { return false };
    if !url.username().is_empty() || url.password().is_some() {
        return false;
    }
    match base.host_str() {
        Some(DISCORD) => {
            url.scheme() == "https"
                && url.port().is_none()
                && url.host_str().is_some_and(|host| HOSTS.contains(&host))
        }
        _ => url.origin() == base.origin(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_from_discords_hosts_only() {
        let is = |url: &str, base: &str| is_of_discord(&Url::parse(url).unwrap(), base);
        let discord = "https://discord.com";
        for sound in [
            "https://cdn.discordapp.com/ephemeral-attachments/1/2/a.csv?ex=1",
            "https://media.discordapp.net/x",
        ] {
            assert!(is(sound, discord), "{sound}");
        }
        for other in [
            "http://cdn.discordapp.com/x",
            "https://cdn.discordapp.com:8443/x",
            "https://cdn.discordapp.com.evil.org/x",
            "https://cdn.discordapp.com@evil.org/x",
            "https://user:word@cdn.discordapp.com/x",
            "https://127.0.0.1/x",
            "https://discord.com/x",
            "file:///etc/passwd",
        ] {
            assert!(!is(other, discord), "{other}");
        }
        assert!(is("http://127.0.0.1:80/x", "http://127.0.0.1"));
        assert!(!is("http://127.0.0.1:81/x", "http://127.0.0.1:80"));
        assert!(!is("https://cdn.discordapp.com/x", "http://127.0.0.1:80"));
    }
}
