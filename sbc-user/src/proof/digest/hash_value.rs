use std::fmt;

use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};
use subtle::{Choice, ConstantTimeEq};

use super::{HashFunction, Realm};

const LONGEST: usize = 32;

/// The value of a digest hash: 16 bytes for MD5, 32 for the others.
#[derive(Clone, Copy)]
pub struct HashValue {
    function: HashFunction,
    /// Bytes past the length of the function are zero.
    bytes: [u8; LONGEST],
}

impl HashValue {
    /// Hashes the concatenation of `parts`.
    #[must_use]
    pub fn of(function: HashFunction, parts: &[&[u8]]) -> Self {
        match function {
            HashFunction::Sha512_256 => Self::of_prefix(function, &hashed::<Sha512_256>(parts)),
            HashFunction::Sha256 => Self::of_prefix(function, &hashed::<Sha256>(parts)),
            HashFunction::Md5 => Self::of_prefix(function, &hashed::<Md5>(parts)),
        }
    }

    /// What a client sends instead of its user name (RFC 7616 §3.4.4).
    #[must_use]
    pub fn of_user(function: HashFunction, name: &[u8], realm: &Realm) -> Self {
        Self::of(function, &[name, b":", realm.as_bytes()])
    }

    /// Reads exactly the number of hexadecimal digits that the function has, in either case.
    #[must_use]
    pub fn from_hex(function: HashFunction, digits: &[u8]) -> Option<Self> {
        if digits.len() != function.hash_length() * 2 {
            return None;
        }
        let mut bytes = [0; LONGEST];
        let (pairs, _) = digits.as_chunks::<2>();
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Some(Self { function, bytes })
    }

    /// The lower-case hexadecimal digits (LHEX of RFC 7616 §3.1), as hashed and as sent.
    #[must_use]
    pub fn to_hex(self) -> HexDigits {
        let mut digits = [0; LONGEST * 2];
        let (pairs, _) = digits.as_chunks_mut::<2>();
        for ([high, low], byte) in pairs.iter_mut().zip(self.bytes) {
            *high = digit(byte >> 4);
            *low = digit(byte & 0x0f);
        }
        HexDigits { digits, length: self.function.hash_length() * 2 }
    }

    /// The value itself; bytes past its length are zero.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; LONGEST] {
        &self.bytes
    }

    fn of_prefix(function: HashFunction, value: &[u8]) -> Self {
        let mut bytes = [0; LONGEST];
        for (to, from) in bytes.iter_mut().zip(value) {
            *to = *from;
        }
        Self { function, bytes }
    }
}

impl ConstantTimeEq for HashValue {
    fn ct_eq(&self, other: &Self) -> Choice {
        // The function is public, and its name is what tells MD5 from a SHA-256 that ends in zeros.
        Choice::from(u8::from(self.function == other.function)) & self.bytes.ct_eq(&other.bytes)
    }
}

impl fmt::Debug for HashValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // May be an HA1, which is as good as the password.
        write!(f, "HashValue({}, ..)", self.function)
    }
}

/// The hexadecimal digits of a [`HashValue`], without an allocation.
pub struct HexDigits {
    digits: [u8; LONGEST * 2],
    length: usize,
}

impl HexDigits {
    /// 32 or 64 lower-case digits.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.digits.get(..self.length).unwrap_or(&self.digits)
    }
}

fn hashed<D: Digest>(parts: &[&[u8]]) -> sha2::digest::Output<D> {
    let mut hasher = D::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

fn digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + (nibble - 10) }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(value: HashValue) -> String {
        String::from_utf8(value.to_hex().as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn hashes_the_concatenation_of_the_parts() {
        assert_eq!(
            hex(HashValue::of(HashFunction::Md5, &[b"a", b"bc"])),
            "900150983cd24fb0d6963f7d28e17f72"
        );
        assert_eq!(
            hex(HashValue::of(HashFunction::Sha256, &[b"ab", b"", b"c"])),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        // FIPS 180-4, the example of SHA-512/256.
        assert_eq!(
            hex(HashValue::of(HashFunction::Sha512_256, &[b"a", b"bc"])),
            "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"
        );
    }

    #[test]
    fn reads_upper_and_lower_case_digits_of_the_right_length() {
        let value = HashValue::from_hex(HashFunction::Md5, b"900150983CD24FB0D6963F7D28E17F72");
        let same = HashValue::of(HashFunction::Md5, &[b"abc"]);
        assert!(bool::from(value.unwrap().ct_eq(&same)));
        assert!(
            HashValue::from_hex(HashFunction::Sha256, b"900150983cd24fb0d6963f7d28e17f72")
                .is_none()
        );
        assert!(
            HashValue::from_hex(HashFunction::Md5, b"900150983cd24fb0d6963f7d28e17f7").is_none()
        );
        assert!(
            HashValue::from_hex(HashFunction::Md5, b"900150983cd24fb0d6963f7d28e17f7g").is_none()
        );
        assert!(HashValue::from_hex(HashFunction::Md5, b"").is_none());
    }

    #[test]
    fn values_of_different_algorithms_differ() {
        let md5 = HashValue::from_hex(HashFunction::Md5, &[b'0'; 32]).unwrap();
        let sha = HashValue::from_hex(HashFunction::Sha256, &[b'0'; 64]).unwrap();
        assert!(!bool::from(md5.ct_eq(&sha)));
    }
}
