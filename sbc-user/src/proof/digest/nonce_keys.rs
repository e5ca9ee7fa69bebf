use zeroize::Zeroizing;

/// A secret that nonces are made with, and the number that they name it by.
#[derive(Clone, PartialEq, Eq)]
pub struct NonceKey {
    /// What nonces name it by.
    pub number: u8,
    /// The secret: the keys of all realms are derived from it.
    pub secret: Zeroizing<[u8; 32]>,
}

/// The keys of nonces at some moment: never more than two.
#[derive(Clone, PartialEq, Eq)]
pub struct NonceKeys {
    /// What nonces are made with.
    pub current: NonceKey,
    /// Another that nonces are known by: the one before, or the next when that is near.
    pub beside: Option<NonceKey>,
}

impl NonceKey {
    /// Takes a secret.
    #[must_use]
    pub fn new(number: u8, secret: [u8; 32]) -> Self {
        Self { number, secret: Zeroizing::new(secret) }
    }
}

impl From<NonceKey> for NonceKeys {
    fn from(current: NonceKey) -> Self {
        Self { current, beside: None }
    }
}
