//! A small certificate authority, for a first installation: one directory with everything in it.
//!
//! Nothing is ever overwritten but the revocation list and the index; what makes room for something new is
//! kept under another name. Two commands at a time wait for each other.

mod directory;
mod error;
mod index;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber,
};

use directory::Directory;
pub use error::PkiError;
use index::{Entry, Index};

use crate::proof::tls::Identity;

/// How long an authority is good: it is what peers are configured with.
const LIFE_OF_AUTHORITY: Duration = Duration::from_hours(24 * 3650);
/// By so much the clocks of others may be late.
const SLACK: Duration = Duration::from_mins(5);
/// id-kp-sipDomain (RFC 5924 §3).
const SIP_DOMAIN: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 3, 20];

/// What a certificate is issued for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A listener of ours, under these names or addresses; it is kept under the first.
    Server(Vec<ServerName>),
    /// A peer with this SIP domain.
    Peer(Identity),
}

/// A name or an address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerName {
    /// A host or a SIP domain.
    Domain(Identity),
    /// An address.
    Address(IpAddr),
}

/// The files of a certificate, and until when it is good.
#[derive(Clone, Debug)]
pub struct Made {
    /// The certificate, or the revocation list; PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM, for its owner alone; a revocation list has none.
    pub key: Option<PathBuf>,
    /// Its last second.
    pub until: SystemTime,
}

/// An authority in its directory.
pub struct Authority {
    directory: Directory,
    index: Index,
}

impl Authority {
    /// Makes one in a directory, which is made too where it is missing, and an empty revocation list that is
    /// good for so long.
    pub fn init(
        path: &std::path::Path,
        name: &str,
        life_of_list: Duration,
    ) -> Result<(Self, Made, Made), PkiError> {
        let directory = Directory::make(path)?;
        let key = KeyPair::generate()?;
        let now = SystemTime::now();
        let until = now + LIFE_OF_AUTHORITY;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = Some(SerialNumber::from_slice(&new_serial()?));
        params.not_before = (now - SLACK).into();
        params.not_after = until.into();
        let certificate = params.self_signed(&key)?;
        let key_file = directory.write_secret("ca.key", &key.serialize_pem())?;
        let file = directory.write_new("ca.pem", &certificate.pem())?;
        let index = Index::begin(&directory)?;
        let authority = Self { directory, index };
        let list = authority.write_list(life_of_list)?;
        Ok((authority, Made { certificate: file, key: Some(key_file), until }, list))
    }

    /// Opens that of a directory, and keeps it from others until dropped.
    pub fn open(path: &std::path::Path) -> Result<Self, PkiError> {
        let directory = Directory::open(path)?;
        let index = Index::open(&directory)?;
        Ok(Self { directory, index })
    }

