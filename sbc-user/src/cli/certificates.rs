//! The certificates that the configuration names, and how they are read anew.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::UnixTime;
use rustls::{ClientConfig, ServerConfig};

use crate::config::{Config, Listen};
use crate::proof::tls::{
    ClientCertificate, Expected, Live, Loaded, PeerTrust, TlsError, TlsFiles, client_config,
    server_config, warnings,
};
use crate::transport::Dialed;
use crate::trust::CertificateProof;

/// Everything that TLS is configured with, read.
#[derive(Default)]
pub(super) struct Certificates {
    servers: HashMap<Use, Read<ServerConfig>>,
    clients: HashMap<Use, Read<ClientConfig>>,
    /// Those that a configuration before has used.
    earlier: Earlier,
}

/// Those that are in use.
#[derive(Clone, Default)]
pub(super) struct Earlier {
    servers: HashMap<Use, Arc<Live<ServerConfig>>>,
    clients: HashMap<Use, Arc<Live<ClientConfig>>>,
}

/// What certificates are for: it has the same ones before and after the configuration is read anew.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Use {
    /// A listener outside.
    Listener(SocketAddr),
    /// The listeners towards the upstream.
    Inside,
    /// Connections that we make to a peer.
    Peer(Arc<str>),
    /// Those that we make to a target of the upstream.
    Target(String),
}

/// What was read, and what has to become like it, if that is in use already.
struct Read<C> {
    used: Arc<Live<C>>,
    read: Arc<Live<C>>,
}

impl<C> Read<C> {
    fn of(loaded: Loaded<C>, earlier: Option<&Arc<Live<C>>>) -> Self {
        let read = Live::of(loaded);
        Self { used: Arc::clone(earlier.unwrap_or(&read)), read }
    }
}

impl Certificates {
    /// None yet, in the place of those that are in use.
    pub(super) fn after(earlier: Earlier) -> Self {
        Self { earlier, ..Self::default() }
    }

    /// Those that are in use from now on.
    pub(super) fn in_use(&self) -> Earlier {
        let servers = self.servers.iter().map(|(what, it)| (what.clone(), Arc::clone(&it.used)));
        let clients = self.clients.iter().map(|(what, it)| (what.clone(), Arc::clone(&it.used)));
        Earlier { servers: servers.collect(), clients: clients.collect() }
    }

    /// Those of a listener outside.
    pub(super) fn listener(
        &mut self,
        config: &Config,
        listen: &Listen,
    ) -> Result<Option<Arc<Live<ServerConfig>>>, TlsError> {
        let Some(tls) = &config.tls else { return Ok(None) };
        let client_certificate = listen.client_certificate.unwrap_or_default();
        let what = Use::Listener(listen.address);
        self.server(what, &tls.files(), &peers(config), client_certificate).map(Some)
    }

    /// Those of a listener that is for nobody whom a certificate makes a peer, if there are no `peers`.
    pub(super) fn server(
        &mut self,
        what: Use,
        files: &TlsFiles,
        peers: &[PeerTrust],
        client_certificate: ClientCertificate,
    ) -> Result<Arc<Live<ServerConfig>>, TlsError> {
        let loaded = server_config(files, peers, client_certificate)?;
        let read = Read::of(loaded, self.earlier.servers.get(&what));
        Ok(Arc::clone(&self.servers.entry(what).insert_entry(read).get().used))
    }

    /// Those of connections that we make, to a peer or to the upstream.
    pub(super) fn client(
        &mut self,
        what: Use,
        files: &TlsFiles,
        trust: &PeerTrust,
        expected: Expected,
    ) -> Result<Arc<Live<ClientConfig>>, TlsError> {
        let loaded = client_config(files, trust, expected)?;
        let read = Read::of(loaded, self.earlier.clients.get(&what));
        Ok(Arc::clone(&self.clients.entry(what).insert_entry(read).get().used))
    }

