use std::fmt;

use md5::Md5;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::Algorithm;

const LONGEST: usize = 32;

/// The value of a digest hash: 16 bytes for MD5, 32 for SHA-256.
#[derive(Clone, Copy)]
pub struct HashValue {
    algorithm: Algorithm,
    /// Bytes past the length of the algorithm are zero.
    bytes: [u8; LONGEST],
}

impl HashValue {
    /// Hashes the concatenation of `parts`.
    #[must_use]
    pub fn of(algorithm: Algorithm, parts: &[&[u8]]) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::of_prefix(algorithm, &hashed::<Sha256>(parts)),
            Algorithm::Md5 => Self::of_prefix(algorithm, &hashed::<Md5>(parts)),
        }
    }

    /// Reads exactly the number of hexadecimal digits that the algorithm has, in either case.
    #[must_use]
    pub fn from_hex(algorithm: Algorithm, digits: &[u8]) -> Option<Self> {
        if digits.len() != algorithm.hash_length() * 2 {
            return None;
        }
        let mut bytes = [0; LONGEST];
        let (pairs, _) = digits.as_chunks::<2>();
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Some(Self { algorithm, bytes })
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
        HexDigits { digits, length: self.algorithm.hash_length() * 2 }
    }

    fn of_prefix(algorithm: Algorithm, value: &[u8]) -> Self {
        let mut bytes = [0; LONGEST];
        for (to, from) in bytes.iter_mut().zip(value) {
            *to = *from;
        }
        Self { algorithm, bytes }
    }
}

impl ConstantTimeEq for HashValue {
    fn ct_eq(&self, other: &Self) -> Choice {
        // The algorithm is public, and its name is what tells MD5 from a SHA-256 that ends in zeros.
        Choice::from(u8::from(self.algorithm == other.algorithm)) & self.bytes.ct_eq(&other.bytes)
    }
}

impl fmt::Debug for HashValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // May be an HA1, which is as good as the password.
        write!(f, "HashValue({}, ..)", self.algorithm)
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
            hex(HashValue::of(Algorithm::Md5, &[b"a", b"bc"])),
            "900150983cd24fb0d6963f7d28e17f72"
        );
        assert_eq!(
            hex(HashValue::of(Algorithm::Sha256, &[b"ab", b"", b"c"])),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn reads_upper_and_lower_case_digits_of_the_right_length() {
        let value = HashValue::from_hex(Algorithm::Md5, b"900150983CD24FB0D6963F7D28E17F72");
        let same = HashValue::of(Algorithm::Md5, &[b"abc"]);
        assert!(bool::from(value.unwrap().ct_eq(&same)));
        assert!(
            HashValue::from_hex(Algorithm::Sha256, b"900150983cd24fb0d6963f7d28e17f72").is_none()
        );
        assert!(HashValue::from_hex(Algorithm::Md5, b"900150983cd24fb0d6963f7d28e17f7").is_none());
        assert!(HashValue::from_hex(Algorithm::Md5, b"900150983cd24fb0d6963f7d28e17f7g").is_none());
        assert!(HashValue::from_hex(Algorithm::Md5, b"").is_none());
    }

    #[test]
    fn values_of_different_algorithms_differ() {
        let md5 = HashValue::from_hex(Algorithm::Md5, &[b'0'; 32]).unwrap();
        let sha = HashValue::from_hex(Algorithm::Sha256, &[b'0'; 64]).unwrap();
        assert!(!bool::from(md5.ct_eq(&sha)));
    }
}
