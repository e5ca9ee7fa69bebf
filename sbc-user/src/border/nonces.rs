use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};

/// What makes nonces of the same millisecond differ. The daemon is not to stop for the system's
/// randomness at each challenge: nobody gains by guessing these, since a nonce is authenticated.
#[derive(Debug)]
pub(super) struct Nonces {
    issued: AtomicU32,
    /// A count as it is would tell everybody how many challenges there were.
    secrets: [u32; 2],
}

impl Default for Nonces {
    fn default() -> Self {
        let hasher = RandomState::new();
        #[expect(clippy::cast_possible_truncation, reason = "any 32 bits will do")]
        let secret = |number: u32| hasher.hash_one(number) as u32;
        Self { issued: AtomicU32::new(secret(0)), secrets: [secret(1), secret(2)] }
    }
}

impl Nonces {
    /// No number comes twice among four thousand millions: each step below can be undone.
    pub(super) fn next(&self) -> u32 {
        let [first, second] = self.secrets;
        let mut number = self.issued.fetch_add(1, Ordering::Relaxed);
        for factor in [first, second] {
            number = number.wrapping_mul(factor | 1);
            number ^= number >> 15;
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_are_the_same() {
        let nonces = Nonces::default();
        let different: HashSet<_> = std::iter::repeat_with(|| nonces.next()).take(10_000).collect();
        assert_eq!(different.len(), 10_000);
    }
}
