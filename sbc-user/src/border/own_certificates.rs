//! How long our own certificates are good.

use std::path::Path;

use rustls::pki_types::UnixTime;
use serde::{Deserialize, Serialize};

use super::Border;
use super::parts::locked;
use crate::config::Config;
use crate::proof::tls::{TlsError, last_second};

/// A certificate that we show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CertificateStatus {
    /// Where the configuration names it: `tls`, `tls.further.1` and so on, `upstream.tls`.
    pub place: String,
    /// The last second that it, and all between it and its authority, are good at, in seconds since 1970.
    pub expires_at: u64,
    /// Seconds left; zero if its time is over.
    pub expires_in_seconds: u64,
}

/// The certificates as they were when they were last put in force.
#[derive(Debug, Default)]
pub(super) struct OwnCertificates(Vec<(String, u64)>);

impl OwnCertificates {
    fn read(config: &Config) -> Result<Self, TlsError> {
        let mut read = Vec::new();
        let mut note = |place: String, certificate: &Path| {
            read.extend(last_second(certificate)?.map(|last| (place, last)));
            Ok(())
        };
        if let Some(tls) = &config.tls {
            note("tls".to_owned(), &tls.certificate)?;
            for (position, further) in (1..).zip(&tls.further) {
                note(format!("tls.further.{position}"), &further.certificate)?;
            }
        }
        if let Some(tls) = &config.upstream.tls {
            note("upstream.tls".to_owned(), &tls.certificate)?;
        }
        Ok(Self(read))
    }
}

impl<T> Border<T> {
    /// Notes how long the certificates are good that have just been put in force.
    pub fn note_own_certificates(&self, config: &Config) -> Result<(), TlsError> {
        *locked(&self.own_certificates) = OwnCertificates::read(config)?;
        Ok(())
    }

    pub(super) fn certificates_status(&self) -> Vec<CertificateStatus> {
        let now = UnixTime::now().as_secs();
        let status = |(place, expires_at): &(String, u64)| CertificateStatus {
            place: place.clone(),
            expires_at: *expires_at,
            expires_in_seconds: expires_at.saturating_sub(now),
        };
        locked(&self.own_certificates).0.iter().map(status).collect()
    }
}