    /// Issues a certificate with a new key, good for so long, but not longer than the authority. `replacing`
    /// puts those of the same subject out of the way.
    pub fn issue(
        &mut self,
        subject: &Subject,
        life: Duration,
        replacing: bool,
    ) -> Result<Made, PkiError> {
        let (issuer, end) = self.issuer()?;
        let (folder, name) = (subject.folder(), subject.name().ok_or(PkiError::NoName)?);
        let [file, key_file] = files(folder, &name);
        if replacing {
            self.put_away(folder, &name)?;
        }
        self.directory.is_free(&file)?;
        self.directory.is_free(&key_file)?;
        let now = SystemTime::now();
        let until = (now + life).min(end);
        let serial = new_serial()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(&name);
        params.subject_alt_names = subject.alternative_names()?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::Other(SIP_DOMAIN.to_vec()),
        ];
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.not_before = (now - SLACK).into();
        params.not_after = until.into();
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?;
        // First of all, so that there is no certificate that cannot be revoked.
        let entry = Entry::new(&serial, folder, &name, until);
        self.index.add(&self.directory, entry)?;
        let key = self.directory.write_secret(&key_file, &key.serialize_pem())?;
        let certificate = self.directory.write_new(&file, &certificate.pem())?;
        Ok(Made { certificate, key: Some(key), until })
    }

    /// Revokes all certificates of this name that are not revoked yet, puts their files out of the way, and
    /// writes the list anew; returns how many they were.
    pub fn revoke(
        &mut self,
        name: &str,
        life_of_list: Duration,
    ) -> Result<(usize, Made), PkiError> {
        let revoked = self.index.revoke(&self.directory, name, SystemTime::now())?;
        if revoked == 0 {
            return Err(PkiError::Unknown { name: name.to_owned() });
        }
        let list = self.write_list(life_of_list)?;
        for folder in [SERVERS, PEERS] {
            self.put_away(folder, name)?;
        }
        Ok((revoked, list))
    }

    /// Writes the revocation list anew, good for so long.
    pub fn write_list(&self, life: Duration) -> Result<Made, PkiError> {
        let (issuer, _) = self.issuer()?;
        let now = SystemTime::now();
        let until = now + life;
        let revoked = self.index.revoked().map(|(serial, when)| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&serial),
            revocation_time: when.into(),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: (now - SLACK).into(),
            next_update: until.into(),
            crl_number: SerialNumber::from(self.directory.next_list_number()?),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&issuer)?.pem()?;
        let certificate = self.directory.replace("crl.pem", &list, directory::READABLE)?;
        Ok(Made { certificate, key: None, until })
    }

    /// The authority's certificate and its revocation list.
    #[must_use]
    pub fn files(&self) -> [PathBuf; 2] {
        ["ca.pem", "crl.pem"].map(|name| self.directory.path(name))
    }

    fn issuer(&self) -> Result<(Issuer<'static, KeyPair>, SystemTime), PkiError> {
        let key = KeyPair::from_pem(&self.directory.read_secret("ca.key")?)?;
        let certificate = self.directory.read("ca.pem")?;
        let end = directory::end_of(&certificate).ok_or(PkiError::Damaged { file: "ca.pem" })?;
        Ok((Issuer::from_ca_cert_pem(&certificate, key)?, end))
    }

    fn put_away(&self, folder: &str, name: &str) -> Result<(), PkiError> {
        for file in files(folder, name) {
            self.directory.put_away(&file)?;
        }
        Ok(())
    }
}

const SERVERS: &str = "servers";
const PEERS: &str = "peers";

fn files(folder: &str, name: &str) -> [String; 2] {
    ["pem", "key"].map(|kind| format!("{folder}/{name}.{kind}"))
}

impl Subject {
    const fn folder(&self) -> &'static str {
        match self {
            Self::Server(_) => SERVERS,
            Self::Peer(_) => PEERS,
        }
    }

    fn name(&self) -> Option<String> {
        match self {
            Self::Server(names) => names.first().map(|name| match name {
                ServerName::Domain(domain) => domain.to_string(),
                ServerName::Address(address) => address.to_string(),
            }),
            Self::Peer(domain) => Some(domain.to_string()),
        }
    }

    /// The SIP domain as a URI and as a DNS name: not everybody looks at the former (RFC 5922 §7.1).
    fn alternative_names(&self) -> Result<Vec<SanType>, PkiError> {
        let of_domain = |domain: &Identity| -> Result<[SanType; 2], PkiError> {
            let uri = format!("sip:{domain}").as_str().try_into()?;
            Ok([SanType::URI(uri), SanType::DnsName(domain.as_str().try_into()?)])
        };
        let names = match self {
            Self::Peer(domain) => return Ok(of_domain(domain)?.into()),
            Self::Server(names) => names,
        };
        let mut alternative = Vec::new();
        for name in names {
            match name {
                ServerName::Domain(domain) => alternative.extend(of_domain(domain)?),
                ServerName::Address(address) => alternative.push(SanType::IpAddress(*address)),
            }
        }
        Ok(alternative)
    }
}

impl std::str::FromStr for ServerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        text.parse().map(Self::Domain).map_err(|_| {
            format!("{text:?} is neither a domain such as sip.example.com nor an address")
        })
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// A random positive number of 16 bytes, which nobody can foresee (RFC 5280 §4.1.2.2).
fn new_serial() -> Result<[u8; 16], PkiError> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(|_| PkiError::NoRandomness)?;
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x3f | 0x40;
    }
    Ok(serial)
}
