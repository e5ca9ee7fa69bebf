use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Why IPsec proves nothing of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// Nothing that the peer opens has a listener of the network's address family.
    NoListener,
    /// What comes in clear to this listener would not be refused.
    NoPolicy(SocketAddr),
    /// A policy that the kernel may ask instead lets other packets pass.
    Bypassed {
        /// Where they would arrive.
        to: SocketAddr,
        /// The priority of that policy.
        priority: u32,
    },
    /// Somebody else's association would be taken for the peer's.
    Borrowable {
        /// Where that would be.
        to: SocketAddr,
        /// The other end of it.
        lender: IpAddr,
    },
    /// There is none.
    NoAssociation(SocketAddr),
}

impl fmt::Display for Unproven {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoListener => {
                formatter.write_str("no listener of its address family is open to it")
            }
            Self::NoPolicy(to) => {
                write!(formatter, "no inbound policy asks for ESP of all that comes to {to}")
            }
            Self::Bypassed { to, priority } => write!(
                formatter,
                "the policy of priority {priority} may be asked about what comes to {to}, and asks for \
                 no ESP"
            ),
            Self::Borrowable { to, lender } => write!(
                formatter,
                "what comes to {to} may come out of an association with {lender}, which is none of its \
                 gateways: give each peer's policy a reqid of its own"
            ),
            Self::NoAssociation(to) => {
                write!(formatter, "no association satisfies the policy about what comes to {to}")
            }
        }
    }
}
