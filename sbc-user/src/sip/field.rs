use thiserror::Error;

use super::grammar::is_token;

/// Why a header cannot be written: it would end its line and begin another.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FieldError {
    /// The name is not a token.
    #[error("the header name is not a token")]
    Name,
    /// The value holds CR, LF or NUL.
    #[error("the header value holds CR, LF or NUL")]
    Value,
}

/// Appends one header line, whose value is the concatenation of `parts`.
pub(super) fn write(name: &str, parts: &[&[u8]], out: &mut Vec<u8>) -> Result<(), FieldError> {
    if !is_token(name.as_bytes()) {
        return Err(FieldError::Name);
    }
    parts.iter().try_for_each(|part| check_value(part))?;
    let begin = [name.as_bytes(), b": "];
    for part in begin.iter().chain(parts).chain(&[&b"\r\n"[..]]) {
        out.extend_from_slice(part);
    }
    Ok(())
}

pub(super) fn check_value(value: &[u8]) -> Result<(), FieldError> {
    match memchr::memchr3(b'\r', b'\n', 0, value) {
        Some(_) => Err(FieldError::Value),
        None => Ok(()),
    }
}
