use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sbc_common::SipHash;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Realm, UnixMillis};

/// Length of a nonce in characters: base64url of 8 bytes time, 8 bytes randomness, 16 bytes MAC.
pub const NONCE_LENGTH: usize = 43;

/// Separates these MACs from whatever else the key may ever be used for.
const PURPOSE: &[u8] = b"sbc digest nonce 3";

const TIME_LENGTH: usize = 8;
const RANDOM_LENGTH: usize = 8;
const MAC_LENGTH: usize = 16;
const DECODED_LENGTH: usize = TIME_LENGTH + RANDOM_LENGTH + MAC_LENGTH;
const HMAC_BLOCK: usize = 64;
const MAC_KEY_LENGTH: usize = 16;

/// Issues nonces and recognizes its own, without remembering any.
///
/// A nonce is base64url(time | random | MAC), where time is the 64-bit big-endian number of
/// milliseconds since the Unix epoch and MAC is `SipHash-2-4` of 128 bits over time, random and source
/// address (16 bytes, IPv4 mapped), with a key of the realm's own.
pub struct NonceMint {
    /// Derived for the purpose and the realm.
    key: Zeroizing<[u8; MAC_KEY_LENGTH]>,
    lifetime: Duration,
    realm: Realm,
}

/// What a nonce is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum NonceState {
    /// Ours, for this source and realm, and within its lifetime.
    Fresh(FreshNonce),
    /// Ours, for this source and realm, but too old.
    Expired,
    /// Not issued by us, or to another source, or for another realm, or more than a day ago: since then the
    /// address may have become somebody else's.
    NotOurs,
}

/// For how long a nonce is known to have been ours.
const MEMORY: Duration = Duration::from_hours(24);

/// A nonce that may be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreshNonce {
    /// Which one it is.
    pub id: NonceId,
    /// When it was issued.
    pub issued: UnixMillis,
}

/// Tells nonces apart: the MAC, which nobody without the key can choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NonceId([u8; MAC_LENGTH]);

impl NonceMint {
    /// Makes a mint whose nonces are good for `lifetime`.
    #[must_use]
    pub fn new(key: &Zeroizing<[u8; 32]>, lifetime: Duration, realm: Realm) -> Self {
        let mut derived = keyed(key.as_slice());
        derived.update(PURPOSE);
        derived.update(realm.as_bytes());
        let mut key = Zeroizing::new([0; MAC_KEY_LENGTH]);
        for (to, from) in key.iter_mut().zip(derived.finalize().into_bytes()) {
            *to = from;
        }
        Self { key, lifetime, realm }
    }

    /// Issues a nonce to `source`, in ASCII.
    ///
    /// `random` makes nonces of the same millisecond differ. It need not be secret.
    #[must_use]
    pub fn nonce(
        &self,
        now: UnixMillis,
        random: [u8; RANDOM_LENGTH],
        source: IpAddr,
    ) -> [u8; NONCE_LENGTH] {
        let time = now.0.to_be_bytes();
        let mac = self.mac(time, random, source);
        let mut bytes = [0; DECODED_LENGTH];
        for (to, from) in bytes.iter_mut().zip(time.into_iter().chain(random).chain(mac)) {
            *to = from;
        }
        let mut nonce = [0; NONCE_LENGTH];
        // It is as long as what is written.
        let _ = BASE64_URL_SAFE_NO_PAD.encode_slice(bytes, &mut nonce);
        nonce
    }

    /// Says whether `nonce` is one that was issued to `source`, and still is good.
    pub fn check(&self, nonce: &[u8], source: IpAddr, now: UnixMillis) -> NonceState {
        let Some(received) = Decoded::read(nonce) else {
            return NonceState::NotOurs;
        };
        let mac = self.mac(received.time, received.random, source);
        if !bool::from(mac.ct_eq(&received.mac)) {
            return NonceState::NotOurs;
        }
        let issued = UnixMillis(u64::from_be_bytes(received.time));
        let age = now.saturating_since(issued);
        if age >= self.lifetime.max(MEMORY) {
            return NonceState::NotOurs;
        }
        if age >= self.lifetime {
            return NonceState::Expired;
        }
        NonceState::Fresh(FreshNonce { id: NonceId(mac), issued })
    }

    /// How long a nonce is good for.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// The realm of its nonces.
    #[must_use]
    pub fn realm(&self) -> &Realm {
        &self.realm
    }

    fn mac(
        &self,
        time: [u8; TIME_LENGTH],
        random: [u8; RANDOM_LENGTH],
        source: IpAddr,
    ) -> [u8; MAC_LENGTH] {
        let mut mac = SipHash::new(&self.key);
        mac.update(&time);
        mac.update(&random);
        mac.update(&mapped(source).octets());
        mac.finish()
    }
}

