use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sbc_common::{Lane, Protocol, Transports};
use serde::Deserialize;

use super::values::{Lifetime, Network, Rate, from_text};
use super::{
    Assertables, ContactHost, FalseClaims, PeerCertificate, PeerName, Permissions, SipTarget,
    StirPolicy,
};
use crate::proof::digest::OfferedAlgorithms;
use crate::proof::tls::Identity;
use crate::transport::Transport;

/// A proof that a peer's policy can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// The source address is one of the peer's `sources`.
    Static,
    /// The message carries a correct response to our digest challenge.
    Digest,
    /// The peer completed a TLS handshake with a certificate of one of its `identities`.
    Tls,
    /// What comes from its `sources` has come out of an IPsec association of the peer's.
    Ipsec,
    /// The source address is one that the DNS gives for one of its `names`.
    Dns,
}

/// What becomes of a peer's kernel entries when its last TLS connection ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDisconnect {
    /// They last for the rest of their lifetime, so that a reconnect loses nothing.
    #[default]
    Expire,
    /// They are removed at once.
    Remove,
}

/// What may be opened for a peer's sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Opened {
    /// SIP in clear over UDP.
    Udp,
    /// SIP in clear over TCP.
    Tcp,
    /// IKE and ESP.
    Ipsec,
}

/// The domain that a peer's certificate must be for (RFC 5922 §7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIdentity(pub Identity);

impl FromStr for PeerIdentity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse()
            .map(Self)
            .map_err(|_| format!("{text:?} is not a domain such as sip.carrier.example"))
    }
}

from_text!(PeerIdentity);

/// `[[peer]]`: somebody who is known by name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Peer {
    /// The name in status and logs.
    pub name: String,
    /// The proofs that must all hold.
    pub require: Vec<Proof>,
    /// The certificate identities that are this peer.
    #[serde(default)]
    pub identities: Vec<PeerIdentity>,
    /// What its certificate has to be besides.
    #[serde(default)]
    pub certificate: PeerCertificate,
    /// Where the upstream's requests to it go.
    pub target: Option<SipTarget>,
    /// The addresses it comes from.
    #[serde(default)]
    pub sources: Vec<Network>,
    /// The names whose addresses in the DNS it comes from.
    #[serde(default)]
    pub names: Vec<PeerName>,
    /// The addresses at the other end of its IPsec associations, if it does not use IPsec itself.
    #[serde(default)]
    pub ipsec_gateways: Vec<Network>,
    #[serde(default)]
    opens: Vec<Opened>,
    lifetime: Option<Lifetime>,
    on_disconnect: Option<OnDisconnect>,
    /// How many packets its sources may send in clear, all together; absent: without limit.
    pub budget: Option<Rate>,
    /// The digest algorithms offered to it, instead of those of `[users]`.
    pub algorithms: Option<OfferedAlgorithms>,
    /// Whether it is in our trust domain (RFC 3324 §2.3): it is told who calls, though the caller wants that to
    /// stay private, and keeps it so.
    #[serde(default)]
    pub trust_domain: bool,
    /// What becomes of its calls by what is signed of them.
    #[serde(default)]
    pub stir: StirPolicy,
    may_assert: Option<Assertables>,
    may_divert: Option<Assertables>,
    may_call: Option<Assertables>,
    contact_hosts: Option<Vec<ContactHost>>,
    #[serde(default)]
    false_claims: FalseClaims,
    #[serde(skip)]
    permissions: Arc<Permissions>,
}

const DEFAULT_LIFETIME: Lifetime = Lifetime(Duration::from_mins(1));

impl Peer {
    /// What it may say, and whom it may call; under `digest` the user who answered may no more than that.
    #[must_use]
    pub const fn permissions(&self) -> &Arc<Permissions> {
        &self.permissions
    }

    /// The same, with what the file lists where it is asked for.
    pub(super) fn with_permissions(mut self) -> Self {
        self.permissions = Arc::new(Permissions {
            may_assert: self.may_assert.clone(),
            may_divert: self.may_divert.clone(),
            may_call: self.may_call.clone(),
            contact_hosts: self.contact_hosts.clone(),
            false_claims: self.false_claims,
        });
        self
    }

    /// Says whether the policy asks for `proof`.
    #[must_use]
    pub fn requires(&self, proof: Proof) -> bool {
        self.require.contains(&proof)
    }

    /// Says whether `address` is one of its sources.
    #[must_use]
    pub fn comes_from(&self, address: IpAddr) -> bool {
        self.sources.iter().any(|network| network.contains(address))
    }

