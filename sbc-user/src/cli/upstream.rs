//! Who requests are sent to, out of the configuration.

use std::collections::HashMap;
use std::sync::Arc;

use super::certificates::{Certificates, Use};
use crate::config::{Config, Peer, SipTarget, TargetHost, Tls, UpstreamTls};
use crate::proof::tls::{ClientCertificate, Expected, PeerTrust, TlsFiles};
use crate::transport::{DialTls, ListenSpec, Outbox, Transport};
use crate::upstream::{Directory, Found, Group, Pool, Source};

/// Calls whose targets are remembered, at 8 bytes each.
const REMEMBERED_CALLS: usize = 65_536;
const REMEMBERED_CALLS_TO_A_PEER: usize = 4096;

/// The sockets towards the upstream. Its certificates are checked where it shows any; that it is the
/// upstream its address says.
pub(super) fn inside_listeners(
    config: &Config,
    certificates: &mut Certificates,
) -> anyhow::Result<Vec<ListenSpec>> {
    let tls = config.upstream.tls.as_ref().map(UpstreamTls::files);
    let request = ClientCertificate::Request;
    let server = |files| certificates.server(Use::Inside, &files, &[], request);
    let tls = tls.map(server).transpose()?;
    let interface = config.interface.inside.as_ref().map(|inside| inside.name.clone());
    let spec = |(transport, address)| ListenSpec {
        transport,
        address,
        interface: interface.clone(),
        feeds_connections: true,
        tls: tls.clone().filter(|_| transport == Transport::Tls),
    };
    Ok(config.upstream.listeners().map(spec).collect())
}

/// The targets of the upstream, with what connections to them need.
fn upstream_sources(
    config: &Config,
    certificates: &mut Certificates,
) -> anyhow::Result<Vec<Source>> {
    let source = |target: &crate::config::UpstreamTarget| {
        let identity = target.identity.as_ref().map(|identity| identity.0.clone());
        let expected = match (identity, &target.uri.host) {
            (Some(identity), _) => Some(Expected::Identities(vec![identity])),
            (None, TargetHost::Address(address)) => Some(Expected::Address(*address)),
            (None, TargetHost::Name(name)) => {
                name.parse().ok().map(|identity| Expected::Identities(vec![identity]))
            }
        };
        let files = config.upstream.tls.as_ref().map(UpstreamTls::files);
        let what = Use::Target(format!("{} {expected:?}", target.uri));
        let trust = PeerTrust::default();
        Ok(Source {
            target: target.uri.clone(),
            priority: target.priority,
            weight: target.weight.get().into(),
            within: Vec::new(),
            tls: dial_tls(&target.uri, what, files, (trust, expected), certificates)?,
        })
    };
    config.upstream.targets.iter().map(source).collect()
}

/// The targets of peers, each with the position of its peer, and with what connections to it need.
fn peer_sources(
    config: &Config,
    certificates: &mut Certificates,
) -> anyhow::Result<Vec<(usize, Source)>> {
    let files = config.tls.as_ref().map(Tls::files_for_servers);
    let mut sources = Vec::new();
    for (position, peer) in config.peers.iter().enumerate() {
        let Some(target) = &peer.target else { continue };
        let trust = peer.trust();
        let identities = trust.identities.clone();
        let expected = (!identities.is_empty()).then_some(Expected::Identities(identities));
        let believed = (trust, expected);
        let what = Use::Peer(peer.name.as_str().into());
        let tls = dial_tls(target, what, files.clone(), believed, certificates)?;
        let (target, within) = (target.clone(), peer.sources.clone());
        sources.push((position, Source { target, priority: 1, weight: 1, within, tls }));
    }
    Ok(sources)
}

/// Whom requests are sent to.
pub(super) struct Reached {
    /// The upstream.
    pub(super) upstream: Arc<Pool>,
    /// By the position of the peer.
    pub(super) peers: Vec<Option<Arc<Pool>>>,
}

