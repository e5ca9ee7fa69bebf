use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, UnixTime};
use thiserror::Error;
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter};
use x509_parser::asn1_rs::{FromDer as _, Oid, oid};
use x509_parser::certificate::X509Certificate;

use super::{BadAuthorization, TnAuthorization};

/// id-pe-TNAuthList (RFC 8226 §9).
const TN_AUTH_LIST: Oid<'static> = oid!(1.3.6.1.5.5.7.1.26);
/// id-ecPublicKey and secp256r1 (RFC 5480 §2.1).
const EC_PUBLIC_KEY: Oid<'static> = oid!(1.2.840.10045.2.1);
const P256: Oid<'static> = oid!(1.2.840.10045.3.1.7);

/// Seconds for which what was found out about a chain holds.
const JUDGED_FOR: u64 = 60;
/// Links of a chain: an authority's own has two or three.
const LONGEST_CHAIN: usize = 8;

/// A certificate that calls are signed with (RFC 8226), and those between it and an authority.
#[derive(Debug)]
pub struct SigningCertificate {
    chain: Vec<CertificateDer<'static>>,
    public_key: Vec<u8>,
    authorization: TnAuthorization,
    /// When it was last looked at, and whether it led to an authority.
    judged: Mutex<Option<(u64, bool)>>,
}

/// Why a certificate cannot be used to verify calls.
#[derive(Debug, Error)]
pub enum BadCertificate {
    /// Not PEM.
    #[error("it is not valid PEM: {0}")]
    NotPem(pem::Error),
    /// There is none.
    #[error("it holds no certificate (BEGIN CERTIFICATE), or more than {LONGEST_CHAIN}")]
    Chain,
    /// The first one cannot be read.
    #[error("it is no X.509 certificate")]
    Unreadable,
    /// Its key is none of ES256.
    #[error("its key is not an elliptic curve key of P-256")]
    Key,
    /// It says not for whom it may sign.
    #[error("it has no TNAuthList (RFC 8226)")]
    NoAuthorization,
    /// What it says of that cannot be read.
    #[error(transparent)]
    Authorization(#[from] BadAuthorization),
}

impl SigningCertificate {
    /// Reads PEM: the certificate that signs, and then those that lead to an authority.
    pub fn read(pem: &[u8]) -> Result<Self, BadCertificate> {
        let chain = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(BadCertificate::NotPem)?;
        let first = chain.first().filter(|_| chain.len() <= LONGEST_CHAIN);
        let first = first.ok_or(BadCertificate::Chain)?;
        let (rest, certificate) =
            X509Certificate::from_der(first).map_err(|_| BadCertificate::Unreadable)?;
        if !rest.is_empty() {
            return Err(BadCertificate::Unreadable);
        }
        let key = certificate.public_key();
        let curve = key.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
        if key.algorithm.algorithm != EC_PUBLIC_KEY || curve != Some(P256) {
            return Err(BadCertificate::Key);
        }
        let public_key = key.subject_public_key.data.to_vec();
        let extension = certificate
            .get_extension_unique(&TN_AUTH_LIST)
            .map_err(|_| BadCertificate::Unreadable)?
            .ok_or(BadCertificate::NoAuthorization)?;
        let authorization = TnAuthorization::read(extension.value)?;
        Ok(Self { public_key, authorization, judged: Mutex::new(None), chain })
    }

    /// For which numbers it may sign.
    #[must_use]
    pub const fn authorization(&self) -> &TnAuthorization {
        &self.authorization
    }

    /// Says whether it leads to one of these authorities, at a time in seconds since 1970.
    pub(super) fn leads_to(&self, authorities: &RootCertStore, now: u64) -> bool {
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, leads)) = *judged
            && now.checked_sub(at).is_some_and(|age| age < JUDGED_FOR)
        {
            return leads;
        }
        let leads = self.is_valid(authorities, now);
        *judged = Some((now, leads));
        leads
    }

    fn is_valid(&self, authorities: &RootCertStore, now: u64) -> bool {
        let Some((first, between)) = self.chain.split_first() else { return false };
        let time = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let algorithms = default_provider().signature_verification_algorithms.all;
        EndEntityCert::try_from(first).is_ok_and(|certificate| {
            let roots = &authorities.roots;
            certificate
                .verify_for_usage(algorithms, roots, between, time, AnyUsage, None, None)
                .is_ok()
        })
    }

    /// Says whether its key has made this signature, 64 bytes as in RFC 7518 §3.4.
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.public_key);
        key.verify(message, signature).is_ok()
    }
}

/// What a certificate may sign is said by its TNAuthList.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}
