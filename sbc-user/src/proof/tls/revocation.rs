//! Certificate revocation lists (RFC 5280 §5).

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateRevocationListDer, UnixTime};
use webpki::{
    CertRevocationList, ExpirationPolicy, OwnedCertRevocationList, RevocationOptions,
    RevocationOptionsBuilder, UnknownStatusPolicy,
};
use x509_parser::prelude::FromDer as _;
use x509_parser::revocation_list::CertificateRevocationList;

use super::TlsError;
use super::files::{open, read};

/// A list says so for this long before its time is over; many are renewed weekly, or daily.
const NEARLY_OVER: u64 = 2 * 24 * 3600;

/// What becomes of certificates whose authority's list is past its next update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpiredLists {
    /// They are refused: what was revoked since then is not known.
    #[default]
    Refuse,
    /// They are judged by it all the same, and the operator is told.
    Warn,
}

/// The lists that certificates are looked up in.
#[derive(Debug)]
pub(super) struct RevocationLists {
    lists: Vec<List>,
    expired: ExpiredLists,
}

#[derive(Debug)]
struct List {
    path: PathBuf,
    content: CertRevocationList<'static>,
    /// Seconds since 1970.
    next_update: u64,
}

impl RevocationLists {
    /// Reads files, PEM or DER. Where two are of one authority those of `own` stand before those of
    /// `common`; within either that is an error, since the second would never be asked.
    pub(super) fn read(
        own: &[PathBuf],
        common: &[PathBuf],
        expired: ExpiredLists,
    ) -> Result<Self, TlsError> {
        let mut lists = read_all(own)?;
        let others = read_all(common)?;
        let is_new = |other: &List| !lists.iter().any(|list| list.is_in_place_of(other));
        let others: Vec<List> = others.into_iter().filter(is_new).collect();
        lists.extend(others);
        Ok(Self { lists, expired })
    }

    /// Hands the way to look a certificate up to `verify`: none where there are no lists.
    pub(super) fn with_options<R>(
        &self,
        verify: impl FnOnce(Option<RevocationOptions<'_>>) -> R,
    ) -> R {
        let lists: Vec<&CertRevocationList<'_>> =
            self.lists.iter().map(|list| &list.content).collect();
        // An authority that no list is configured for is believed.
        let options = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
            options
                .with_status_policy(UnknownStatusPolicy::Allow)
                .with_expiration_policy(match self.expired {
                    ExpiredLists::Refuse => ExpirationPolicy::Enforce,
                    ExpiredLists::Warn => ExpirationPolicy::Ignore,
                })
                .build()
        });
        verify(options)
    }

    /// What is hardly meant: lists that are past their time, or that nobody here is looked up in.
    pub(super) fn warnings(&self, authorities: &RootCertStore, now: UnixTime) -> Vec<String> {
        let mut warnings = Vec::new();
        for List { path, content, next_update } in &self.lists {
            let path = path.display();
            if *next_update < now.as_secs() {
                let consequence = match self.expired {
                    ExpiredLists::Refuse => "every certificate of its authority is refused",
                    ExpiredLists::Warn => "what was revoked since then is let in",
                };
                warnings.push(format!("{path} is past its next update: {consequence}"));
            }
            let left = next_update.saturating_sub(now.as_secs());
            if *next_update >= now.as_secs() && left < NEARLY_OVER {
                warnings.push(format!(
                    "{path} has to be renewed within {} days",
                    left / (24 * 3600) + 1
                ));
            }
            let is_asked =
                authorities.roots.iter().any(|anchor| anchor.subject.as_ref() == content.issuer());
            if !is_asked {
                warnings.push(format!(
                    "{path} is of none of the authorities that stand beside it: it is asked only \
                     about certificates of an authority below one of them"
                ));
            }
        }
        warnings
    }
}

impl List {
    fn is_in_place_of(&self, other: &Self) -> bool {
        self.content.issuer() == other.content.issuer()
            && self.content.issuing_distribution_point()
                == other.content.issuing_distribution_point()
    }
}

fn read_all(paths: &[PathBuf]) -> Result<Vec<List>, TlsError> {
    let mut lists: Vec<List> = Vec::new();
    for path in paths {
        for list in read_file(path)? {
            if let Some(twin) = lists.iter().find(|known| known.is_in_place_of(&list)) {
                return Err(TlsError::TwoLists { one: twin.path.clone(), other: path.clone() });
            }
            lists.push(list);
        }
    }
    Ok(lists)
}

fn read_file(path: &Path) -> Result<Vec<List>, TlsError> {
    let bytes = read(&mut open(path)?, path)?;
    let sections = if bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
        CertificateRevocationListDer::pem_slice_iter(&bytes)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| TlsError::NotPem { path: path.to_owned(), source })?
    } else {
        vec![CertificateRevocationListDer::from(bytes)]
    };
    if sections.is_empty() {
        return Err(TlsError::Missing {
            path: path.to_owned(),
            wanted: "revocation list (BEGIN X509 CRL, or DER)",
        });
    }
    sections.iter().map(|section| list(path, section)).collect()
}

fn list(path: &Path, der: &[u8]) -> Result<List, TlsError> {
    let unusable = |source| TlsError::List { path: path.to_owned(), source };
    let parsed = CertificateRevocationList::from_der(der);
    let (_, parsed) = parsed.map_err(|_| unusable(webpki::Error::BadDer))?;
    // What `openssl ca -gencrl` writes where nobody asks for extensions; webpki calls it damaged.
    if parsed.version().is_none() {
        return Err(unusable(webpki::Error::UnsupportedCrlVersion));
    }
    let content = OwnedCertRevocationList::from_der(der).map_err(unusable)?;
    let next_update = parsed.next_update().map_or(0, |time| time.timestamp());
    Ok(List {
        path: path.to_owned(),
        content: content.into(),
        next_update: u64::try_from(next_update).unwrap_or(0),
    })
}
