use std::fs;
use std::path::Path;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;
use x509_parser::revocation_list::CertificateRevocationList;

use crate::config::{Config, Proof, TargetHost};
use crate::doctor::{CertificateFact, CertificateRole, ListFact, RuleFact};
use crate::proof::tls::ExpiredLists;
use crate::transport::Transport;

/// A bundle of public authorities has some 150.
const MOST_OF_A_FILE: usize = 1000;

/// Certificates, lists and rules. What cannot be read is left out: the line configuration tells of it.
pub(super) fn certificates(
    config: &Config,
) -> (Vec<CertificateFact>, Vec<ListFact>, Vec<RuleFact>) {
    let (mut certificates, mut lists) = (Vec::new(), Vec::new());
    let dials = config.peers.iter().any(|peer| {
        let target = peer.target.as_ref();
        peer.requires(Proof::Tls) && target.is_some()
            || target.is_some_and(|target| target.transport() == Some(Transport::Tls))
    });
    if let Some(tls) = &config.tls {
        let role = if dials { CertificateRole::ServerAndClient } else { CertificateRole::Server };
        certificates.extend(first(&tls.certificate, role));
        let further = tls.further.iter();
        certificates
            .extend(further.filter_map(|it| first(&it.certificate, CertificateRole::Server)));
        for authorities in [Some(&tls.client_ca), tls.server_ca.as_ref()].into_iter().flatten() {
            certificates.extend(all(authorities));
        }
        lists.extend(tls.crls.iter().flat_map(|path| read_lists(path, tls.expired_crls)));
    }
    if let Some(tls) = &config.upstream.tls {
        let dials = config.upstream.targets.iter().any(|target| {
            let transport = target.uri.transport();
            transport == Some(Transport::Tls)
                || transport.is_none() && matches!(target.uri.host, TargetHost::Name(_))
        });
        let role = if dials { CertificateRole::ServerAndClient } else { CertificateRole::Server };
        certificates.extend(first(&tls.certificate, role));
        certificates.extend(all(&tls.ca));
        lists.extend(tls.crls.iter().flat_map(|path| read_lists(path, tls.expired_crls)));
    }
    let mut rules = Vec::new();
    let expired = config.tls.as_ref().map(|tls| tls.expired_crls).unwrap_or_default();
    for peer in config.peers.iter().filter(|peer| peer.requires(Proof::Tls)) {
        let rule = &peer.certificate;
        certificates.extend(rule.ca.iter().flat_map(|ca| all(ca)));
        lists.extend(rule.crls.iter().flat_map(|path| read_lists(path, expired)));
        rules.push(RuleFact {
            peer: peer.name.clone(),
            usage: rule.usage,
            is_its_own: rule.ca.is_some() || !rule.pins.is_empty(),
        });
    }
    (certificates, lists, rules)
}

/// The first of a chain: those between it and its authority are looked at by who is shown them.
fn first(path: &Path, role: CertificateRole) -> Option<CertificateFact> {
    read(path, role).into_iter().next()
}

fn all(path: &Path) -> Vec<CertificateFact> {
    read(path, CertificateRole::Authority)
}

fn read(path: &Path, role: CertificateRole) -> Vec<CertificateFact> {
    let Ok(pem) = fs::read(path) else { return Vec::new() };
    let certificates = CertificateDer::pem_slice_iter(&pem).take(MOST_OF_A_FILE).flatten();
    certificates
        .filter_map(|der| {
            let (_, parsed) = X509Certificate::from_der(&der).ok()?;
            Some(fact(path, role, &parsed))
        })
        .collect()
}

fn fact(path: &Path, role: CertificateRole, parsed: &X509Certificate<'_>) -> CertificateFact {
    let seconds = |timestamp: i64| u64::try_from(timestamp).unwrap_or(0);
    let usage = match parsed.extended_key_usage() {
        Ok(Some(usage)) => {
            [usage.value.any || usage.value.server_auth, usage.value.any || usage.value.client_auth]
        }
        Ok(None) | Err(_) => [true; 2],
    };
    CertificateFact {
        path: path.to_owned(),
        subject: parsed.subject().to_string(),
        role,
        not_before: seconds(parsed.validity().not_before.timestamp()),
        not_after: seconds(parsed.validity().not_after.timestamp()),
        usage,
    }
}

fn read_lists(path: &Path, expired: ExpiredLists) -> Vec<ListFact> {
    let Ok(bytes) = fs::read(path) else { return Vec::new() };
    let sections: Vec<_> = if bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
        CertificateRevocationListDer::pem_slice_iter(&bytes)
            .take(MOST_OF_A_FILE)
            .flatten()
            .collect()
    } else {
        vec![CertificateRevocationListDer::from(bytes)]
    };
    sections
        .iter()
        .filter_map(|der| {
            let (_, parsed) = CertificateRevocationList::from_der(der).ok()?;
            let next_update = u64::try_from(parsed.next_update()?.timestamp()).unwrap_or(0);
            Some(ListFact { path: path.to_owned(), next_update, expired })
        })
        .collect()
}
