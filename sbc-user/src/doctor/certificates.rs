use std::path::Path;

use super::{CertificateFact, CertificateRole, Check, Facts, Finding, ListFact};
use crate::proof::tls::{CertificateUsage, ExpiredLists};

const DAY: u64 = 24 * 3600;
/// A certificate takes some time to be renewed where somebody does it by hand.
const NEARLY_OVER: u64 = 30 * DAY;
/// An authority takes longer: all who have certificates of it need new ones.
const AUTHORITY_NEARLY_OVER: u64 = 180 * DAY;
/// Lists are renewed monthly, weekly, or daily.
const LIST_NEARLY_OVER: u64 = 7 * DAY;

pub(super) fn examine(facts: &Facts, told: &mut Vec<Finding>) {
    let now = facts.clock.now;
    let (authorities, ours): (Vec<_>, Vec<_>) =
        facts.certificates.iter().partition(|it| it.role == CertificateRole::Authority);
    ends(now, &ours, Check::Certificates, NEARLY_OVER, told);
    ends(now, &authorities, Check::Authorities, AUTHORITY_NEARLY_OVER, told);
    usage(facts, &ours, told);
    lists(now, &facts.lists, told);
}

fn ends(
    now: u64,
    certificates: &[&CertificateFact],
    check: Check,
    nearly: u64,
    told: &mut Vec<Finding>,
) {
    let before = told.len();
    for certificate in certificates {
        let name = format!("{} ({})", certificate.path.display(), certificate.subject);
        let next = renew(certificate);
        if certificate.not_before > now {
            told.push(Finding::failure(
                check,
                format!("{name} is not good yet: is the clock right?"),
                "date; timedatectl",
            ));
        } else if certificate.not_after < now {
            told.push(Finding::failure(check, format!("{name} has expired"), next));
        } else if certificate.not_after - now < nearly {
            let days = (certificate.not_after - now) / DAY;
            told.push(Finding::warning(check, format!("{name} expires in {days} days"), next));
        }
    }
    let soonest = certificates.iter().map(|it| it.not_after).min();
    if let Some(soonest) = soonest.filter(|_| told.len() == before) {
        let days = soonest.saturating_sub(now) / DAY;
        told.push(Finding::ok(check, format!("good for {days} days and more")));
    }
}

fn renew(certificate: &CertificateFact) -> String {
    match certificate.role {
        CertificateRole::Authority => {
            "ask whose authority it is for the next one, and list both until all peers have moved"
                .to_owned()
        }
        CertificateRole::Server | CertificateRole::ServerAndClient => {
            "renew it (`sbc pki server --replace NAME`, or your authority), then `sbc reload`"
                .to_owned()
        }
    }
}

fn usage(facts: &Facts, ours: &[&CertificateFact], told: &mut Vec<Finding>) {
    let before = told.len();
    for certificate in ours {
        let path = certificate.path.display();
        let [server, client] = certificate.usage;
        if !server {
            told.push(Finding::failure(
                Check::CertificateUsage,
                format!("{path} is not for servers (serverAuth): who connects to us refuses it"),
                "get one with the extended key usage serverAuth",
            ));
        }
        if !client && certificate.role == CertificateRole::ServerAndClient {
            told.push(Finding::warning(
                Check::CertificateUsage,
                format!(
                    "{path} is not for clients (clientAuth), and we show it to whom we connect to: who asks for \
                     that refuses us. Public authorities no longer issue it"
                ),
                "ask the peer whether it takes serverAuth, or show it a certificate of a private authority",
            ));
        }
    }
    for rule in &facts.rules {
        let is_narrow = match rule.usage {
            CertificateUsage::ClientAuth => Some("client-auth"),
            CertificateUsage::SipDomain => Some("sip-domain"),
            CertificateUsage::ServerAuthToo | CertificateUsage::Any => None,
        };
        let Some(usage) = is_narrow.filter(|_| !rule.is_its_own) else { continue };
        told.push(Finding::warning(
            Check::CertificateUsage,
            format!(
                "peer {:?} has usage = {usage:?}, and public authorities no longer issue such certificates: when \
                 it renews its own it is refused",
                rule.peer
            ),
            "certificate = { usage = \"server-auth-too\" }, unless a private authority signs for it: then name that \
             in ca",
        ));
    }
    if told.len() == before && !(ours.is_empty() && facts.rules.is_empty()) {
        told.push(Finding::ok(Check::CertificateUsage, "for what they are used for"));
    }
}

fn lists(now: u64, lists: &[ListFact], told: &mut Vec<Finding>) {
    let before = told.len();
    for ListFact { path, next_update, expired } in lists {
        let next = renew_list(path);
        let path = path.display();
        if *next_update < now {
            told.push(match expired {
                ExpiredLists::Refuse => Finding::failure(
                    Check::RevocationLists,
                    format!(
                        "{path} is past its next update: every peer of its authority is refused"
                    ),
                    next,
                ),
                ExpiredLists::Warn => Finding::warning(
                    Check::RevocationLists,
                    format!("{path} is past its next update: who was revoked since then is let in"),
                    next,
                ),
            });
        } else if next_update - now < LIST_NEARLY_OVER {
            let days = (next_update - now) / DAY;
            told.push(Finding::warning(
                Check::RevocationLists,
                format!("{path} has to be renewed within {} days", days + 1),
                next,
            ));
        }
    }
    if told.len() == before && !lists.is_empty() {
        told.push(Finding::ok(Check::RevocationLists, "all are fresh"));
    }
}

fn renew_list(path: &Path) -> String {
    let directory = path.parent().unwrap_or(path).display();
    format!("`sbc pki crl --dir {directory}`, or fetch it from its authority; then `sbc reload`")
}