    /// Has all that is in use be what was read. Connections are judged again by themselves; those of what is not used
    /// any more end.
    pub(super) fn put_in_force(&self) {
        self.servers.values().for_each(|it| it.used.become_like(&it.read));
        self.clients.values().for_each(|it| it.used.become_like(&it.read));
        let earlier = &self.earlier;
        let gone = earlier.servers.iter().filter(|(what, _)| !self.servers.contains_key(what));
        gone.for_each(|(_, live)| live.give_up());
        let gone = earlier.clients.iter().filter(|(what, _)| !self.clients.contains_key(what));
        gone.for_each(|(_, live)| live.give_up());
    }

    /// Judges a certificate again, as a handshake would by what was read: a client's by the rule of the listeners, and
    /// a server's by that of the peer whom we had connected to.
    pub(super) fn is_good(&self, proof: &CertificateProof, now: UnixTime) -> bool {
        let judge = match &proof.dialed {
            // They all judge alike.
            None => {
                let mut listeners = self.servers.iter();
                let of_peers = listeners.find(|(what, _)| matches!(what, Use::Listener(_)));
                of_peers.map(|(_, it)| Arc::clone(&it.read.current().judge))
            }
            Some(Dialed { peer }) => {
                let peer = peer.as_ref().map(|name| Use::Peer(Arc::clone(name)));
                let read = peer.and_then(|peer| self.clients.get(&peer));
                read.map(|it| Arc::clone(&it.read.current().judge))
            }
        };
        judge.is_some_and(|judge| judge.judge(&proof.shown, now).is_ok())
    }
}

/// What is hardly meant in the files that the configuration names.
pub(super) fn hardly_meant(config: &Config) -> Result<Vec<String>, TlsError> {
    let mut told = match &config.tls {
        Some(tls) => warnings(&tls.files(), &peers(config))?,
        None => Vec::new(),
    };
    if let Some(tls) = &config.upstream.tls {
        told.extend(warnings(&tls.files(), &[])?);
    }
    Ok(told)
}

/// In the order of the configuration: the first whom a certificate is for is the peer.
fn peers(config: &Config) -> Vec<PeerTrust> {
    config.peers.iter().map(crate::config::Peer::trust).collect()
}

#[cfg(test)]
mod tests {
    use sbc_common::MonotonicNanos;
    use tempfile::TempDir;

    use super::*;
    use crate::proof::tls::ShownCertificate;
    use crate::proof::tls::test_authority::{Authority, Leaf, uri};

    #[test]
    fn a_certificate_is_judged_again_by_who_judged_it_before() {
        let (of_clients, of_servers) = (Authority::new("clients"), Authority::new("servers"));
        let names = [uri("sip:carrier.example")];
        let (client, server) = (of_clients.issue_for(&names), of_servers.issue_for(&names));
        let (directory, ours) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let own = of_clients.issue_server();
        let mut certificates = Certificates::default();
        let files = of_clients.files(directory.path(), &own);
        let require = ClientCertificate::Require;
        let listener = Use::Listener("203.0.113.1:5061".parse().unwrap());
        certificates.server(listener, &files, &[PeerTrust::default()], require).unwrap();
        let expected = Expected::Identities(vec!["carrier.example".parse().unwrap()]);
        let files = of_servers.files(ours.path(), &own);
        let trust = PeerTrust::default();
        certificates.client(Use::Peer("one".into()), &files, &trust, expected).unwrap();

        let is_good = |leaf: &Leaf, dialed: Option<Dialed>| {
            let shown = ShownCertificate::read(std::slice::from_ref(&leaf.certificate)).unwrap();
            let until = MonotonicNanos(u64::MAX);
            let proof = CertificateProof { shown: Arc::new(shown), until, dialed };
            certificates.is_good(&proof, UnixTime::now())
        };
        let dialed = |peer: Option<&str>| Some(Dialed { peer: peer.map(Arc::from) });
        assert!(is_good(&client, None) && !is_good(&server, None));
        assert!(is_good(&server, dialed(Some("one"))) && !is_good(&client, dialed(Some("one"))));
        assert!(!is_good(&server, dialed(Some("other"))) && !is_good(&server, dialed(None)));
    }
}
