use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sbc_common::SipHash;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::cipher::Cipher;
use super::registration::MARK_LENGTH;
use super::{DatedKey, KeyRing, Registrant};

/// What the keys of tags, of loop marks and of registrants' marks are derived for.
const TAGS: &[u8] = b"sbc own tag 2";
const LOOPS: &[u8] = b"sbc loop mark 2";
const REGISTRANTS: &[u8] = b"sbc registrant 1";
const HMAC_BLOCK: usize = 64;
const SIPHASH_KEY: usize = 16;

/// The routing keys at some moment.
pub(super) struct Keys {
    pub(super) current: ReadyKey,
    /// What others have sealed is accepted too.
    others: Vec<ReadyKey>,
    /// What these have sealed was accepted once.
    pub(super) retired: Vec<ReadyKey>,
    /// Makes tags.
    pub(super) tags: Zeroizing<[u8; SIPHASH_KEY]>,
    /// Makes loop marks. They are part of branches, and so change with these.
    pub(super) loops: Zeroizing<[u8; SIPHASH_KEY]>,
}

/// A routing key that can be used at once.
pub(super) struct ReadyKey {
    pub(super) number: u8,
    cipher: Cipher,
    /// Makes the marks of registrants.
    registrants: Zeroizing<[u8; SIPHASH_KEY]>,
}

impl Keys {
    pub(super) fn of(ring: &KeyRing, now: u64) -> Option<Self> {
        let current = ring.current(now)?;
        let others = ring.keys().iter().filter(|key| key.number != current.number).cloned();
        let (others, retired): (Vec<_>, Vec<_>) = others.partition(|key| ring.accepts(key, now));
        Some(Self::new(current, &others, &retired))
    }

    pub(super) fn new(current: &DatedKey, others: &[DatedKey], retired: &[DatedKey]) -> Self {
        let (tags, loops) = (derived(current, TAGS), derived(current, LOOPS));
        let all = |keys: &[DatedKey]| keys.iter().map(ReadyKey::of).collect();
        let (others, retired) = (all(others), all(retired));
        Self { current: ReadyKey::of(current), others, retired, tags, loops }
    }

    pub(super) fn accepted(&self) -> impl Iterator<Item = &ReadyKey> {
        std::iter::once(&self.current).chain(&self.others)
    }
}

impl ReadyKey {
    fn of(key: &DatedKey) -> Self {
        Self {
            number: key.number,
            cipher: Cipher::new(key.key.bytes()),
            registrants: derived(key, REGISTRANTS),
        }
    }
}

pub(super) fn seal_with(key: &ReadyKey, headers: &[&[u8]], bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(key.cipher.encrypt(headers, bytes, &[key.number]))
}

/// Yields the number of the key too.
pub(super) fn open_with<'k>(
    keys: impl IntoIterator<Item = &'k ReadyKey>,
    headers: &[&[u8]],
    token: &[u8],
) -> Option<(u8, Vec<u8>)> {
    let mut decoded = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (number, sealed) = decoded.split_first_mut()?;
    let (number, length) = (*number, sealed.len());
    let key = keys.into_iter().find(|key| key.number == number)?;
    let opened = key.cipher.decrypt(headers, sealed)?.len();
    decoded.drain(..1 + length - opened);
    Some((number, decoded))
}

pub(super) fn keyed(key: &[u8]) -> Hmac<Sha256> {
    let mut padded = Zeroizing::new([0; HMAC_BLOCK]);
    for (to, from) in padded.iter_mut().zip(key) {
        *to = *from;
    }
    Hmac::new((&*padded).into())
}

/// What stands for a registrant in a token: its name would make the token as long as that is.
pub(super) fn mark(key: &ReadyKey, registrant: Registrant<'_>) -> [u8; MARK_LENGTH] {
    let (kind, name): (&[u8], &str) = match registrant {
        Registrant::User(name) => (b"user\0", name),
        Registrant::Peer(name) => (b"peer\0", name),
    };
    let mut mac = SipHash::new(&key.registrants);
    mac.update(kind);
    mac.update(name.as_bytes());
    mac.finish().first_chunk().copied().unwrap_or_default()
}

fn derived(key: &DatedKey, purpose: &[u8]) -> Zeroizing<[u8; SIPHASH_KEY]> {
    let mut mac = keyed(key.key.bytes());
    mac.update(purpose);
    let mut derived = Zeroizing::new([0; SIPHASH_KEY]);
    for (to, from) in derived.iter_mut().zip(mac.finalize().into_bytes()) {
        *to = from;
    }
    derived
}
