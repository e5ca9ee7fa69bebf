use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sbc_common::SipHash;
use serde::Deserialize;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zerocopy::{Immutable, IntoBytes};
use zeroize::Zeroizing;

use super::{Realm, UnixMillis};

/// Length of a nonce in characters: base64url of 8 bytes time, 8 bytes randomness, 16 bytes MAC.
pub const NONCE_LENGTH: usize = 43;

/// Separates these MACs from whatever else the key may ever be used for.
const PURPOSE: &[u8] = b"sbc digest nonce 4 ";

const TIME_LENGTH: usize = 8;
const RANDOM_LENGTH: usize = 8;
const MAC_LENGTH: usize = 16;
const HALF: usize = MAC_LENGTH / 2;
const DECODED_LENGTH: usize = TIME_LENGTH + RANDOM_LENGTH + MAC_LENGTH;
const HMAC_BLOCK: usize = 64;
const MAC_KEY_LENGTH: usize = 16;

/// Issues nonces and recognizes its own, without remembering any.
///
/// A nonce is base64url(time | random | MAC), where time is the 64-bit big-endian number of
/// milliseconds since the Unix epoch and MAC is `SipHash-2-4` of 128 bits over time, random and source
/// (16 bytes of address, IPv4 mapped, and the port in two where that is bound), with a key of the realm's own.
/// Where nothing is bound half of it is over time and random alone, and the other half still tells who got it.
pub struct NonceMint {
    /// Derived for the purpose, the binding and the realm.
    key: Zeroizing<[u8; MAC_KEY_LENGTH]>,
    binding: NonceBinding,
    lifetime: Duration,
    realm: Realm,
}

/// From where a nonce may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NonceBinding {
    /// From the address and port that it was issued to.
    AddressAndPort,
    /// From any port of that address.
    #[default]
    Address,
    /// From anywhere.
    None,
}

/// What a nonce is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum NonceState {
    /// Ours, for this realm and, as far as it is bound, this source, and within its lifetime.
    Fresh(FreshNonce),
    /// The same, but too old.
    Expired,
    /// Not issued by us, or to a source that it is bound to and that is another, or for another realm, or more
    /// than a day ago: since then the address may have become somebody else's.
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

/// What is told by a nonce of ours, whatever its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct CheckedNonce {
    /// What it is to us.
    pub state: NonceState,
    /// Whether it was issued to this very source, which so has shown that it receives what is sent there.
    pub is_sources_own: bool,
}

/// Tells nonces apart: what of the MAC nobody without the key can choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NonceId([u8; MAC_LENGTH]);

impl NonceMint {
    /// Makes a mint whose nonces are good for `lifetime`.
    #[must_use]
    pub fn new(
        key: &Zeroizing<[u8; 32]>,
        binding: NonceBinding,
        lifetime: Duration,
        realm: Realm,
    ) -> Self {
        let mut derived = keyed(key.as_slice());
        derived.update(PURPOSE);
        derived.update(binding.label());
        derived.update(realm.as_bytes());
        let mut key = Zeroizing::new([0; MAC_KEY_LENGTH]);
        for (to, from) in key.iter_mut().zip(derived.finalize().into_bytes()) {
            *to = from;
        }
        Self { key, binding, lifetime, realm }
    }

    /// Issues a nonce to `source`, in ASCII.
    ///
    /// `random` makes nonces of the same millisecond differ. It need not be secret.
    #[must_use]
    pub fn nonce(
        &self,
        now: UnixMillis,
        random: [u8; RANDOM_LENGTH],
        source: SocketAddr,
    ) -> [u8; NONCE_LENGTH] {
        let time = now.0.to_be_bytes();
        let mac = self.mac(time, random, source);
        let bytes: [u8; DECODED_LENGTH] = zerocopy::transmute!(Decoded { time, random, mac });
        let mut nonce = [0; NONCE_LENGTH];
        // It is as long as what is written.
        let _ = BASE64_URL_SAFE_NO_PAD.encode_slice(bytes, &mut nonce);
        nonce
    }

