use std::collections::HashMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use thiserror::Error;

use super::{BadCertificate, SigningCertificate};

/// Larger than any chain.
const LARGEST_FILE: u64 = 1 << 20;
const MOST_CERTIFICATES: usize = 10_000;
const DEEPEST: usize = 8;

/// The certificates that are at hand, by the URL that PASSporTs name them by, and the authorities that are
/// believed.
#[derive(Debug)]
pub struct CertificateStore {
    pub(super) authorities: RootCertStore,
    by_url: HashMap<String, SigningCertificate>,
}

/// Why the certificates cannot be taken.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A file or directory cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file of the authorities is no PEM.
    #[error("{} is not valid PEM: {source}", path.display())]
    NotPem {
        /// Which.
        path: PathBuf,
        /// Where decoding stopped.
        source: pem::Error,
    },
    /// A certificate cannot be an authority, or there is none.
    #[error("{} holds no authority, or one that cannot be one", path.display())]
    Authority {
        /// Which file.
        path: PathBuf,
    },
    /// A certificate cannot be used.
    #[error("{}: {source}", path.display())]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: BadCertificate,
    },
    /// More files than 10,000, or directories in more than eight others.
    #[error("{} holds more than {MOST_CERTIFICATES} certificates, or too deep", path.display())]
    TooMany {
        /// Which directory.
        path: PathBuf,
    },
}

impl CertificateStore {
    /// Begins with the authorities of a PEM file.
    pub fn believing(path: &Path) -> Result<Self, StoreError> {
        let pem = read(path)?;
        let mut authorities = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate
                .map_err(|source| StoreError::NotPem { path: path.to_owned(), source })?;
            authorities
                .add(certificate)
                .map_err(|_| StoreError::Authority { path: path.to_owned() })?;
        }
        if authorities.is_empty() {
            return Err(StoreError::Authority { path: path.to_owned() });
        }
        Ok(Self { authorities, by_url: HashMap::new() })
    }

    /// Adds the certificate that stands at `url`, from a file.
    pub fn add(&mut self, url: &str, path: &Path) -> Result<(), StoreError> {
        let certificate = SigningCertificate::read(&read(path)?)
            .map_err(|source| StoreError::Certificate { path: path.to_owned(), source })?;
        self.by_url.insert(url.to_owned(), certificate);
        Ok(())
    }

    /// Adds the files of a directory: that of `https://host/path` stands at `host/path` in it.
    pub fn add_directory(&mut self, directory: &Path) -> Result<(), StoreError> {
        self.add_below(directory, "https:/", DEEPEST)
    }

    fn add_below(&mut self, directory: &Path, url: &str, depth: usize) -> Result<(), StoreError> {
        let unreadable = |source| StoreError::Unreadable { path: directory.to_owned(), source };
        let too_many = || StoreError::TooMany { path: directory.to_owned() };
        for entry in fs::read_dir(directory).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            // What no URL can name is not looked at, and neither is what begins with a dot.
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            if name.starts_with('.') {
                continue;
            }
            let url = format!("{url}/{name}");
            if entry.path().is_dir() {
                let depth = depth.checked_sub(1).ok_or_else(too_many)?;
                self.add_below(&entry.path(), &url, depth)?;
            } else {
                self.add(&url, &entry.path())?;
            }
            if self.by_url.len() > MOST_CERTIFICATES {
                return Err(too_many());
            }
        }
        Ok(())
    }

    /// How many certificates are at hand.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_url.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_url.is_empty()
    }

    pub(super) fn at(&self, url: &str) -> Option<&SigningCertificate> {
        self.by_url.get(url)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    let unreadable = |source| StoreError::Unreadable { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}
