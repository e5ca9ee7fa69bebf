use std::io::Write as _;
use std::net::IpAddr;

use thiserror::Error;

use super::grammar::is_token;
use super::search::{find, find_control};

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

/// Appends one header line, whose value is the concatenation of `parts`; nothing if it cannot be written.
pub(super) fn write(name: &str, parts: &[&[u8]], out: &mut Vec<u8>) -> Result<(), FieldError> {
    if !is_token(name.as_bytes()) {
        return Err(FieldError::Name);
    }
    let start = out.len();
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    for part in parts {
        out.extend_from_slice(part);
    }
    if let Err(error) = check_value(out.get(start..).unwrap_or_default()) {
        out.truncate(start);
        return Err(error);
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

pub(super) fn check_value(value: &[u8]) -> Result<(), FieldError> {
    // A tab is one too, and allowed; but there are few.
    if find_control(value).is_none() || find([b'\r', b'\n', 0], value).is_none() {
        return Ok(());
    }
    Err(FieldError::Value)
}

/// Appends a number in decimal digits.
pub(super) fn write_number(number: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends an address as it is written in parameters: without brackets.
pub(super) fn write_address(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(address) => {
            for (number, octet) in address.octets().into_iter().enumerate() {
                if number > 0 {
                    out.push(b'.');
                }
                write_number(octet.into(), out);
            }
        }
        IpAddr::V6(address) => {
            // Writing to a `Vec` has no way to fail.
            let _ = write!(out, "{address}");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_and_addresses_are_written_as_the_standard_library_does(
            number in any::<u16>(),
            address in any::<IpAddr>(),
        ) {
            for number in [number, number % 11, 0] {
                let mut out = Vec::new();
                write_number(number, &mut out);
                prop_assert_eq!(out, number.to_string().into_bytes());
            }
            let mut out = Vec::new();
            write_address(address, &mut out);
            prop_assert_eq!(out, address.to_string().into_bytes());
        }
    }
}
