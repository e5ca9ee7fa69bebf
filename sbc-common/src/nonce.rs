use crate::{Address, SipHash};

/// What a nonce says in clear, 16 bytes in network byte order: when it was issued (milliseconds since 1970, 48
/// bits), the number of its key (8), which run of which node issued it (40), and a number that tells it from others
/// of that millisecond (32).
///
/// A nonce is base64url (RFC 4648 §5) of this and of its [`code`](Self::code).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonceStamp([u8; Self::LENGTH]);

/// From where a nonce may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NonceBinding {
    /// From the address and port that it was issued to.
    AddressAndPort,
    /// From any port of that address.
    #[default]
    Address,
    /// From anywhere.
    None,
}

/// One run of one node, 40 bits: no other shares its memory of the nonces that were used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incarnation(u64);

impl Incarnation {
    /// The lowest 40 bits of a number that was drawn at random.
    #[must_use]
    #[inline]
    pub const fn new(random: u64) -> Self {
        Self(random & lowest(INCARNATION_BITS))
    }
}

const NUMBER_BITS: u32 = 32;
const INCARNATION_BITS: u32 = 40;
const KEY_BITS: u32 = 8;
const TIME_BITS: u32 = 48;

impl NonceStamp {
    /// Its length in bytes.
    pub const LENGTH: usize = 16;
    /// The length of a nonce's code in bytes.
    pub const CODE_LENGTH: usize = 16;

    /// Makes one. Milliseconds that 48 bits cannot hold, which come in the year 10889, begin anew.
    #[must_use]
    #[inline]
    pub const fn new(milliseconds: u64, key: u8, incarnation: Incarnation, number: u32) -> Self {
        let time = (milliseconds as u128) << (KEY_BITS + INCARNATION_BITS + NUMBER_BITS);
        let key = (key as u128) << (INCARNATION_BITS + NUMBER_BITS);
        let incarnation = (incarnation.0 as u128) << NUMBER_BITS;
        Self((time | key | incarnation | number as u128).to_be_bytes())
    }

    /// Reads one: any 16 bytes are.
    #[must_use]
    #[inline]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes of it.
    #[must_use]
    #[inline]
    pub const fn bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// When it was issued, in milliseconds since 1970.
    #[must_use]
    #[inline]
    pub const fn milliseconds(&self) -> u64 {
        self.after(KEY_BITS + INCARNATION_BITS + NUMBER_BITS) & lowest(TIME_BITS)
    }

    /// The number of the key that its code was made with.
    #[must_use]
    #[inline]
    pub const fn key(&self) -> u8 {
        let [.., key] = self.after(INCARNATION_BITS + NUMBER_BITS).to_be_bytes();
        key
    }

    /// Who issued it.
    #[must_use]
    #[inline]
    pub const fn incarnation(&self) -> Incarnation {
        Incarnation::new(self.after(NUMBER_BITS))
    }

    /// What makes a nonce unforgeable: `SipHash-2-4` of 128 bits over all that it says, and over the 16 bytes of
    /// the address that it is issued to, and the two of the port where that is bound.
    ///
    /// Where nothing is bound the first half is over what it says alone, and the other half tells who got it. Each
    /// realm and each binding has keys of its own.
    #[must_use]
    #[inline]
    pub fn code(
        &self,
        key: &[u8; 16],
        source: Address,
        port: u16,
        binding: NonceBinding,
    ) -> [u8; Self::CODE_LENGTH] {
        let mut code = SipHash::new(key);
        code.update(&self.0);
        let unbound = if let NonceBinding::None = binding { Some(code.clone()) } else { None };
        code.update(&source.octets());
        if let NonceBinding::AddressAndPort = binding {
            code.update(&port.to_be_bytes());
        }
        let bound = code.finish();
        let Some(unbound) = unbound else { return bound };
        let (unbound, bound) = (u128::from_be_bytes(unbound.finish()), u128::from_be_bytes(bound));
        let second_half = u128::from(u64::MAX);
        (unbound & !second_half | bound & second_half).to_be_bytes()
    }

    /// What stands before the last `bits`, cut to 64.
    #[expect(clippy::cast_possible_truncation, reason = "what is asked for is in these")]
    const fn after(&self, bits: u32) -> u64 {
        (u128::from_be_bytes(self.0) >> bits) as u64
    }
}

const fn lowest(bits: u32) -> u64 {
    (1 << bits) - 1
}

const _: () = assert!(TIME_BITS + KEY_BITS + INCARNATION_BITS + NUMBER_BITS == 128);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_says_what_it_was_made_of() {
        let stamp = NonceStamp::new(
            0x0123_4567_89ab,
            0xcd,
            Incarnation::new(u64::MAX << 40 | 0xef_1122_3344),
            0x5566_7788,
        );
        assert_eq!(
            stamp.bytes(),
            &[
                0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66,
                0x77, 0x88
            ]
        );
        let stamp = NonceStamp::from_bytes(*stamp.bytes());
        assert_eq!(stamp.milliseconds(), 0x0123_4567_89ab);
        assert_eq!(stamp.key(), 0xcd);
        assert_eq!(stamp.incarnation(), Incarnation::new(0xef_1122_3344));
    }

    #[test]
    fn a_code_is_over_all_that_is_bound_and_nothing_else() {
        let stamp = NonceStamp::new(1, 2, Incarnation::new(3), 4);
        let (here, there) = (Address::from_octets([1; 16]), Address::from_octets([2; 16]));
        for (binding, [by_address, by_port]) in [
            (NonceBinding::AddressAndPort, [16, 16]),
            (NonceBinding::Address, [16, 0]),
            (NonceBinding::None, [8, 0]),
        ] {
            let code = |stamp: &NonceStamp, key, address, port| {
                stamp.code(&[key; 16], address, port, binding)
            };
            let first = code(&stamp, 1, here, 5060);
            let changed = |other: [u8; 16]| {
                first.iter().zip(other).filter(|(one, other)| **one != *other).count()
            };
            // A byte may be the same by chance: there are but two halves to tell apart.
            let halves = |count: usize| count.div_ceil(8) * 8;
            assert_eq!(halves(changed(code(&stamp, 1, there, 5060))), by_address, "{binding:?}");
            assert_eq!(halves(changed(code(&stamp, 1, here, 5061))), by_port, "{binding:?}");
            assert_eq!(halves(changed(code(&stamp, 2, here, 5060))), 16);
            for at in 0..NonceStamp::LENGTH {
                let mut bytes = *stamp.bytes();
                bytes[at] ^= 1;
                let other = NonceStamp::from_bytes(bytes);
                assert_eq!(halves(changed(code(&other, 1, here, 5060))), 16, "{at}");
            }
        }
    }
}
