//! Who requests are sent to, out of the configuration.

use std::sync::Arc;

use crate::config::{Config, SipTarget, TargetHost, UpstreamTls};
use crate::proof::tls::{ClientCertificate, server_config};
use crate::proof::tls::{Expected, TlsFiles, client_config};
use crate::transport::{DialTls, ListenSpec, Outbox, Transport};
use crate::upstream::{Directory, Group, Pool, Source};

/// Calls whose targets are remembered, at 8 bytes each.
const REMEMBERED_CALLS: usize = 65_536;

/// The sockets towards the upstream. Its certificates are checked where it shows any; that it is the
/// upstream its address says.
pub(super) fn inside_listeners(config: &Config) -> anyhow::Result<Vec<ListenSpec>> {
    let tls = config.upstream.tls.as_ref().map(files);
    let tls = tls.map(|files| server_config(&files, ClientCertificate::Request)).transpose()?;
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
pub(super) fn upstream_sources(config: &Config) -> anyhow::Result<Vec<Source>> {
    let source = |target: &crate::config::UpstreamTarget| {
        let identity = target.identity.as_ref().map(|identity| identity.0.clone());
        let expected = match (identity, &target.uri.host) {
            (Some(identity), _) => Some(Expected::Identities(vec![identity])),
            (None, TargetHost::Address(address)) => Some(Expected::Address(*address)),
            (None, TargetHost::Name(name)) => {
                name.parse().ok().map(|identity| Expected::Identities(vec![identity]))
            }
        };
        let files = config.upstream.tls.as_ref().map(files);
        Ok(Source {
            target: target.uri.clone(),
            priority: target.priority,
            weight: target.weight.get().into(),
            tls: dial_tls(&target.uri, files, expected)?,
        })
    };
    config.upstream.targets.iter().map(source).collect()
}

/// The pool that the upstream's targets are put into.
pub(super) fn upstream_pool(config: &Config) -> Arc<Pool> {
    let pool = Pool::new(Vec::new(), REMEMBERED_CALLS);
    let probe = &config.upstream.probe;
    Arc::new(if probe.enabled { pool.probed(probe) } else { pool })
}

/// Puts everybody into his pool, and lets connections be made to him.
pub(super) fn directory(
    config: &Config,
    sources: Vec<Source>,
    upstream: Arc<Pool>,
    outbox: Outbox,
) -> Directory {
    let outside = config.listen.iter().map(|listen| (listen.transport, listen.address));
    let listeners: Vec<_> = outside.chain(config.upstream.listeners()).collect();
    let group = Group {
        pool: upstream,
        sources,
        listeners: config.listen.len()..listeners.len(),
        interface: config.interface.inside.as_ref().map(|inside| inside.name.clone()),
    };
    Directory::new(listeners, vec![group], outbox)
}

fn dial_tls(
    target: &SipTarget,
    files: Option<TlsFiles>,
    expected: Option<Expected>,
) -> anyhow::Result<Option<DialTls>> {
    let may_be_tls = target.transport().is_none_or(|transport| transport == Transport::Tls);
    let (true, Some(files), Some(expected)) = (may_be_tls, files, expected) else {
        return Ok(None);
    };
    let Some(name) = expected.name() else { return Ok(None) };
    Ok(Some(DialTls { config: client_config(&files, expected)?, name }))
}

fn files(tls: &UpstreamTls) -> TlsFiles {
    TlsFiles {
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
        client_ca: tls.ca.clone(),
    }
}
