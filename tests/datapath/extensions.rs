/// An IPv6 extension header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extension {
    /// Any header that says its own length: its number, and how many bytes beyond eight, in units of
    /// eight, it has and claims to have.
    Sized { number: u8, has: u8, claims: u8 },
    /// `offset` is in units of eight bytes.
    Fragment { offset: u16, more: bool },
}

const FRAGMENT: u8 = 44;

impl Extension {
    pub(crate) const HOP_BY_HOP: Self = Self::of(0);
    pub(crate) const ROUTING: Self = Self::of(43);
    pub(crate) const DESTINATION: Self = Self::of(60);
    pub(crate) const MOBILITY: Self = Self::of(135);
    /// RFC 6946.
    pub(crate) const ATOMIC_FRAGMENT: Self = Self::Fragment { offset: 0, more: false };
    pub(crate) const FIRST_FRAGMENT: Self = Self::Fragment { offset: 0, more: true };

    pub(crate) const fn of(number: u8) -> Self {
        Self::Sized { number, has: 0, claims: 0 }
    }

    /// The number of the first header, and the bytes of all of them with `last` behind.
    /// Fragment headers name the datagram `id`.
    pub(crate) fn chain(extensions: &[Self], last: u8, id: u16) -> (u8, Vec<u8>) {
        let nexts = extensions.iter().skip(1).map(|header| header.number()).chain([last]);
        let bytes = extensions.iter().zip(nexts).flat_map(|(header, next)| header.bytes(next, id));
        (extensions.first().map_or(last, |header| header.number()), bytes.collect())
    }

    pub(crate) fn is_later_fragment(self) -> bool {
        matches!(self, Self::Fragment { offset: 1.., .. })
    }

    pub(crate) fn has_more(self) -> bool {
        matches!(self, Self::Fragment { more: true, .. })
    }

    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Sized { number, .. } => number,
            Self::Fragment { .. } => FRAGMENT,
        }
    }

    fn bytes(self, next: u8, id: u16) -> Vec<u8> {
        match self {
            Self::Sized { has, claims, .. } => {
                let mut header = vec![next, claims, 1, 4, 0, 0, 0, 0];
                header.resize(8 + 8 * usize::from(has), 0);
                header
            }
            Self::Fragment { offset, more } => {
                let [high, low] = (offset << 3 | u16::from(more)).to_be_bytes();
                let [id_high, id_low] = id.to_be_bytes();
                vec![next, 0, high, low, 0, 0, id_high, id_low]
            }
        }
    }
}