    /// The transports that the operator lets it have: those of clear text upon its proof, IPsec from the
    /// start.
    #[must_use]
    pub fn opens(&self) -> Transports {
        let is_required = self.requires(Proof::Ipsec);
        let required = if is_required { Transports::IPSEC } else { Transports::NONE };
        self.opens.iter().fold(required, |transports, transport| {
            transports.union(match transport {
                Opened::Udp => Transports::UDP,
                Opened::Tcp => Transports::TCP,
                Opened::Ipsec => Transports::IPSEC,
            })
        })
    }

    /// Says whether the source of a message that arrived over `transport` is proof by itself, as far as
    /// `static` is one: over a clear-text transport that the peer does not open, the operator has not
    /// said that this address is the peer.
    #[must_use]
    pub fn is_static_source(&self, transport: Transport, address: IpAddr) -> bool {
        self.opens_over(transport) && self.comes_from(address)
    }

    /// Says whether its sources may speak over a transport.
    #[must_use]
    pub fn opens_over(&self, transport: Transport) -> bool {
        match transport {
            Transport::Udp => self.opens().opens(Protocol::Udp),
            Transport::Tcp => self.opens().opens(Protocol::Tcp),
            Transport::Tls => true,
        }
    }

    /// How long a kernel entry made by TLS lasts without a connection.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.lifetime.unwrap_or(DEFAULT_LIFETIME).0
    }

    /// What becomes of those entries when the last connection ends.
    #[must_use]
    pub fn on_disconnect(&self) -> OnDisconnect {
        self.on_disconnect.unwrap_or_default()
    }

    /// What the kernel lets through from its sources without any proof: everything where the operator's
    /// word is proof enough, and otherwise the ways to prove itself: TLS, so that nobody who asks for
    /// connections in the names of others can keep it out, and IPsec, which nobody else may try.
    #[must_use]
    pub fn opens_by_word(&self) -> Transports {
        let ipsec = self.opens().intersection(Transports::IPSEC);
        match (self.is_proven_by(Lane::Static), self.requires(Proof::Tls)) {
            (_, true) => ipsec.union(Transports::TLS),
            (true, false) => self.opens(),
            (false, false) => ipsec,
        }
    }

    /// Says whether a grant of `lane` is all that the kernel asks for. The operator's word and the DNS open no more than
    /// ways to prove itself where more is asked for, and are no proof then.
    #[must_use]
    pub fn is_proven_by(&self, lane: Lane) -> bool {
        let needs_more = self.requires(Proof::Tls) || self.requires(Proof::Ipsec);
        match lane {
            Lane::Static => {
                self.requires(Proof::Static) && !self.requires(Proof::Dns) && !needs_more
            }
            Lane::Dns => !needs_more,
            Lane::Digest | Lane::Tls | Lane::Ipsec => true,
            Lane::Denied | Lane::Probation => false,
        }
    }

    /// What the kernel lets through from an address that the DNS gives for one of its names: what the operator's
    /// word would open. Beside IPsec nothing: that alone opens its sources.
    #[must_use]
    pub fn opens_by_names(&self) -> Transports {
        if !self.requires(Proof::Dns) || self.requires(Proof::Ipsec) {
            return Transports::NONE;
        }
        let ipsec = self.opens().intersection(Transports::IPSEC);
        if self.requires(Proof::Tls) { ipsec.union(Transports::TLS) } else { self.opens() }
    }

    /// What a TLS handshake opens.
    #[must_use]
    pub fn opens_by_tls(&self) -> Transports {
        self.opens().union(Transports::TLS)
    }

    /// Says whether its sources may speak IKE and ESP.
    #[must_use]
    pub fn opens_ipsec(&self) -> bool {
        self.opens().contains(Transports::IPSEC)
    }

    /// Says whether its sources may speak in clear.
    #[must_use]
    pub fn opens_clear_text(&self) -> bool {
        self.opens().intersection(Transports::CLEAR) != Transports::NONE
    }

    /// Where its IKE and ESP come from.
    #[must_use]
    pub fn gateways(&self) -> &[Network] {
        if self.ipsec_gateways.is_empty() { &self.sources } else { &self.ipsec_gateways }
    }

    /// Those of its gateways that are not within its sources, which may use IPsec anyway.
    pub fn gateways_apart(&self) -> impl Iterator<Item = Network> {
        let is_apart =
            |gateway: &&Network| {
                let gateway = gateway.prefix();
                !self.sources.iter().map(|source| source.prefix()).any(|source| {
                    source.length <= gateway.length && source.contains(&gateway.address)
                })
            };
        self.ipsec_gateways.iter().filter(is_apart).copied()
    }

    pub(super) fn has_connection_settings(&self) -> bool {
        self.lifetime.is_some() || self.on_disconnect.is_some()
    }
}
