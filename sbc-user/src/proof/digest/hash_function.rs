use std::fmt;

/// A hash function that digests are computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HashFunction {
    /// SHA-512/256 (FIPS 180-4 §5.3.6.2), which is not SHA-512 cut to 256 bits.
    Sha512_256,
    /// SHA-256.
    Sha256,
    /// MD5: broken as a hash, and all that many phones know.
    Md5,
}

impl HashFunction {
    /// All of them, best first.
    pub const ALL: [Self; 3] = [Self::Sha512_256, Self::Sha256, Self::Md5];

    /// The name by which digest algorithms are registered (RFC 7616 §6.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha512_256 => "SHA-512-256",
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    /// Length of a hash value in bytes.
    #[must_use]
    pub const fn hash_length(self) -> usize {
        match self {
            Self::Sha512_256 | Self::Sha256 => 32,
            Self::Md5 => 16,
        }
    }
}

impl fmt::Display for HashFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
