//! Certificates and keys, and what follows a handshake.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use sbc_tests::Issued;

/// A keepalive (RFC 5626 §3.5.1), by whose answer the client knows that the server is done with its half of the
/// handshake: with TLS 1.3 the client is so before.
pub(crate) const PING: &[u8; 4] = b"\r\n\r\n";
pub(crate) const PONG: &[u8; 2] = b"\r\n";

/// Who somebody is, and whom he believes; PEM.
#[derive(Clone, clap::Args)]
pub(crate) struct Files {
    #[arg(long)]
    certificate: PathBuf,
    #[arg(long)]
    key: PathBuf,
    #[arg(long)]
    authority: PathBuf,
}

impl Files {
    pub(crate) fn new(own: &Issued, authority: PathBuf) -> Self {
        Self { certificate: own.chain.clone(), key: own.key.clone(), authority }
    }

    /// As arguments that are read as these files.
    pub(crate) fn arguments(&self) -> [&Path; 6] {
        [
            "--certificate".as_ref(),
            &self.certificate,
            "--key".as_ref(),
            &self.key,
            "--authority".as_ref(),
            &self.authority,
        ]
    }

    /// As Kamailio's TLS module reads them.
    pub(crate) fn for_kamailio(&self) -> String {
        format!(
            "certificate = {}\nprivate_key = {}\nca_list = {}\n",
            self.certificate.display(),
            self.key.display(),
            self.authority.display()
        )
    }

    pub(crate) fn chain(&self) -> Result<Vec<CertificateDer<'static>>> {
        certificates(&self.certificate)
    }

    pub(crate) fn private_key(&self) -> Result<PrivateKeyDer<'static>> {
        PrivateKeyDer::from_pem_file(&self.key)
            .with_context(|| format!("reading {}", self.key.display()))
    }

    pub(crate) fn roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.authority)? {
            roots.add(certificate)?;
        }
        Ok(roots)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .with_context(|| format!("reading {}", path.display()))
}
