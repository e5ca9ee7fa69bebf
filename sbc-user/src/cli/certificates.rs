//! The certificates that the configuration names, and how they are read anew.

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
use crate::trust::TrustTable;

/// Everything that TLS is configured with, read.
#[derive(Default)]
pub(super) struct Certificates {
    all: Vec<Arc<dyn Renewable>>,
    /// One of those that judge the certificates of peers; they all judge alike.
    of_peers: Option<Arc<Live<ServerConfig>>>,
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

    /// Those of connections that we make.
    pub(super) fn client(
        &mut self,
        files: TlsFiles,
        trust: PeerTrust,
        expected: Expected,
    ) -> Result<Arc<Live<ClientConfig>>, TlsError> {
        let live = Live::new(move || client_config(&files, &trust, expected.clone()))?;
        self.all.push(Arc::clone(&live) as Arc<dyn Renewable>);
        Ok(live)
    }

    /// Reads all files anew: what is in them is in force when this returns, or if one cannot be used nothing
    /// has changed. Connections are judged again by themselves.
    pub(super) fn renew<T: TrustTable>(&self, border: &Border<T>) -> anyhow::Result<()> {
        renew(&self.all).context("the certificates stay as they were")?;
        if let Some(live) = &self.of_peers {
            let judge = Arc::clone(&live.current().judge);
            let now = UnixTime::now();
            border.judge_departed(|shown| judge.judge(shown, now).is_ok());
        }
        Ok(())
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
