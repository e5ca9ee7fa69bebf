use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::cipher::Cipher;
use super::registration::MARK_LENGTH;
use super::{DatedKey, KeyRing, Registrant, RoutingKey};

/// The routing keys at some moment.
pub(super) struct Keys {
    pub(super) current: DatedKey,
    /// What others have sealed is accepted too.
    pub(super) others: Vec<DatedKey>,
    /// What these have sealed was accepted once.
    pub(super) retired: Vec<DatedKey>,
}

impl Keys {
    pub(super) fn of(ring: &KeyRing, now: u64) -> Option<Self> {
        let current = ring.current(now)?.clone();
        let others = ring.keys().iter().filter(|key| key.number != current.number).cloned();
        let (others, retired) = others.partition(|key| ring.accepts(key, now));
        Some(Self { current, others, retired })
    }

    pub(super) fn accepted(&self) -> impl Iterator<Item = &DatedKey> {
        std::iter::once(&self.current).chain(&self.others)
    }
}

pub(super) fn seal_with(key: &DatedKey, headers: &[&[u8]], bytes: &[u8]) -> Option<String> {
    let sealed = cipher(&key.key).encrypt(headers, bytes)?;
    Some(URL_SAFE_NO_PAD.encode([&[key.number][..], &sealed].concat()))
}

/// Yields the number of the key too.
pub(super) fn open_with<'k>(
    keys: impl IntoIterator<Item = &'k DatedKey>,
    headers: &[&[u8]],
    token: &[u8],
) -> Option<(u8, Vec<u8>)> {
    let decoded = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (number, sealed) = decoded.split_first()?;
    let key = keys.into_iter().find(|key| key.number == *number)?;
    Some((*number, cipher(&key.key).decrypt(headers, sealed)?))
}

fn cipher(key: &RoutingKey) -> Cipher {
    Cipher::new(key.bytes())
}

/// What stands for a registrant in a token: its name would make the token as long as that is.
pub(super) fn mark(key: &RoutingKey, registrant: Registrant<'_>) -> [u8; MARK_LENGTH] {
    let headers: [&[u8]; 2] = match registrant {
        Registrant::User(name) => [b"user", name.as_bytes()],
        Registrant::Peer(name) => [b"peer", name.as_bytes()],
    };
    let sealed = cipher(key).encrypt(&headers, b"").unwrap_or_default();
    sealed.first_chunk().copied().unwrap_or_default()
}
