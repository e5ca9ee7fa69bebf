//! The files that TLS is configured with.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use thiserror::Error;

use super::{ExpiredLists, ShownCertificate};

/// Permission bits that let anyone but the owner at a private key.
const OTHERS: u32 = 0o077;

/// Our own certificate says so for this long before its time is over.
const NEARLY_OVER: u64 = 14 * 24 * 3600;

/// Where a TLS listener finds its own certificate and whom it believes; PEM, and revocation lists DER too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The listener's certificate, followed by its intermediate certificates.
    pub certificate: PathBuf,
    /// The private key of that certificate (PKCS#8, PKCS#1 or SEC1), readable by its owner only.
    pub key: PathBuf,
    /// The authorities that the certificates of peers must chain to.
    pub client_ca: PathBuf,
    /// Certificates that are shown to who asks for one of their names.
    pub further: Vec<CertificateFiles>,
    /// What the authorities have revoked.
    pub revocation_lists: Vec<PathBuf>,
    /// What becomes of certificates whose authority's list is past its time.
    pub expired_lists: ExpiredLists,
}

/// A certificate of ours.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CertificateFiles {
    /// The certificate, followed by its intermediate certificates.
    pub certificate: PathBuf,
    /// Its private key (PKCS#8, PKCS#1 or SEC1), readable by its owner only.
    pub key: PathBuf,
}

/// Why the TLS files cannot be used; says which file and what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The private key is open to others than its owner.
    #[error(
        "private key {0} is open to others than its owner (mode {mode:04o}); \
         run: chmod 600 {0}",
        path.display()
    )]
    KeyOpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The private key is protected by a passphrase, and nobody is there to type it.
    #[error(
        "private key {0} is encrypted; write it without passphrase with: \
         openssl pkey -in {0} -out FILE",
        path.display()
    )]
    KeyEncrypted {
        /// The file.
        path: PathBuf,
    },
    /// A PEM file is damaged.
    #[error("{} is not valid PEM: {source}", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// Where decoding stopped.
        source: pem::Error,
    },
    /// A file holds no section of the kind it is for.
    #[error("{} holds no {wanted}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What the file should hold.
        wanted: &'static str,
    },
    /// A certificate of the authorities' file cannot be used.
    #[error("certificate number {position} in {} cannot be an authority: {source}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// Position in the file, from 1.
        position: usize,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// Certificate and key do not belong together, or are of a kind that is not supported.
    #[error(
        "certificate {} and private key {} cannot be used together: {source}",
        certificate.display(),
        key.display()
    )]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong with them.
        source: rustls::Error,
    },
    /// A revocation list is damaged, or of a kind that is not supported.
    #[error("revocation list {} cannot be used: {source}", path.display())]
    List {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: webpki::Error,
    },
    /// Only one of the lists of one authority would be asked.
    #[error(
        "revocation lists {} and {} are of the same authority: name the newer one only",
        one.display(),
        other.display()
    )]
    TwoLists {
        /// The one file.
        one: PathBuf,
        /// The other, or the same.
        other: PathBuf,
    },
    /// The cryptography provider offers no protocol version in common with us; a bug of ours.
    #[error("no usable TLS version: {0}")]
    Versions(rustls::Error),
}

impl TlsFiles {
    /// The certificate that is shown first of all.
    pub(super) fn own(&self) -> CertificateFiles {
        CertificateFiles { certificate: self.certificate.clone(), key: self.key.clone() }
    }

    pub(super) fn authorities(&self) -> Result<RootCertStore, TlsError> {
        Self::authorities_of(&self.client_ca)
    }

    pub(super) fn authorities_of(path: &Path) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        for (index, certificate) in certificates(path)?.into_iter().enumerate() {
            roots.add(certificate).map_err(|source| TlsError::Authority {
                path: path.to_owned(),
                position: index.saturating_add(1),
                source,
            })?;
        }
        Ok(roots)
    }

    /// Which of our own certificates are no good, or not for long.
    pub(super) fn own_warnings(&self, now: UnixTime) -> Result<Vec<String>, TlsError> {
        let mut warnings = Vec::new();
        for files in [self.own()].iter().chain(&self.further) {
            let path = files.certificate.display();
            let shown = ShownCertificate::read(&files.certificates()?);
            match shown.map(|shown| shown.seconds_left(now)) {
                None => warnings.push(format!("{path} cannot be read as others will read it")),
                Some(None) => warnings.push(format!("{path} has expired: peers will refuse it")),
                Some(Some(left)) if left < NEARLY_OVER => {
                    warnings.push(format!("{path} expires in {} days", left / (24 * 3600)));
                }
                Some(Some(_)) => {}
            }
        }
        Ok(warnings)
    }
}

impl CertificateFiles {
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        certificates(&self.certificate)
    }

    /// What is wrong with the two together.
    pub(super) fn pair(&self, source: rustls::Error) -> TlsError {
        TlsError::Pair { certificate: self.certificate.clone(), key: self.key.clone(), source }
    }

    pub(super) fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        let path = &self.key;
        let mut file = open(path)?;
        // The permissions of the opened file, so that it cannot be exchanged in between.
        let metadata = file.metadata().map_err(unreadable(path))?;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & OTHERS != 0 {
            return Err(TlsError::KeyOpenToOthers { path: path.clone(), mode });
        }

        let pem = read(&mut file, path)?;
        match PrivateKeyDer::from_pem_slice(&pem) {
            Ok(key) => Ok(key),
            Err(pem::Error::NoItemsFound) if is_encrypted(&pem) => {
                Err(TlsError::KeyEncrypted { path: path.clone() })
            }
            Err(pem::Error::NoItemsFound) => Err(TlsError::Missing {
                path: path.clone(),
                wanted: "private key (BEGIN PRIVATE KEY)",
            }),
            Err(_) if is_encrypted(&pem) => Err(TlsError::KeyEncrypted { path: path.clone() }),
            Err(source) => Err(TlsError::NotPem { path: path.clone(), source }),
        }
    }
}

/// The last second that a certificate of ours, and all between it and its authority, are good at, in seconds since
/// 1970; `None` if others could not read it.
pub fn last_second(certificate: &Path) -> Result<Option<u64>, TlsError> {
    let shown = ShownCertificate::read(&certificates(certificate)?);
    Ok(shown.map(|shown| shown.not_after()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(&mut open(path)?, path)?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| TlsError::NotPem { path: path.to_owned(), source })?;
    if certificates.is_empty() {
        return Err(TlsError::Missing {
            path: path.to_owned(),
            wanted: "certificate (BEGIN CERTIFICATE)",
        });
    }
    Ok(certificates)
}

pub(super) fn open(path: &Path) -> Result<File, TlsError> {
    File::open(path).map_err(unreadable(path))
}

pub(super) fn read(file: &mut File, path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(unreadable(path))?;
    Ok(bytes)
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> TlsError {
    |source| TlsError::Unreadable { path: path.to_owned(), source }
}

/// PKCS#8 says it in the label, the older formats in a `Proc-Type: 4,ENCRYPTED` line.
fn is_encrypted(pem: &[u8]) -> bool {
    String::from_utf8_lossy(pem).contains("ENCRYPTED")
}
