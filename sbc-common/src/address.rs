use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// An IP address in 16 bytes, network byte order; an IPv4 address is held IPv4-mapped
/// (`::ffff:a.b.c.d`, RFC 4291 §2.5.5.2).
///
/// The bytes are held as four words because that is what the kernel half can move: the BPF target has
/// no unaligned access, and an array of bytes would be taken apart into sixteen of everything.
///
/// One form for both families makes one table serve both. IPv6 packets that carry a mapped address on
/// the wire are refused by [`decide()`](crate::decide()), so no such packet can borrow an IPv4 entry.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(transparent)]
pub struct Address([u32; 4]);

/// The third word of an IPv4-mapped address.
const MAPPED: u32 = 0xffff_u32.to_be();

impl Address {
    /// Takes the four words of an IPv6 address as they lie in memory.
    #[must_use]
    #[inline(always)]
    pub const fn from_ipv6_words(words: [u32; 4]) -> Self {
        Self(words)
    }

    /// Maps the one word of an IPv4 address as it lies in memory.
    #[must_use]
    #[inline(always)]
    pub const fn from_ipv4_word(word: u32) -> Self {
        Self([0, 0, MAPPED, word])
    }

    /// The one word of an IPv4 address as it lies in memory; `None` for IPv6.
    #[must_use]
    #[inline(always)]
    pub const fn ipv4_word(self) -> Option<u32> {
        let [_, _, _, fourth] = self.0;
        if self.is_ipv4() { Some(fourth) } else { None }
    }

    /// The four words of an IPv6 address as they lie in memory, or of an IPv4 address's mapped form.
    #[must_use]
    #[inline(always)]
    pub const fn ipv6_words(self) -> [u32; 4] {
        self.0
    }

    /// The sixteen bytes, network byte order.
    #[must_use]
    pub const fn octets(self) -> [u8; 16] {
        zerocopy::transmute!(self)
    }

    /// Takes the sixteen bytes, network byte order.
    #[must_use]
    pub const fn from_octets(octets: [u8; 16]) -> Self {
        zerocopy::transmute!(octets)
    }

    /// Says whether this is an IPv4 address in mapped form.
    #[must_use]
    #[inline(always)]
    pub const fn is_ipv4(&self) -> bool {
        let [first, second, third, _] = self.0;
        first == 0 && second == 0 && third == MAPPED
    }

    /// The network address of the /64 around an IPv6 address.
    #[must_use]
    #[inline(always)]
    pub const fn subnet(self) -> Self {
        let [first, second, _, _] = self.0;
        Self([first, second, 0, 0])
    }

    /// What of the address its holder cannot choose freely: all of IPv4, the first 64 bits of IPv6.
    #[inline(always)]
    pub(crate) const fn holder(&self) -> u64 {
        let [first, second, third, fourth] = self.0;
        if self.is_ipv4() { join(fourth, third) } else { join(first, second) }
    }

    /// The network that budgets of strangers are kept for: an IPv4 /24, an IPv6 /48.
    #[inline(always)]
    pub(crate) const fn neighbourhood(&self) -> u64 {
        let [first, second, third, fourth] = self.0;
        if self.is_ipv4() {
            join(fourth & 0xffff_ff00_u32.to_be(), third)
        } else {
            join(first, second & 0xffff_0000_u32.to_be())
        }
    }

    /// The first 32 bits of an IPv6 address, and of an IPv4 address its bits: host byte order.
    #[inline(always)]
    pub(crate) const fn leading_word(&self) -> u32 {
        let [first, _, _, fourth] = self.0;
        u32::from_be(if self.is_ipv4() { fourth } else { first })
    }

    /// The two halves.
    #[inline(always)]
    pub(crate) const fn halves(&self) -> [u64; 2] {
        let [first, second, third, fourth] = self.0;
        [join(first, second), join(third, fourth)]
    }
}

