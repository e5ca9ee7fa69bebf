//! Pinned keys.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};
use webpki::EndEntityCert;

const LENGTH: usize = 32;

/// The SHA-256 of a certificate's `SubjectPublicKeyInfo` (RFC 7469 §2.4): one key, whatever certificate it
/// is in.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyPin([u8; LENGTH]);

impl KeyPin {
    /// That of the key in a certificate.
    #[must_use]
    pub fn of(certificate: &EndEntityCert<'_>) -> Self {
        Self(Sha256::digest(certificate.subject_public_key_info()).into())
    }
}

impl FromStr for KeyPin {
    type Err = String;

    /// Takes base64 or hexadecimal digits, these with or without colons, and `sha256/` or `sha256:` before.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = ["sha256//", "sha256/", "sha256:"]
            .iter()
            .find_map(|prefix| text.strip_prefix(prefix))
            .unwrap_or(text);
        let hexadecimal: String = digits.chars().filter(|digit| *digit != ':').collect();
        let bytes = from_hexadecimal(&hexadecimal).or_else(|| from_base64(digits));
        bytes.map(Self).ok_or_else(|| {
            format!(
                "{text:?} is not the SHA-256 of a public key: 64 hexadecimal digits, or 44 of base64"
            )
        })
    }
}

fn from_hexadecimal(digits: &str) -> Option<[u8; LENGTH]> {
    if digits.len() != 2 * LENGTH || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; LENGTH];
    for (byte, position) in bytes.iter_mut().zip((0..digits.len()).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(position..position + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn from_base64(digits: &str) -> Option<[u8; LENGTH]> {
    let bytes = STANDARD.decode(digits).or_else(|_| STANDARD_NO_PAD.decode(digits)).ok()?;
    bytes.try_into().ok()
}

impl fmt::Display for KeyPin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for KeyPin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::tls::test_authority::Authority;

    #[test]
    fn a_pin_is_read_however_the_tools_write_it() {
        let leaf = Authority::new("authority").issue(|_| ());
        let pin = KeyPin::of(&EndEntityCert::try_from(&leaf.certificate).unwrap());
        let base64 = pin.to_string();
        let hexadecimal: Vec<String> = pin.0.iter().map(|byte| format!("{byte:02X}")).collect();
        for text in [
            base64.clone(),
            base64.trim_end_matches('=').to_owned(),
            format!("sha256/{base64}"),
            format!("sha256//{base64}"),
            hexadecimal.concat(),
            hexadecimal.concat().to_lowercase(),
            format!("sha256:{}", hexadecimal.join(":")),
        ] {
            assert_eq!(text.parse(), Ok(pin), "{text}");
        }
    }

    #[test]
    fn what_is_no_hash_of_that_length_is_refused() {
        for text in ["", "sha256/", "ab", &"a".repeat(63), &"g".repeat(64), "sha1/AAAA"] {
            assert!(text.parse::<KeyPin>().is_err(), "{text}");
        }
    }
}