    /// Says whether `nonce` is one that `source` may use, and still is good.
    pub fn check(&self, nonce: &[u8], source: SocketAddr, now: UnixMillis) -> CheckedNonce {
        let not_ours = CheckedNonce { state: NonceState::NotOurs, is_sources_own: false };
        let Some(received) = Decoded::read(nonce) else {
            return not_ours;
        };
        let mac = self.mac(received.time, received.random, source);
        let is_sources_own = bool::from(mac.ct_eq(&received.mac));
        let is_ours = is_sources_own
            || self.binding == NonceBinding::None
                && bool::from(first_half(&mac).ct_eq(first_half(&received.mac)));
        if !is_ours {
            return not_ours;
        }
        let issued = UnixMillis(u64::from_be_bytes(received.time));
        let age = now.saturating_since(issued);
        if age >= self.lifetime.max(MEMORY) {
            return not_ours;
        }
        let state = if age >= self.lifetime {
            NonceState::Expired
        } else {
            NonceState::Fresh(FreshNonce { id: self.id(received.mac), issued })
        };
        CheckedNonce { state, is_sources_own }
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

    /// Of what is not bound the half that nobody can choose is all that tells nonces apart.
    fn id(&self, mut mac: [u8; MAC_LENGTH]) -> NonceId {
        if self.binding == NonceBinding::None {
            mac.iter_mut().skip(HALF).for_each(|byte| *byte = 0);
        }
        NonceId(mac)
    }

    fn mac(
        &self,
        time: [u8; TIME_LENGTH],
        random: [u8; RANDOM_LENGTH],
        source: SocketAddr,
    ) -> [u8; MAC_LENGTH] {
        let mut mac = SipHash::new(&self.key);
        mac.update(&time);
        mac.update(&random);
        let unbound = (self.binding == NonceBinding::None).then(|| mac.clone().finish());
        mac.update(&mapped(source.ip()).octets());
        if self.binding == NonceBinding::AddressAndPort {
            mac.update(&source.port().to_be_bytes());
        }
        let bound = mac.finish();
        let Some(mut both) = unbound else { return bound };
        for (to, from) in both.iter_mut().zip(bound).skip(HALF) {
            *to = from;
        }
        both
    }
}

impl NonceBinding {
    /// Each has keys of its own: a nonce of one is none of another.
    const fn label(self) -> &'static [u8] {
        match self {
            Self::AddressAndPort => b"address-and-port ",
            Self::Address => b"address ",
            Self::None => b"none ",
        }
    }
}

