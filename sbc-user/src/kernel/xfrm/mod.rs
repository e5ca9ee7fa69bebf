//! IPsec in the network stack, as the kernel tells of it over netlink: security associations, and the
//! policies that say what has to come out of one.

mod association;
mod message;
mod policy;
mod selector;
mod socket;
mod watch;

pub use association::Association;
pub use message::XfrmError;
pub use policy::{Policy, PolicyAction, Template};
pub use selector::{Network, PortMatch, Selector};
pub use watch::{XfrmState, XfrmWatch};

#[cfg(test)]
mod tests;

/// How ESP wraps a packet (`XFRM_MODE_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EspMode {
    /// The payload of the packet.
    Transport,
    /// The whole packet.
    Tunnel,
    /// Another one, by its number.
    Other(u8),
}

impl EspMode {
    const fn of(number: u8) -> Self {
        match number {
            0 => Self::Transport,
            1 => Self::Tunnel,
            other => Self::Other(other),
        }
    }
}
