//! What is measured.

use crate::rounds;

/// One server doing one kind of work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) server: Kind,
    pub(crate) work: Work,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Echo,
    /// Kamailio with its fast allocator.
    KamailioFast,
    /// Kamailio with its debugging allocator, which is what it has where nobody chooses.
    KamailioDebugging,
    Sbc,
}

/// What one unit of work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// A REGISTER that comes back.
    Echo,
    /// A REGISTER without credentials, and the 401.
    Register,
    /// An INVITE without credentials, and the 407.
    Invite,
    /// A REGISTER, the 401, the REGISTER with credentials, and the 200 that the server makes itself.
    Authenticated,
    /// The same, but the 200 is that of a system behind, to which the REGISTER is relayed.
    Relayed,
}

const fn case(name: &'static str, what: &'static str, server: Kind, work: Work) -> Case {
    Case { name, what, server, work }
}

#[rustfmt::skip]
const ALL: &[Case] = &[
    case("echo", "datagrams sent back as they are", Kind::Echo, Work::Echo),
    case("kamailio-register", "Kamailio -x fm, REGISTER and 401", Kind::KamailioFast, Work::Register),
    case("kamailio-invite", "Kamailio -x fm, INVITE and 407", Kind::KamailioFast, Work::Invite),
    case("kamailio-qm-register", "Kamailio -x qm, REGISTER and 401", Kind::KamailioDebugging, Work::Register),
    case("kamailio-qm-invite", "Kamailio -x qm, INVITE and 407", Kind::KamailioDebugging, Work::Invite),
    case("sbc-register", "sbc, REGISTER and 401", Kind::Sbc, Work::Register),
    case("sbc-invite", "sbc, INVITE and 407", Kind::Sbc, Work::Invite),
    case("kamailio-auth", "Kamailio -x fm, challenge, proof, its own 200", Kind::KamailioFast, Work::Authenticated),
    case("kamailio-relay", "Kamailio -x fm, challenge, proof, 200 from behind", Kind::KamailioFast, Work::Relayed),
    case("sbc-relay", "sbc, challenge, proof, 200 from behind", Kind::Sbc, Work::Relayed),
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
