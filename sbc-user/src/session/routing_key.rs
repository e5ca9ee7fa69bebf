use zeroize::Zeroizing;

/// A secret that routing tokens are sealed with.
#[derive(Clone, PartialEq, Eq)]
pub struct RoutingKey(Zeroizing<[u8; 32]>);

impl RoutingKey {
    /// Takes a key.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Makes one.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut())?;
        Ok(Self(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
