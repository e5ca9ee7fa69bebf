use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::values::from_text;
use super::{Peer, Tls, UpstreamTls};
use crate::proof::tls::{CertificateUsage, KeyPin, PeerTrust, TlsFiles};

/// `certificate` of a `[[peer]]`: what its certificate has to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PeerCertificate {
    /// The authorities of this peer alone, PEM; absent: those of `[tls]`, or none where keys are pinned.
    pub ca: Option<PathBuf>,
    /// The keys that it may have.
    pub pins: Vec<PinnedKey>,
    /// What it has to be for.
    pub usage: CertificateUsage,
    /// What `ca` has revoked, PEM or DER.
    pub crls: Vec<PathBuf>,
    /// Whether the common name counts in a certificate without alternative names.
    pub common_name: bool,
}

/// A key that a peer may have, by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinnedKey(pub KeyPin);

impl std::str::FromStr for PinnedKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

from_text!(PinnedKey);

impl PeerCertificate {
    /// What is wrong with it on its own.
    pub(super) fn problem(&self) -> Option<&'static str> {
        if self.ca.is_none() && !self.pins.is_empty() && !self.crls.is_empty() {
            return Some(
                "certificate has pins and crls without ca: a pinned key alone is looked up in no list",
            );
        }
        None
    }

    pub(super) fn resolve_paths(&mut self, directory: &Path) {
        for path in self.ca.iter_mut().chain(&mut self.crls) {
            *path = directory.join(&path);
        }
    }
}

impl Peer {
    /// What its certificate has to be.
    #[must_use]
    pub fn trust(&self) -> PeerTrust {
        let PeerCertificate { ca, pins, usage, crls, common_name } = &self.certificate;
        PeerTrust {
            identities: self.identities.iter().map(|identity| identity.0.clone()).collect(),
            by_common_name: *common_name,
            authorities: ca.clone(),
            pins: pins.iter().map(|pin| pin.0).collect(),
            usage: *usage,
            revocation_lists: crls.clone(),
        }
    }
}

impl Tls {
    /// Its files, for connections that are made to us.
    #[must_use]
    pub fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            client_ca: self.client_ca.clone(),
            further: self.further.clone(),
            revocation_lists: self.crls.clone(),
            expired_lists: self.expired_crls,
        }
    }

    /// The same, for connections that we make.
    #[must_use]
    pub fn files_for_servers(&self) -> TlsFiles {
        let client_ca = self.server_ca.clone().unwrap_or_else(|| self.client_ca.clone());
        TlsFiles { client_ca, ..self.files() }
    }

    pub(super) fn resolve_paths(&mut self, directory: &Path) {
        let further = self.further.iter_mut().flat_map(|it| [&mut it.certificate, &mut it.key]);
        let own = [&mut self.certificate, &mut self.key, &mut self.client_ca];
        for path in own.into_iter().chain(further).chain(&mut self.server_ca).chain(&mut self.crls)
        {
            *path = directory.join(&path);
        }
    }
}

impl UpstreamTls {
    /// Its files.
    #[must_use]
    pub fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            client_ca: self.ca.clone(),
            revocation_lists: self.crls.clone(),
            expired_lists: self.expired_crls,
            ..TlsFiles::default()
        }
    }

    pub(super) fn resolve_paths(&mut self, directory: &Path) {
        let own = [&mut self.certificate, &mut self.key, &mut self.ca];
        for path in own.into_iter().chain(&mut self.crls) {
            *path = directory.join(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::sample;
    use crate::proof::tls::{CertificateUsage, ExpiredLists};

    const PIN: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    fn peer(certificate: &str) -> String {
        format!(
            "{}\n[[peer]]\nname = \"a\"\nrequire = [\"tls\"]\nidentities = [\"a.example\"]\n\
             certificate = {certificate}\n",
            sample::BASE
        )
    }

    #[test]
    fn what_is_said_of_a_peers_certificate_is_what_it_is_judged_by() {
        let text = format!(
            "{{ ca = \"a.pem\", pins = [{PIN:?}], usage = \"client-auth\", crls = [\"a.crl\"], \
             common-name = true }}"
        );
        let config = sample::parse(&peer(&text)).unwrap();
        let trust = config.peers[0].trust();
        assert_eq!(trust.identities[0].as_str(), "a.example");
        assert_eq!(trust.authorities.as_deref(), Some(Path::new("/etc/sbc/a.pem")));
        assert_eq!(trust.revocation_lists, [Path::new("/etc/sbc/a.crl")]);
        assert_eq!((trust.pins.len(), trust.by_common_name), (1, true));
        assert_eq!(trust.usage, CertificateUsage::ClientAuth);

        let plain = sample::parse(&peer("{}")).unwrap().peers[0].trust();
        assert_eq!(plain.usage, CertificateUsage::ServerAuthToo);
        assert!(plain.authorities.is_none() && plain.pins.is_empty() && !plain.by_common_name);
    }

    #[test]
    fn the_files_of_a_listener_are_found_beside_the_configuration() {
        let text = sample::BASE.replace(
            "client-ca = \"peers.pem\"",
            "client-ca = \"peers.pem\"\ncrls = [\"peers.crl\"]\nexpired-crls = \"warn\"\n\
             further = [{ certificate = \"b.pem\", key = \"/b.key\" }]",
        );
        let config = sample::parse(&text).unwrap();
        let files = config.tls.as_ref().unwrap().files();
        assert_eq!(files.revocation_lists, [Path::new("/etc/sbc/peers.crl")]);
        assert_eq!(files.expired_lists, ExpiredLists::Warn);
        assert_eq!(files.further[0].certificate, Path::new("/etc/sbc/b.pem"));
        assert_eq!(files.further[0].key, Path::new("/b.key"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let pinned = format!("{{ pins = [{PIN:?}], crls = [\"a.crl\"] }}");
        for (certificate, expected) in [
            (pinned.as_str(), "pins and crls without ca"),
            ("{ pins = [\"abc\"] }", "64 hexadecimal digits"),
            ("{ usage = \"servers\" }", "unknown variant `servers`"),
            ("{ cn = true }", "unknown field `cn`"),
        ] {
            let error = sample::parse(&peer(certificate)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let without_tls = peer("{ common-name = true }")
            .replace("identities = [\"a.example\"]", "sources = [\"192.0.2.1\"]\nopens = [\"udp\"]")
            .replace("require = [\"tls\"]", "require = [\"static\"]");
        let error = sample::parse(&without_tls).unwrap_err().to_string();
        assert!(error.contains("certificate without tls in require"), "{error}");
    }
}
