use crate::config::{Mandate, Peer, Peers, Proof};
use crate::transport::Flow;

/// What is known about the source of a message before anybody has read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The peer whose certificate was shown on this connection.
    pub tls_connection: Option<usize>,
    /// The peer whose TLS proof opened clear-text SIP from this source.
    pub tls_source: Option<usize>,
    /// The peer out of whose IPsec association the message has come.
    pub ipsec_source: Option<usize>,
    /// The peer that the DNS gives the source address for.
    pub dns_source: Option<usize>,
    /// Whether somebody at this address and port has answered a challenge of ours of late.
    pub has_answered: bool,
}

/// How a source stands under the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has to answer a challenge; it is this peer, or one of the users.
    NeedsDigest(Option<usize>),
    /// It has given every proof that its peer's policy asks for.
    Proven(usize),
    /// It lacks a proof that no challenge can bring.
    Lacking,
}

impl Standing {
    /// Weighs the evidence for a message that arrived on `flow`. `has_users` says whether somebody who
    /// is no peer can prove himself at all.
    #[must_use]
    pub fn of(evidence: &Evidence, flow: &Flow, peers: &Peers, has_users: bool) -> Self {
        let remote = flow.remote.ip();
        let by_source = || peers.at(remote);
        // What the operator has written comes before what the DNS says.
        let position = evidence.tls_connection.or(evidence.tls_source).or_else(by_source);
        let position = position.or(evidence.dns_source);
        let Some((position, peer)) =
            position.and_then(|position| Some((position, peers.get(position)?)))
        else {
            return if has_users { Self::NeedsDigest(None) } else { Self::Lacking };
        };
        let has_tls =
            evidence.tls_connection == Some(position) || evidence.tls_source == Some(position);
        let has_ipsec = evidence.ipsec_source == Some(position);
        let has_dns = evidence.dns_source == Some(position) && peer.opens_over(flow.transport);
        if peer.requires(Proof::Tls) && !has_tls
            || peer.requires(Proof::Ipsec) && !has_ipsec
            || peer.requires(Proof::Dns) && !has_dns
            || peer.requires(Proof::Static) && !peer.is_static_source(flow.transport, remote)
        {
            Self::Lacking
        } else if peer.requires(Proof::Digest) {
            Self::NeedsDigest(Some(position))
        } else {
            Self::Proven(position)
        }
    }

    /// What may be said by this standing alone, as in a response, which brings no credentials.
    #[must_use]
    pub fn mandate(&self, peers: &[Peer]) -> Mandate {
        match self {
            Self::Proven(position) => peers
                .get(*position)
                .map_or_else(Mandate::mute, |peer| Mandate::of(peer.permissions().clone(), None)),
            Self::NeedsDigest(_) | Self::Lacking => Mandate::mute(),
        }
    }

    /// The peer that it is, or that somebody is behind who has to answer a challenge.
    #[must_use]
    pub fn peer<'p>(&self, peers: &'p [Peer]) -> Option<&'p Peer> {
        match self {
            Self::Proven(position) | Self::NeedsDigest(Some(position)) => peers.get(*position),
            Self::NeedsDigest(None) | Self::Lacking => None,
        }
    }
}

#[cfg(test)]
mod tests;
