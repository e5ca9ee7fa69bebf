use std::{fmt, net::SocketAddr, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sbc_common::{Address, Incarnation, NonceBinding, NonceStamp};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{NonceKey, NonceKeys, Realm, UnixMillis};

/// Length of a nonce in characters: base64url of a [`NonceStamp`] and its code.
pub const NONCE_LENGTH: usize = 43;

/// Separates these codes from whatever else the key may ever be used for.
const PURPOSE: &[u8] = b"sbc digest nonce 5 ";

const CODE_LENGTH: usize = NonceStamp::CODE_LENGTH;
const HALF: usize = CODE_LENGTH / 2;
const DECODED_LENGTH: usize = NonceStamp::LENGTH + CODE_LENGTH;
const HMAC_BLOCK: usize = 64;
const CODE_KEY_LENGTH: usize = 16;

/// Issues nonces and recognizes them, without remembering any.
///
/// Nodes that share keys know each other's nonces, and those of an earlier run. But only this run knows which of its
/// own were used: all others are [stale](NonceState::Stale).
pub struct NonceMint {
    current: MintKey,
    beside: Option<MintKey>,
    incarnation: Incarnation,
    binding: NonceBinding,
    lifetime: Duration,
    realm: Realm,
}

/// A key of nonces, derived for one binding and realm.
struct MintKey {
    number: u8,
    key: Zeroizing<[u8; CODE_KEY_LENGTH]>,
}

/// What a nonce is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum NonceState {
    /// Ours, for this realm and, as far as it is bound, this source, and within its lifetime.
    Fresh(FreshNonce),
    /// The same, but too old, or issued by another node or before this start: who knows whether it was used?
    Stale,
    /// Issued neither by us nor by a node that shares our keys, or to a source that it is bound to and that is another,
    /// or for another realm, or more than a day ago: since then the address may have become somebody else's.
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
pub struct NonceId([u8; CODE_LENGTH]);

impl NonceMint {
    /// Makes a mint of this run, whose nonces are good for `lifetime`.
    #[must_use]
    pub fn new(
        keys: &NonceKeys,
        incarnation: Incarnation,
        binding: NonceBinding,
        lifetime: Duration,
        realm: Realm,
    ) -> Self {
        let derived = |key: &NonceKey| MintKey::derived(key, binding, &realm);
        Self {
            current: derived(&keys.current),
            beside: keys.beside.as_ref().map(derived),
            incarnation,
            binding,
            lifetime,
            realm,
        }
    }

    /// Issues a nonce to `source`, in ASCII.
    ///
    /// `number` makes nonces of the same millisecond differ. It need not be secret.
    #[must_use]
    pub fn nonce(&self, now: UnixMillis, number: u32, source: SocketAddr) -> [u8; NONCE_LENGTH] {
        let stamp = NonceStamp::new(now.0, self.current.number, self.incarnation, number);
        let code = self.code(&self.current, &stamp, source);
        let bytes: [u8; DECODED_LENGTH] = zerocopy::transmute!([*stamp.bytes(), code]);
        let mut nonce = [0; NONCE_LENGTH];
        // It is as long as what is written.
        let _ = BASE64_URL_SAFE_NO_PAD.encode_slice(bytes, &mut nonce);
        nonce
    }

    /// Says whether `nonce` is one that `source` may use, and still is good.
    pub fn check(&self, nonce: &[u8], source: SocketAddr, now: UnixMillis) -> CheckedNonce {
        let not_ours = CheckedNonce { state: NonceState::NotOurs, is_sources_own: false };
        let Some((stamp, received)) = decoded(nonce) else {
            return not_ours;
        };
        let mut keys = std::iter::once(&self.current).chain(&self.beside);
        let Some(key) = keys.find(|key| key.number == stamp.key()) else {
            return not_ours;
        };
        let code = self.code(key, &stamp, source);
        let is_sources_own = bool::from(code.ct_eq(&received));
        let is_ours = is_sources_own
            || self.binding == NonceBinding::None
                && bool::from(first_half(&code).ct_eq(first_half(&received)));
        if !is_ours {
            return not_ours;
        }
        let issued = UnixMillis(stamp.milliseconds());
        let age = now.saturating_since(issued);
        // What is of the future is of another clock, which may be wrong by any time.
        if age.max(issued.saturating_since(now)) >= self.lifetime.max(MEMORY) {
            return not_ours;
        }
        let state = if age >= self.lifetime || stamp.incarnation() != self.incarnation {
            NonceState::Stale
        } else {
            NonceState::Fresh(FreshNonce { id: self.id(received), issued })
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
    fn id(&self, mut code: [u8; CODE_LENGTH]) -> NonceId {
        if self.binding == NonceBinding::None {
            code.iter_mut().skip(HALF).for_each(|byte| *byte = 0);
        }
        NonceId(code)
    }

    fn code(&self, key: &MintKey, stamp: &NonceStamp, source: SocketAddr) -> [u8; CODE_LENGTH] {
        stamp.code(&key.key, Address::from(source.ip()), source.port(), self.binding)
    }
}

impl MintKey {
    fn derived(key: &NonceKey, binding: NonceBinding, realm: &Realm) -> Self {
        let mut derived = keyed(key.secret.as_slice());
        derived.update(PURPOSE);
        derived.update(label(binding));
        derived.update(realm.as_bytes());
        let mut code_key = Zeroizing::new([0; CODE_KEY_LENGTH]);
        for (to, from) in code_key.iter_mut().zip(derived.finalize().into_bytes()) {
            *to = from;
        }
        Self { number: key.number, key: code_key }
    }
}

/// Each binding has keys of its own: a nonce of one is none of another.
const fn label(binding: NonceBinding) -> &'static [u8] {
    match binding {
        NonceBinding::AddressAndPort => b"address-and-port ",
        NonceBinding::Address => b"address ",
        NonceBinding::None => b"none ",
    }
}

fn first_half(code: &[u8; CODE_LENGTH]) -> &[u8] {
    code.split_at(HALF).0
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

/// What a nonce says, and its code. Each nonce has one spelling: the decoder refuses padding and stray bits at
/// the end.
fn decoded(nonce: &[u8]) -> Option<(NonceStamp, [u8; CODE_LENGTH])> {
    if nonce.len() != NONCE_LENGTH {
        return None;
    }
    // One byte more than is decoded, since the decoder wants room for its estimate.
    let mut bytes = [0; DECODED_LENGTH + 1];
    BASE64_URL_SAFE_NO_PAD.decode_slice(nonce, &mut bytes).ok()?;
    let (stamp, rest) = bytes.split_first_chunk()?;
    Some((NonceStamp::from_bytes(*stamp), *rest.first_chunk()?))
}

#[cfg(test)]
impl NonceMint {
    pub(crate) fn issue(&self, now: UnixMillis, number: u32, source: SocketAddr) -> String {
        String::from_utf8(self.nonce(now, number, source).to_vec()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
    const LIFETIME: Duration = Duration::from_mins(1);
    const THIS_RUN: Incarnation = Incarnation::new(1);

    fn mint(key: u8, realm: &str) -> NonceMint {
        bound(NonceBinding::Address, key, realm)
    }

    fn bound(binding: NonceBinding, key: u8, realm: &str) -> NonceMint {
        let realm = Realm::new(realm).unwrap();
        NonceMint::new(&NonceKey::new(0, [key; 32]).into(), THIS_RUN, binding, LIFETIME, realm)
    }

    fn source() -> SocketAddr {
        "192.0.2.1:5060".parse().unwrap()
    }

    const ALL: [NonceBinding; 3] =
        [NonceBinding::AddressAndPort, NonceBinding::Address, NonceBinding::None];

    fn check_after(milliseconds: u64) -> NonceState {
        let mint = mint(1, "example.com");
        let nonce = mint.issue(NOW, 7, source());
        let later = UnixMillis(NOW.0 + milliseconds);
        mint.check(nonce.as_bytes(), source(), later).state
    }

    #[test]
    fn a_nonce_is_fresh_until_its_lifetime_ends() {
        assert!(matches!(check_after(0), NonceState::Fresh(FreshNonce { issued: NOW, .. })));
        assert!(matches!(check_after(59_999), NonceState::Fresh(_)));
        assert_eq!(check_after(60_000), NonceState::Stale);
        assert_eq!(check_after(86_399_999), NonceState::Stale);
        assert_eq!(check_after(86_400_000), NonceState::NotOurs);
    }

    #[test]
    fn a_nonce_is_bound_to_source_realm_and_key() {
        let nonce = mint(1, "example.com").issue(NOW, 7, source());
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
            let nonce = mint.issue(NOW, 7, own);
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
                assert_eq!(checked.state == NonceState::Stale, good[at], "{binding:?} {from}");
            }
        }
    }

    #[test]
    fn whatever_is_bound_realm_key_and_time_are() {
        for binding in ALL {
            let nonce = bound(binding, 1, "example.com").issue(NOW, 7, source());
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
        let nonce = mint.issue(NOW, 7, source());
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
        let nonce = mint.issue(NOW, 7, source());
        let mapped: SocketAddr = "[::ffff:192.0.2.1]:5060".parse().unwrap();
        assert!(matches!(mint.check(nonce.as_bytes(), mapped, NOW).state, NonceState::Fresh(_)));
    }

    #[test]
    fn every_changed_character_makes_it_not_ours() {
        let mint = mint(1, "example.com");
        let nonce = mint.issue(NOW, 7, source());
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
        let nonce = mint.issue(NOW, 7, source());
        let accepted = (0..=u8::MAX)
            .filter(|last| {
                let mut spelled = nonce.clone().into_bytes();
                spelled[NONCE_LENGTH - 1] = *last;
                matches!(mint.check(&spelled, source(), NOW).state, NonceState::Fresh(_))
            })
            .count();
        assert_eq!(accepted, 1);
    }

    fn shared(keys: &NonceKeys, run: u64) -> NonceMint {
        let (run, realm) = (Incarnation::new(run), Realm::new("example.com").unwrap());
        NonceMint::new(keys, run, NonceBinding::Address, LIFETIME, realm)
    }

    #[test]
    fn nodes_that_share_a_key_know_each_others_nonces_and_accept_none() {
        let keys = NonceKey::new(0, [1; 32]).into();
        let nodes = [shared(&keys, 1), shared(&keys, 2)];
        for (issuer, other) in [(0, 1), (1, 0)] {
            let nonce = nodes[issuer].issue(NOW, 7, source());
            let check = |node: usize, now| nodes[node].check(nonce.as_bytes(), source(), now);
            assert!(matches!(check(issuer, NOW).state, NonceState::Fresh(_)));
            // Whichever of their clocks is ahead, and by how much.
            for seconds in [0, 1, 59, 3600, 86_399] {
                for now in [NOW.0 + seconds * 1000, NOW.0 - seconds * 1000] {
                    let checked = check(other, UnixMillis(now));
                    assert_eq!(checked.state, NonceState::Stale, "{seconds}");
                    assert!(checked.is_sources_own);
                }
            }
            for now in [NOW.0 + 86_400_000, NOW.0 - 86_400_000, 0, u64::MAX] {
                let checked = check(other, UnixMillis(now));
                assert_eq!(checked.state, NonceState::NotOurs, "{now}");
            }
        }
    }

    #[test]
    fn a_nonce_is_good_across_a_change_of_keys_while_its_key_is_known() {
        let key = |number: u8| NonceKey::new(number, [number; 32]);
        let keys = |current, beside| NonceKeys { current: key(current), beside: Some(key(beside)) };
        let nonce = shared(&key(1).into(), 1).issue(NOW, 7, source());
        let state = |keys: NonceKeys| shared(&keys, 1).check(nonce.as_bytes(), source(), NOW).state;
        assert!(matches!(state(keys(1, 2)), NonceState::Fresh(_)), "the next is near");
        assert!(matches!(state(keys(2, 1)), NonceState::Fresh(_)), "the next has come");
        assert_eq!(state(keys(3, 2)), NonceState::NotOurs);
        let renumbered = NonceKeys::from(NonceKey::new(1, [2; 32]));
        assert_eq!(state(renumbered), NonceState::NotOurs, "another key of that number");
    }

    #[test]
    fn debug_does_not_show_the_key() {
        assert!(!format!("{:?}", mint(0xa7, "example.com")).contains("167"));
    }
}
