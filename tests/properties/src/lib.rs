//! What has to hold for any bytes that a stranger sends: called by the fuzz targets in `fuzz/`, and by the
//! tests that replay their corpora.
//!
//! Each function returns if its property holds for these bytes, and panics with both sides if it does not.

#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a property that does not hold is told by a panic"
)]

mod differential;
mod digest;
mod framing;
mod identity;
mod relay;
mod rewrite;
mod scanner;

pub use differential::differential;
pub use digest::digest;
pub use framing::framing;
pub use identity::identity;
pub use relay::relay;
pub use rewrite::rewrite;
pub use scanner::scanner;

/// A property, under the name of its fuzz target.
pub type Property = (&'static str, fn(&[u8]));

/// Every property.
pub const ALL: [Property; 7] = [
    ("scanner", scanner),
    ("framing", framing),
    ("rewrite", rewrite),
    ("relay", relay),
    ("digest", digest),
    ("identity", identity),
    ("differential", differential),
];

/// Numbers that depend on the input alone, for choices that a property makes.
struct Choices(u64);

impl Choices {
    /// Begins with a hash of the input (FNV-1a).
    fn of(bytes: &[u8]) -> Self {
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash | 1)
    }

    /// The next number (xorshift).
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Heads or tails.
    fn flip(&mut self) -> bool {
        self.next() & 0x100 != 0
    }
}
