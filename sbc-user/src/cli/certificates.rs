//! The certificates that the configuration names, and how they are read anew.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context as _;
use rustls::pki_types::UnixTime;
use rustls::{ClientConfig, ServerConfig};

use crate::border::Border;
use crate::config::Config;
use crate::proof::tls::{
    ClientCertificate, Expected, Live, PeerTrust, Renewable, TlsError, TlsFiles, client_config,
    renew, server_config, warnings,
};
use crate::transport::Dialed;
use crate::trust::{CertificateProof, TrustTable};

/// Everything that TLS is configured with, read.
#[derive(Default)]
pub(super) struct Certificates {
    all: Vec<Arc<dyn Renewable>>,
    /// One of those that judge the certificates of peers; they all judge alike.
    of_peers: Option<Arc<Live<ServerConfig>>>,
    /// Those that judge whom we connect to, by the position of the peer.
    of_dialed: HashMap<usize, Arc<Live<ClientConfig>>>,
}

impl Certificates {
    /// Those of a listener outside.
    pub(super) fn listener(
        &mut self,
        config: &Config,
        client_certificate: ClientCertificate,
    ) -> Result<Option<Arc<Live<ServerConfig>>>, TlsError> {
        let Some(tls) = &config.tls else { return Ok(None) };
        let live = self.server(tls.files(), peers(config), client_certificate)?;
        self.of_peers.get_or_insert_with(|| Arc::clone(&live));
        Ok(Some(live))
    }

    /// Those of a listener that is for nobody whom a certificate makes a peer.
    pub(super) fn server(
        &mut self,
        files: TlsFiles,
        peers: Vec<PeerTrust>,
        client_certificate: ClientCertificate,
    ) -> Result<Arc<Live<ServerConfig>>, TlsError> {
        let live = Live::new(move || server_config(&files, &peers, client_certificate))?;
        self.all.push(Arc::clone(&live) as Arc<dyn Renewable>);
        Ok(live)
    }

    /// Those of connections that we make, to a peer or to the upstream.
    pub(super) fn client(
        &mut self,
        peer: Option<usize>,
        files: TlsFiles,
        trust: PeerTrust,
        expected: Expected,
    ) -> Result<Arc<Live<ClientConfig>>, TlsError> {
        let live = Live::new(move || client_config(&files, &trust, expected.clone()))?;
        self.all.push(Arc::clone(&live) as Arc<dyn Renewable>);
        if let Some(peer) = peer {
            self.of_dialed.insert(peer, Arc::clone(&live));
        }
        Ok(live)
    }

    /// Reads all files anew: what is in them is in force when this returns, or if one cannot be used nothing
    /// has changed. Connections are judged again by themselves.
    pub(super) fn renew<T: TrustTable>(&self, border: &Border<T>) -> anyhow::Result<()> {
        renew(&self.all).context("the certificates stay as they were")?;
        let now = UnixTime::now();
        border.judge_departed(|proof| self.is_good(proof, now));
        Ok(())
    }

    /// Judges a certificate again, as in its handshake: a client's by the rule of the listeners, and a server's by
    /// that of the peer whom we had connected to.
    fn is_good(&self, proof: &CertificateProof, now: UnixTime) -> bool {
        let judge = match proof.dialed {
            None => self.of_peers.as_ref().map(|live| Arc::clone(&live.current().judge)),
            Some(Dialed { peer }) => {
                let live = peer.and_then(|peer| self.of_dialed.get(&peer));
                live.map(|live| Arc::clone(&live.current().judge))
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
        let live = certificates.server(files, vec![PeerTrust::default()], require).unwrap();
        certificates.of_peers = Some(live);
        let expected = Expected::Identities(vec!["carrier.example".parse().unwrap()]);
        let files = of_servers.files(ours.path(), &own);
        certificates.client(Some(1), files, PeerTrust::default(), expected).unwrap();

        let is_good = |leaf: &Leaf, dialed: Option<Dialed>| {
            let shown = ShownCertificate::read(std::slice::from_ref(&leaf.certificate)).unwrap();
            let until = MonotonicNanos(u64::MAX);
            let proof = CertificateProof { shown: Arc::new(shown), until, dialed };
            certificates.is_good(&proof, UnixTime::now())
        };
        let dialed = |peer| Some(Dialed { peer });
        assert!(is_good(&client, None) && !is_good(&server, None));
        assert!(is_good(&server, dialed(Some(1))) && !is_good(&client, dialed(Some(1))));
        assert!(!is_good(&server, dialed(Some(0))) && !is_good(&server, dialed(None)));
    }
}
