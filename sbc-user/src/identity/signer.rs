use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use thiserror::Error;
use zeroize::Zeroizing;

use super::date::rfc1123;
use super::number::{callee, caller};
use super::passport::{Claims, Dest, ES256, Header, Orig, PASSPORT, SHAKEN};
use super::{Attestation, IdentityHeader};
use crate::sip::{HeaderKind, Message, Rewrite};

/// Access for others than the owner.
const OTHERS: u32 = 0o077;
const LARGEST_FILE: u64 = 1 << 16;

/// Signs which number calls which.
#[derive(Debug)]
pub struct Signer {
    key: EcdsaKeyPair,
    certificate_url: String,
    origid: Origid,
}

/// Names where calls come from (RFC 8588 §5): a UUID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origid(String);

/// Why nothing can be signed.
#[derive(Debug, Error)]
pub enum SignerError {
    /// The key's file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key's file is open to others than its owner.
    #[error(
        "private key {0} is open to others than its owner (mode {mode:04o}); run: chmod 600 {0}",
        path.display()
    )]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It holds no key that ES256 can be made with.
    #[error("{} holds no private key of P-256 (PKCS #8 or SEC 1, not encrypted)", path.display())]
    Key {
        /// Which.
        path: PathBuf,
    },
}

impl Signer {
    /// Reads the private key, PEM, of the certificate that is found at `certificate_url`.
    pub fn load(path: &Path, certificate_url: &str, origid: &Origid) -> Result<Self, SignerError> {
        let unreadable = |source| SignerError::Unreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        // Asked of the open file, so that it cannot be exchanged in between.
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
        if mode & OTHERS != 0 {
            return Err(SignerError::Exposed { path: path.to_owned(), mode });
        }
        let mut pem = Zeroizing::new(Vec::new());
        file.take(LARGEST_FILE).read_to_end(&mut pem).map_err(unreadable)?;
        let wrong = || SignerError::Key { path: path.to_owned() };
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| wrong())?;
        let key =
            EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, key.secret_der())
                .map_err(|_| wrong())?;
        let certificate_url = certificate_url.to_owned();
        Ok(Self { key, certificate_url, origid: origid.clone() })
    }

    /// The request with an Identity header, and a Date if it has none, signed at a time in seconds since
    /// 1970. `None` if it does not go from a number to a number, if it is signed already, or if it would
    /// be too large.
    #[must_use]
    pub fn signed(
        &self,
        request: &Message<'_>,
        attestation: Attestation,
        now: u64,
    ) -> Option<Vec<u8>> {
        if request.headers_of(HeaderKind::Identity).any(|header| is_shaken(header.value)) {
            return None;
        }
        let written = |number: &[u8]| String::from_utf8(number.to_vec()).ok();
        let header = Header {
            alg: ES256.to_owned(),
            ppt: SHAKEN.to_owned(),
            typ: PASSPORT.to_owned(),
            x5u: self.certificate_url.clone(),
        };
        let claims = Claims {
            attest: attestation,
            dest: Dest { tn: vec![written(callee(request)?.canonical())?] },
            iat: now,
            orig: Orig { tn: written(caller(request)?.canonical())? },
            origid: self.origid.0.clone(),
        };
        let encode = |json: Vec<u8>| URL_SAFE_NO_PAD.encode(json);
        let header = encode(serde_json::to_vec(&header).ok()?);
        let claims = encode(serde_json::to_vec(&claims).ok()?);
        let signed = format!("{header}.{claims}");
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
        let signature = URL_SAFE_NO_PAD.encode(signature);
        let url = &self.certificate_url;
        let mut rewrite = Rewrite::new(request);
        if !request.headers().any(|header| header.name.eq_ignore_ascii_case(b"Date")) {
            rewrite.append("Date", rfc1123(now));
        }
        let value = format!("{signed}.{signature};info=<{url}>;alg={ES256};ppt={SHAKEN}");
        rewrite.append(HeaderKind::Identity.name(), value);
        let mut message = Vec::new();
        rewrite.write(&mut message).ok()?;
        Some(message)
    }
}

/// What cannot be read is left to who verifies it, which would refuse two of them.
fn is_shaken(value: &[u8]) -> bool {
    IdentityHeader::parse(value).map_or(true, |identity| identity.kind == Some(SHAKEN.as_bytes()))
}

impl FromStr for Origid {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_uuid = text.len() == 36
            && text.bytes().enumerate().all(|(place, byte)| match place {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            });
        if is_uuid {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("{text:?} is not a UUID such as \"de305d54-75b4-431b-adb2-eb6b9e546014\""))
    }
}

impl<'de> serde::Deserialize<'de> for Origid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