/// HMAC with a key that is padded with zeros to its block, which makes no difference (RFC 2104 §2).
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    let mut padded = Zeroizing::new([0; HMAC_BLOCK]);
    for (to, from) in padded.iter_mut().zip(key) {
        *to = *from;
    }
    Hmac::new((&*padded).into())
}

impl fmt::Debug for NonceMint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NonceMint")
            .field("lifetime", &self.lifetime)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

struct Decoded {
    time: [u8; TIME_LENGTH],
    random: [u8; RANDOM_LENGTH],
    mac: [u8; MAC_LENGTH],
}

impl Decoded {
    /// Each nonce has one spelling: the decoder refuses padding and stray bits at the end.
    fn read(nonce: &[u8]) -> Option<Self> {
        if nonce.len() != NONCE_LENGTH {
            return None;
        }
        // One byte more than is decoded, since the decoder wants room for its estimate.
        let mut bytes = [0; DECODED_LENGTH + 1];
        BASE64_URL_SAFE_NO_PAD.decode_slice(nonce, &mut bytes).ok()?;
        let (time, rest) = bytes.split_first_chunk()?;
        let (random, rest) = rest.split_first_chunk()?;
        Some(Self { time: *time, random: *random, mac: *rest.first_chunk()? })
    }
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

#[cfg(test)]
impl NonceMint {
    pub(crate) fn issue(&self, now: UnixMillis, random: [u8; 8], source: IpAddr) -> String {
        String::from_utf8(self.nonce(now, random, source).to_vec()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
    const LIFETIME: Duration = Duration::from_mins(1);

    fn mint(key: u8, realm: &str) -> NonceMint {
        NonceMint::new(&Zeroizing::new([key; 32]), LIFETIME, Realm::new(realm).unwrap())
    }

    fn source() -> IpAddr {
        "192.0.2.1".parse().unwrap()
    }

    fn check_after(milliseconds: u64) -> NonceState {
        let mint = mint(1, "example.com");
        let nonce = mint.issue(NOW, [7; 8], source());
        let later = UnixMillis(NOW.0 + milliseconds);
        mint.check(nonce.as_bytes(), source(), later)
    }

    #[test]
    fn a_nonce_is_fresh_until_its_lifetime_ends() {
        assert!(matches!(check_after(0), NonceState::Fresh(FreshNonce { issued: NOW, .. })));
        assert!(matches!(check_after(59_999), NonceState::Fresh(_)));
        assert_eq!(check_after(60_000), NonceState::Expired);
        assert_eq!(check_after(86_399_999), NonceState::Expired);
        assert_eq!(check_after(86_400_000), NonceState::NotOurs);
    }

    #[test]
    fn a_nonce_is_bound_to_source_realm_and_key() {
        let nonce = mint(1, "example.com").issue(NOW, [7; 8], source());
        let other_source: IpAddr = "192.0.2.2".parse().unwrap();
        for (mint, source) in [
            (mint(1, "example.com"), other_source),
            (mint(1, "example.net"), source()),
            (mint(2, "example.com"), source()),
        ] {
            assert_eq!(mint.check(nonce.as_bytes(), source, NOW), NonceState::NotOurs);
        }
    }

    #[test]
    fn a_dual_stack_socket_sees_the_same_source() {
        let mint = mint(1, "example.com");
        let nonce = mint.issue(NOW, [7; 8], source());
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert!(matches!(mint.check(nonce.as_bytes(), mapped, NOW), NonceState::Fresh(_)));
    }

    #[test]
    fn every_changed_character_makes_it_not_ours() {
        let mint = mint(1, "example.com");
        let nonce = mint.issue(NOW, [7; 8], source());
        assert_eq!(nonce.len(), NONCE_LENGTH);
        for at in 0..nonce.len() {
            for other in [b'A', b'B', b'_', b'=', b'"', 0, 0xff] {
                let mut changed = nonce.clone().into_bytes();
                if changed[at] == other {
                    continue;
                }
                changed[at] = other;
                assert_eq!(mint.check(&changed, source(), NOW), NonceState::NotOurs);
            }
        }
        for wrong in ["", "A", &nonce[1..], &format!("{nonce}=")] {
            assert_eq!(mint.check(wrong.as_bytes(), source(), NOW), NonceState::NotOurs);
        }
    }

    #[test]
    fn a_nonce_has_one_spelling() {
        let mint = mint(1, "example.com");
        let nonce = mint.issue(NOW, [7; 8], source());
        let accepted = (0..=u8::MAX)
            .filter(|last| {
                let mut spelled = nonce.clone().into_bytes();
                spelled[NONCE_LENGTH - 1] = *last;
                matches!(mint.check(&spelled, source(), NOW), NonceState::Fresh(_))
            })
            .count();
        assert_eq!(accepted, 1);
    }

    #[test]
    fn debug_does_not_show_the_key() {
        assert!(!format!("{:?}", mint(0xa7, "example.com")).contains("167"));
    }
}
