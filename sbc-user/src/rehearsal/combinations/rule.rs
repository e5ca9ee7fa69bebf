use super::{Dns, Ipsec, OTHER, PEER, Past, Policy};
use crate::screening::Standing;
use crate::transport::Transport;

/// The rule, without any of the code that is tested.
impl Policy<'_> {
    pub(super) fn requires(&self, proof: &str) -> bool {
        self.require.contains(&proof)
    }

    /// Whether clear text from the address is another peer's: as long as the daemon knows that it is connected from
    /// there, and if the peer was not first.
    fn is_the_others(&self, past: Past) -> bool {
        past.other_connected && !past.restarted && !self.was_let_in(past) && !self.requires("ipsec")
    }

    /// Whether the peer has connected, and the DNS gave its address then.
    fn was_let_in(&self, past: Past) -> bool {
        past.connected && (!self.requires("dns") || past.dns != Dns::Never)
    }

    /// Whether its certificate still counts.
    fn is_certified(&self, past: Past) -> bool {
        self.was_let_in(past) && (self.requires("ipsec") || self.is_named(past))
    }

    fn is_named(&self, past: Past) -> bool {
        !self.requires("dns") || past.dns == Dns::Now
    }

    /// SIP over UDP is what the peer opens, if anything.
    pub(super) fn passes_the_wire(
        &self,
        past: Past,
        transport: Transport,
        port: u16,
        unknown: bool,
    ) -> bool {
        let opened_by_peer =
            if self.requires("tls") { self.is_certified(past) } else { self.is_known(past) };
        // An answer opens its port, and from others the user may come back, where the address is nobody's.
        let is_nobodys = !past.other_connected && !self.was_let_in(past);
        let is_users = past.answered && (port == 5060 || is_nobodys);
        let is_open = self.is_the_others(past)
            || transport == Transport::Udp && (opened_by_peer || is_users)
            || unknown;
        !self.requires("ipsec") && is_open
    }

    /// Whether the address itself is proof, where it is one.
    fn is_known(&self, past: Past) -> bool {
        (self.requires("static") || self.requires("dns")) && self.is_named(past)
    }

    pub(super) fn passes_the_socket(
        &self,
        past: Past,
        transport: Transport,
        port: u16,
        unknown: bool,
    ) -> bool {
        if !self.requires("ipsec") {
            return self.passes_the_wire(past, transport, port, unknown);
        }
        transport == Transport::Udp
            && past.ipsec == Ipsec::Now
            && (self.is_certified(past) || !self.requires("tls"))
    }

    pub(super) fn standing(&self, past: Past, transport: Transport) -> Standing {
        if self.is_the_others(past) {
            return Standing::Proven(OTHER);
        }
        let is_anybody = !self.has_sources && !self.is_named(past);
        if is_anybody && !(transport == Transport::Udp && self.is_certified(past)) {
            return Standing::NeedsDigest(None);
        }
        let holds = |proof: &&str| match *proof {
            "static" => transport == Transport::Udp,
            "tls" => transport == Transport::Udp && self.is_certified(past),
            "dns" => transport == Transport::Udp && past.dns == Dns::Now,
            "ipsec" => transport == Transport::Udp && past.ipsec == Ipsec::Now,
            _ => false,
        };
        let missing: Vec<_> = self.require.iter().filter(|proof| !holds(proof)).collect();
        match missing[..] {
            [] => Standing::Proven(PEER),
            [&"digest"] => Standing::NeedsDigest(Some(PEER)),
            _ => Standing::Lacking,
        }
    }
}
