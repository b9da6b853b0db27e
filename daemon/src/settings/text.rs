//! The text of a file that an operator wrote, in whatever way their editor stores it: UTF-8 with or without a byte order
//! mark. UTF-16 is refused by its name, since "not valid UTF-8" would not tell anybody what to do.

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Where the text begins: behind a byte order mark.
///
/// # Errors
/// Why the bytes are no text, to stand behind the file's name.
pub(crate) fn start(bytes: &[u8]) -> Result<usize, &'static str> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) || bytes.contains(&0) {
        return Err("is stored as UTF-16, or is no text: store it as UTF-8");
    }
    match std::str::from_utf8(bytes) {
        Ok(_) if bytes.starts_with(BYTE_ORDER_MARK) => Ok(BYTE_ORDER_MARK.len()),
        Ok(_) => Ok(0),
        Err(_) => Err("is not stored as UTF-8: store it as UTF-8"),
    }
}

/// The bytes as text, without a byte order mark.
///
/// # Errors
/// Like [`start`].
pub(crate) fn decode(bytes: Vec<u8>) -> Result<String, &'static str> {
    let start = start(&bytes)?;
    // The same memory: no copy of a secret stays behind.
    let mut text = String::from_utf8(bytes).map_err(|_| "is not stored as UTF-8: store it as UTF-8")?;
    text.drain(..start);
    Ok(text)
}
