use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why the authority could not do what it was asked to.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PkiError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is a file already, which is never overwritten.
    #[error("{} is there already; nothing was written", .0.display())]
    Exists(PathBuf),
    /// The directory is not that of an authority.
    #[error("{0} holds no authority; make one with: sbc pki init --dir {0}", path.display())]
    NoAuthority {
        /// The directory.
        path: PathBuf,
    },
    /// The authority's key is open to others.
    #[error("{0} is open to others than its owner; run: chmod 600 {0}", path.display())]
    KeyOpenToOthers {
        /// The file.
        path: PathBuf,
    },
    /// A file of the authority is not what it should be.
    #[error("{file} of the authority is damaged")]
    Damaged {
        /// Its name.
        file: &'static str,
    },
    /// Nothing was issued under a name, or it is revoked already.
    #[error("no certificate of {name} that is not revoked yet")]
    Unknown {
        /// The name.
        name: String,
    },
    /// A server without a name.
    #[error("a server needs a name or an address")]
    NoName,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
    /// A certificate cannot be made.
    #[error("the certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
}

impl PkiError {
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |source| Self::File { path: path.to_owned(), source }
    }
}
