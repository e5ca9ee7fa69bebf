//! What is measured.

use crate::rounds;

/// One server that relays calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) server: Kind,
    pub(crate) admission: Admission,
}

/// Who relays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Kamailio without transactions, `forward()`.
    KamailioStateless,
    /// Kamailio with transactions, `t_relay()`.
    KamailioTransactions,
    Sbc,
}

/// Why a caller may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Its address is listed.
    Address,
    /// It answers a challenge of its INVITE.
    Digest,
}

const fn case(name: &'static str, what: &'static str, server: Kind, admission: Admission) -> Case {
    Case { name, what, server, admission }
}

#[rustfmt::skip]
const ALL: &[Case] = &[
    case("kamailio-stateless", "Kamailio -x fm, forward(), by address", Kind::KamailioStateless, Admission::Address),
    case("kamailio-tm", "Kamailio -x fm, t_relay(), by address", Kind::KamailioTransactions, Admission::Address),
    case("sbc", "sbc, by address", Kind::Sbc, Admission::Address),
    case("kamailio-stateless-digest", "Kamailio -x fm, forward(), digest", Kind::KamailioStateless, Admission::Digest),
    case("kamailio-tm-digest", "Kamailio -x fm, t_relay(), digest", Kind::KamailioTransactions, Admission::Digest),
    case("sbc-digest", "sbc, digest", Kind::Sbc, Admission::Digest),
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
