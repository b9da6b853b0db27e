//! Files: what people attach to commands and the bot to messages, and the address that serves them (FACTS A6, A9).

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::{FormErrors, Refusal, World};

/// Where files are served, in place of Discord's own host for them.
pub(crate) const PREFIX: &str = "/ephemeral-attachments/";

/// The largest file that a bot attaches without the guild's boosts.
pub const LARGEST: usize = 10 * 1024 * 1024;

/// A file that is served.
#[derive(Debug, Clone)]
pub struct Attached {
    /// Its name.
    pub filename: String,
    /// What it holds.
    pub bytes: Arc<[u8]>,
    /// What its link is signed with.
    key: String,
    /// Whether the link is worth nothing any more.
    pub expired: bool,
}

/// A part of a body of several.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) filename: Option<String>,
    pub(crate) bytes: Vec<u8>,
}

impl World {
    /// Keeps a file, and gives its id.
    pub fn attach(&mut self, filename: &str, bytes: Vec<u8>) -> u64 {
        let (id, key) = (self.id(), self.noise.text(64));
        self.files
            .insert(id, Attached { filename: filename.to_owned(), bytes: bytes.into(), key, expired: false });
        id
    }

    /// A file as Discord tells of it.
    #[must_use]
    pub fn attachment_json(&self, id: u64) -> Option<Value> {
        let file = self.files.get(&id)?;
        let (base, application) = (&self.files_url, self.application);
        let name = percent_encoding::utf8_percent_encode(&file.filename, percent_encoding::NON_ALPHANUMERIC);
        let url = format!("{base}{PREFIX}{application}/{id}/{name}?ex=6a1b2c3d&is=6a19dabd&hm={}", file.key);
        Some(json!({
            "id": id.to_string(), "filename": file.filename, "size": file.bytes.len(),
            "url": url, "proxy_url": url, "content_type": "text/plain; charset=utf-8", "ephemeral": true,
        }))
    }

    /// Serves a file; with what a client did that Discord's own does not.
    pub(crate) fn file(&self, path: &str, query: &str, headers: &HeaderMap) -> (Response, Vec<String>) {
        let mut wrong = Vec::new();
        if headers.contains_key("authorization") {
            wrong.push(format!("GET {PREFIX}…: the bot's token was sent to where files lie"));
        }
        let id =
            path.strip_prefix(PREFIX).and_then(|rest| rest.split('/').nth(1)).and_then(|id| id.parse().ok());
        let file = id.and_then(|id: u64| self.files.get(&id)).filter(|file| {
            !file.expired && query.split('&').any(|pair| pair.strip_prefix("hm=") == Some(&file.key))
        });
        let response = match file {
            Some(file) => {
                let bytes = axum::body::Bytes::copy_from_slice(&file.bytes);
                ([("content-type", "text/plain; charset=utf-8")], bytes).into_response()
            }
            None => (StatusCode::NOT_FOUND, "This content is no longer available.").into_response(),
        };
        (response, wrong)
    }

    /// What a message shows of the files that came with it: each is named by its place among them.
    ///
    /// # Errors
    /// 40005 for a file that is too large, 50035 for one that is not there.
    pub(crate) fn attach_all(&mut self, body: &Value, files: &[Part]) -> Result<Option<Value>, Refusal> {
        if body["attachments"].is_null() && files.is_empty() {
            return Ok(None);
        }
        let mut shown = Vec::new();
        for (at, listed) in body["attachments"].as_array().into_iter().flatten().enumerate() {
            let place = listed["id"].as_u64().or_else(|| listed["id"].as_str()?.parse().ok());
            let name = place.map(|place| format!("files[{place}]"));
            let file = files.iter().find(|file| Some(&file.name) == name.as_ref());
            let Some(file) = file else {
                let at = at.to_string();
                let text = "Attachment data for attachment could not be found";
                return Err(FormErrors::one(&["attachments", &at], "ATTACHMENT_NOT_FOUND", text));
            };
            let filename = file.filename.as_deref().unwrap_or_default();
            if file.bytes.len() > LARGEST {
                return Err(Refusal::new(413, 40005, "Request entity too large"));
            }
            if listed["filename"].as_str() != Some(filename) {
                let text = "The part's filename is another one";
                return Err(FormErrors::one(&["attachments", &at.to_string()], "FILENAME", text));
            }
            let id = self.attach(filename, file.bytes.clone());
            shown.extend(self.attachment_json(id));
        }
        if shown.len() < files.len() {
            let text = "A file is named by no attachment";
            return Err(FormErrors::one(&["attachments"], "BASE_TYPE_REQUIRED", text));
        }
        Ok(Some(json!(shown)))
    }
}

/// The parts of a `multipart/form-data` body; nothing where it is none.
pub(crate) fn parts(content_type: &str, body: &[u8]) -> Option<Vec<Part>> {
    let boundary = content_type.strip_prefix("multipart/form-data")?.split(';').find_map(|parameter| {
        parameter.trim().strip_prefix("boundary=").map(|text| text.trim_matches('"').to_owned())
    })?;
    let delimiter = format!("--{boundary}");
    let mut rest = body.strip_prefix(delimiter.as_bytes())?;
    let closing = format!("\r\n{delimiter}");
    let mut found = Vec::new();
    loop {
        if rest == b"--\r\n" || rest == b"--" {
            return Some(found);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let end = position(rest, closing.as_bytes())?;
        found.push(part(&rest[..end])?);
        rest = &rest[end + closing.len()..];
    }
}

fn part(bytes: &[u8]) -> Option<Part> {
    let end = position(bytes, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition").then(|| value.trim())
    })?;
    let quoted = |key: &str| {
        let parameters = disposition.strip_prefix("form-data")?.split("; ");
        let found =
            parameters.filter_map(|parameter| parameter.split_once('=')).find(|(name, _)| *name == key);
        found.map(|(_, value)| value.trim_matches('"').to_owned())
    };
    Some(Part { name: quoted("name")?, filename: quoted("filename"), bytes: bytes[end + 4..].to_vec() })
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_several_parts_is_read_and_a_torn_one_is_none() {
        let kind = "multipart/form-data; boundary=xyz";
        let body = b"--xyz\r\nContent-Disposition: form-data; name=\"payload_json\"\r\n\r\n{}\r\n--xyz\r\nContent-Disposition: form-data; \
            name=\"files[0]\"; filename=\"a.csv\"\r\nContent-Type: text/csv\r\n\r\n1\r\n\r\n2\r\n--xyz--\r\n";
        let found = parts(kind, body).unwrap();
        assert_eq!((found[0].name.as_str(), found[0].bytes.as_slice()), ("payload_json", b"{}".as_slice()));
        assert_eq!(found[1].filename.as_deref(), Some("a.csv"));
        assert_eq!(found[1].bytes, b"1\r\n\r\n2");
        assert!(parts(kind, &body[..body.len() - 8]).is_none());
        assert!(parts("application/json", body).is_none());
    }
}
