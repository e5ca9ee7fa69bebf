use std::net::SocketAddr;

use super::Forwarder;
use super::request_line::address_of;
use crate::sip::{Message, NameAddr, Uri};
use crate::transport::{Flow, Transport};

/// What is ours of the addresses in messages.
impl Forwarder {
    /// The Routes at the beginning that name us (RFC 3261 §16.4).
    pub(super) fn own_routes<'m>(
        &self,
        request: &Message<'m>,
    ) -> impl Iterator<Item = NameAddr<'m>> {
        request.routes().take_while(|route| self.is_own(&route.uri))
    }

    /// Says whether a URI means us and nobody behind us.
    #[must_use]
    pub fn names_us(&self, uri: &Uri<'_>) -> bool {
        uri.user.is_none() && self.is_own(uri)
    }

    /// Says whether a URI is at one of our addresses.
    #[must_use]
    pub fn is_own(&self, uri: &Uri<'_>) -> bool {
        address_of(uri).is_some_and(|address| self.is_own_address(address))
    }

    /// Says whether a URI of ours is one of an outside listener.
    pub(super) fn is_of_outside(&self, uri: &Uri<'_>) -> bool {
        let outside = self.listeners.iter().take(usize::from(self.inside));
        address_of(uri).is_some_and(|address| outside.clone().any(|(_, own)| *own == address))
    }

    pub(super) fn is_own_address(&self, address: SocketAddr) -> bool {
        self.listeners.iter().any(|(_, listener)| *listener == address)
    }

    /// Says whether a flow is one of our outside listeners'. Tokens outlive a restart, and with it the
    /// configuration that they were made under.
    pub(super) fn is_outside(&self, flow: &Flow) -> bool {
        !self.is_inside(flow)
            && self
                .listener(flow.listener)
                .is_some_and(|(transport, _)| transport == flow.transport)
    }

    pub(super) fn written(&self, position: u8) -> Option<(Transport, &str)> {
        let (transport, _) = self.listener(position)?;
        Some((transport, self.written.get(usize::from(position))?))
    }

    pub(super) fn listener(&self, position: u8) -> Option<(Transport, SocketAddr)> {
        self.listeners.get(usize::from(position)).copied()
    }
}