fn first_half(mac: &[u8; MAC_LENGTH]) -> &[u8] {
    mac.split_at(HALF).0
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

#[derive(IntoBytes, Immutable)]
#[repr(C)]
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
    pub(crate) fn issue(&self, now: UnixMillis, random: [u8; 8], source: SocketAddr) -> String {
        String::from_utf8(self.nonce(now, random, source).to_vec()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
    const LIFETIME: Duration = Duration::from_mins(1);

    fn mint(key: u8, realm: &str) -> NonceMint {
        bound(NonceBinding::Address, key, realm)
    }

    fn bound(binding: NonceBinding, key: u8, realm: &str) -> NonceMint {
        let realm = Realm::new(realm).unwrap();
        NonceMint::new(&Zeroizing::new([key; 32]), binding, LIFETIME, realm)
    }

    fn source() -> SocketAddr {
        "192.0.2.1:5060".parse().unwrap()
    }

    const ALL: [NonceBinding; 3] =
        [NonceBinding::AddressAndPort, NonceBinding::Address, NonceBinding::None];

    fn check_after(milliseconds: u64) -> NonceState {
        let mint = mint(1, "example.com");
        let nonce = mint.issue(NOW, [7; 8], source());
        let later = UnixMillis(NOW.0 + milliseconds);
        mint.check(nonce.as_bytes(), source(), later).state
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
        let other_source: SocketAddr = "192.0.2.2:5060".parse().unwrap();
        for (mint, source) in [
            (mint(1, "example.com"), other_source),
            (mint(1, "example.net"), source()),
            (mint(2, "example.com"), source()),
        ] {
            assert_eq!(mint.check(nonce.as_bytes(), source, NOW).state, NonceState::NotOurs);
        }
    }

    #[test]
    fn a_nonce_is_good_where_its_binding_says_and_tells_who_got_it() {
        let own = source();
        let (port, elsewhere) =
            ("192.0.2.1:5062".parse().unwrap(), "192.0.2.2:5060".parse().unwrap());
        for (binding, good, sources_own) in [
            (NonceBinding::AddressAndPort, [true, false, false], [true, false, false]),
            (NonceBinding::Address, [true, true, false], [true, true, false]),
            (NonceBinding::None, [true, true, true], [true, true, false]),
        ] {
            let mint = bound(binding, 1, "example.com");
            let nonce = mint.issue(NOW, [7; 8], own);
            for (at, from) in [own, port, elsewhere].into_iter().enumerate() {
                let checked = mint.check(nonce.as_bytes(), from, NOW);
                assert_eq!(
                    matches!(checked.state, NonceState::Fresh(_)),
                    good[at],
                    "{binding:?} {from}"
                );
                assert_eq!(checked.is_sources_own, sources_own[at], "{binding:?} {from}");
                let late = UnixMillis(NOW.0 + 60_000);
                let checked = mint.check(nonce.as_bytes(), from, late);
                assert_eq!(checked.state == NonceState::Expired, good[at], "{binding:?} {from}");
            }
        }
    }

    #[test]
    fn whatever_is_bound_realm_key_and_time_are() {
        for binding in ALL {
            let nonce = bound(binding, 1, "example.com").issue(NOW, [7; 8], source());
            let others = ALL.into_iter().filter(|other| *other != binding);
            let others = others.map(|other| bound(other, 1, "example.com"));
            let strange = [bound(binding, 2, "example.com"), bound(binding, 1, "example.net")];
            for mint in others.chain(strange) {
                let checked = mint.check(nonce.as_bytes(), source(), NOW);
                assert_eq!(checked.state, NonceState::NotOurs, "{binding:?}");
            }
            // The time, the random part and, from where it was issued to, all that is checked of the rest.
            let mint = bound(binding, 1, "example.com");
            for at in 0..32 {
                let mut changed = nonce.clone().into_bytes();
                changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
                let checked = mint.check(&changed, source(), NOW);
                assert_eq!(checked.state, NonceState::NotOurs, "{binding:?} {at}");
            }
        }
    }

    #[test]
    fn who_changes_whom_an_unbound_nonce_was_issued_to_makes_it_nobodys() {
        let mint = bound(NonceBinding::None, 1, "example.com");
        let nonce = mint.issue(NOW, [7; 8], source());
        for at in 33..NONCE_LENGTH - 1 {
            let mut changed = nonce.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let checked = mint.check(&changed, source(), NOW);
            assert!(!checked.is_sources_own, "{at}");
        }
    }

    #[test]
    fn a_dual_stack_socket_sees_the_same_source() {
        let mint = mint(1, "example.com");
        let nonce = mint.issue(NOW, [7; 8], source());
        let mapped: SocketAddr = "[::ffff:192.0.2.1]:5060".parse().unwrap();
        assert!(matches!(mint.check(nonce.as_bytes(), mapped, NOW).state, NonceState::Fresh(_)));
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
                assert_eq!(mint.check(&changed, source(), NOW).state, NonceState::NotOurs);
            }
        }
        for wrong in ["", "A", &nonce[1..], &format!("{nonce}=")] {
            assert_eq!(mint.check(wrong.as_bytes(), source(), NOW).state, NonceState::NotOurs);
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
                matches!(mint.check(&spelled, source(), NOW).state, NonceState::Fresh(_))
            })
            .count();
        assert_eq!(accepted, 1);
    }

    #[test]
    fn debug_does_not_show_the_key() {
        assert!(!format!("{:?}", mint(0xa7, "example.com")).contains("167"));
    }
}