#[inline(always)]
const fn join(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::from(address),
            IpAddr::V6(address) => Self::from_octets(address.octets()),
        }
    }
}

impl From<Ipv4Addr> for Address {
    fn from(address: Ipv4Addr) -> Self {
        Self::from_octets(address.to_ipv6_mapped().octets())
    }
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        Ipv6Addr::from(address.octets()).to_canonical()
    }
}

/// A range of addresses that share their first `length` bits, counted in the 16-byte form: an IPv4
/// prefix of length *n* has length 96 + *n*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    /// The network address; bits after `length` are zero.
    pub address: Address,
    /// The number of leading bits that count, 0 to 128.
    pub length: u8,
}

impl Prefix {
    /// Makes the prefix of `address` with `length` leading bits in the address's own family (0 to 32
    /// or 0 to 128); bits after them are cleared. `None` when the length does not fit the family, or
    /// when an IPv6 prefix such as `::/0` would take in the mapped form of every IPv4 address: all of
    /// IPv6 that is assigned is `2000::/3`.
    #[must_use]
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        let offset = if address.is_ipv4() { 96 } else { 0 };
        let length = length.checked_add(offset).filter(|length| *length <= 128)?;
        let prefix = Self::around(&address.into(), length);
        let takes_in_ipv4 = length < 96 && prefix.contains(&Address::from(Ipv4Addr::UNSPECIFIED));
        (!takes_in_ipv4).then_some(prefix)
    }

    /// The range of the addresses that share their first `length` bits, 128 at most, with `address` in its
    /// mapped form.
    #[must_use]
    pub fn around(address: &Address, length: u8) -> Self {
        let bits = u128::from_be_bytes(address.octets());
        let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length.into())).unwrap_or(0);
        Self { address: Address::from_octets((bits & mask).to_be_bytes()), length }
    }

    /// Says whether `address` lies in this range.
    #[must_use]
    pub fn contains(&self, address: &Address) -> bool {
        Self::around(address, self.length).address == self.address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_prefix_never_contains_an_ipv6_address() {
        let every_ipv4 = Prefix::new("0.0.0.0".parse().unwrap(), 0).unwrap();
        let ipv6: IpAddr = "2001:db8::1".parse().unwrap();

        assert_eq!(every_ipv4.length, 96);
        assert!(every_ipv4.contains(&Address::from(Ipv4Addr::new(203, 0, 113, 9))));
        assert!(!every_ipv4.contains(&Address::from(ipv6)));
    }

    #[test]
    fn an_ipv6_prefix_that_would_contain_every_ipv4_address_is_refused() {
        for (text, length) in [("::", 0), ("::", 64), ("::", 80), ("::ffff:0:0", 95)] {
            assert_eq!(Prefix::new(text.parse().unwrap(), length), None, "{text}/{length}");
        }
        assert!(Prefix::new("2000::".parse().unwrap(), 3).is_some());
        assert!(Prefix::new("::1".parse().unwrap(), 128).is_some());
    }

    #[test]
    fn a_prefix_clears_the_bits_after_its_length() {
        let prefix = Prefix::new("198.51.100.77".parse().unwrap(), 24).unwrap();

        assert_eq!(prefix.address, Address::from(Ipv4Addr::new(198, 51, 100, 0)));
        assert!(prefix.contains(&Address::from(Ipv4Addr::new(198, 51, 100, 255))));
        assert!(!prefix.contains(&Address::from(Ipv4Addr::new(198, 51, 101, 0))));
    }

    #[test]
    fn a_prefix_longer_than_its_family_is_refused() {
        assert_eq!(Prefix::new("198.51.100.0".parse().unwrap(), 33), None);
        assert_eq!(Prefix::new("::".parse().unwrap(), 129), None);
    }

    #[test]
    fn an_address_survives_the_round_trip_through_its_mapped_form() {
        for text in ["203.0.113.9", "2001:db8::1", "::"] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(IpAddr::from(Address::from(address)), address);
        }
    }
}