impl Reached {
    /// Empty pools.
    pub(super) fn new(config: &Config) -> Self {
        let upstream = Pool::new(Vec::new(), REMEMBERED_CALLS);
        let probe = &config.upstream.probe;
        let upstream = Arc::new(if probe.enabled { upstream.probed(probe) } else { upstream });
        let pool = |peer: &Peer| {
            peer.target
                .is_some()
                .then(|| Arc::new(Pool::new(Vec::new(), REMEMBERED_CALLS_TO_A_PEER)))
        };
        Self { upstream, peers: config.peers.iter().map(pool).collect() }
    }

    /// The pools of the next configuration: those of before wherever they can be, which know who lives, and which call
    /// is where.
    pub(super) fn after(&self, before: &Config, next: &Config) -> Self {
        let Self { mut upstream, peers } = Self::new(next);
        if before.upstream.probe == next.upstream.probe {
            upstream = Arc::clone(&self.upstream);
        }
        let peers = next.peers.iter().zip(peers).map(|(peer, pool)| {
            let known = before.peers.position(&peer.name);
            let known = known.and_then(|position| self.peers.get(position)?.clone());
            pool.map(|pool| known.unwrap_or(pool))
        });
        Self { upstream, peers: peers.collect() }
    }

    /// Who belongs into which pool. He is put there, and connections can be made to him, once it is published.
    pub(super) fn directory(
        &self,
        config: &Config,
        sources: Sources,
        (outbox, known): (Outbox, &HashMap<String, Vec<Found>>),
    ) -> Directory {
        let outside = config.listen.iter().map(|listen| (listen.transport, listen.address));
        let listeners: Vec<_> = outside.chain(config.upstream.listeners()).collect();
        let inside = Group {
            pool: Arc::clone(&self.upstream),
            sources: sources.upstream,
            listeners: config.listen.len()..listeners.len(),
            interface: config.interface.inside.as_ref().map(|inside| inside.name.clone()),
        };
        let peers = sources.peers.into_iter().filter_map(|(position, source)| {
            let pool = Arc::clone(self.peers.get(position)?.as_ref()?);
            let listeners = 0..config.listen.len();
            Some(Group { pool, sources: vec![source], listeners, interface: None })
        });
        let groups = [inside].into_iter().chain(peers).collect();
        Directory::unpublished(listeners, groups, outbox, known)
    }
}

/// Everybody whom requests are sent to, as the configuration has them.
pub(super) struct Sources {
    upstream: Vec<Source>,
    peers: Vec<(usize, Source)>,
}

impl Sources {
    /// Reads the files that they need.
    pub(super) fn read(config: &Config, certificates: &mut Certificates) -> anyhow::Result<Self> {
        let upstream = upstream_sources(config, certificates)?;
        Ok(Self { upstream, peers: peer_sources(config, certificates)? })
    }

    /// Says whether somebody has to be looked up.
    pub(super) fn have_names(&self) -> bool {
        let of_peers = self.peers.iter().map(|(_, source)| source);
        self.upstream.iter().chain(of_peers).any(|source| source.target.place().is_none())
    }
}

fn dial_tls(
    target: &SipTarget,
    what: Use,
    files: Option<TlsFiles>,
    (trust, expected): (PeerTrust, Option<Expected>),
    certificates: &mut Certificates,
) -> anyhow::Result<Option<DialTls>> {
    let may_be_tls = target.transport().is_none_or(|transport| transport == Transport::Tls);
    let (true, Some(files), Some(expected)) = (may_be_tls, files, expected) else {
        return Ok(None);
    };
    let Some(name) = expected.name() else { return Ok(None) };
    let peer = match &what {
        Use::Peer(peer) => Some(Arc::clone(peer)),
        Use::Listener(_) | Use::Inside | Use::Target(_) => None,
    };
    Ok(Some(DialTls { config: certificates.client(what, &files, &trust, expected)?, name, peer }))
}
