//! What is measured.

use crate::rounds;

/// One server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) server: Kind,
}

/// Who shakes hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A loop around the library.
    Bare,
    /// Kamailio with its fast allocator.
    Kamailio,
    /// The daemon alone.
    Sbc,
    /// The daemon behind its filter, whose entries are looked for.
    SbcBehindFilter,
}

const fn case(name: &'static str, what: &'static str, server: Kind) -> Case {
    Case { name, what, server }
}

const ALL: &[Case] = &[
    case("bare", "tokio-rustls, a loop that accepts", Kind::Bare),
    case("kamailio", "Kamailio -x fm, one TCP worker", Kind::Kamailio),
    case("sbc", "sbc", Kind::Sbc),
    case("sbc-filter", "sbc behind its filter", Kind::SbcBehindFilter),
];

impl rounds::Case for Case {
    const ALL: &'static [Self] = ALL;

    fn name(&self) -> &'static str {
        self.name
    }

    fn what(&self) -> &'static str {
        self.what
    }
}
