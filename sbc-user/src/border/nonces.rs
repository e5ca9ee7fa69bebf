use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// What makes nonces of the same millisecond and source differ. The daemon is not to stop for the system's
/// randomness at each challenge: nobody gains by guessing these, since a nonce is authenticated.
#[derive(Debug, Default)]
pub(super) struct Nonces {
    issued: AtomicU64,
    /// A count as it is would tell everybody how many challenges there were.
    hasher: RandomState,
}

impl Nonces {
    pub(super) fn next(&self) -> [u8; 8] {
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        self.hasher.hash_one(number).to_ne_bytes()
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
