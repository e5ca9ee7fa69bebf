//! Certificates that open nothing.

use anyhow::Result;
use sbc_tests::{Authority, Certificate, Family, Validity};

use crate::{
    carrier::{self, CARRIER, show, sources},
    expectation::Expect as _,
    promotion::LISTED,
};

#[test]
fn a_certificate_that_is_not_good_is_refused_for_what_is_wrong_with_it() -> Result<()> {
    for demand in ["require", "request"] {
        let gateway = carrier::setup(&sources()).tls(demand).start()?;
        let ours = gateway.authority()?;
        let folder = gateway.scratch().path();
        let theirs = Authority::new(folder.join("theirs"), "Theirs")?;
        // The name of ours, another key.
        let forged = Authority::new(folder.join("forged"), "Trusted")?;
        let of = |authority: &Authority, name, validity| {
            authority.issue(&Certificate { name, validity, ..CARRIER })
        };
        let rows = [
            (of(&theirs, "carrier", Validity::Valid)?, "unknown ca"),
            (of(&forged, "carrier", Validity::Valid)?, "decrypt error"),
            (of(ours, "expired", Validity::Expired)?, "expired"),
            (of(ours, "not-yet", Validity::NotYet)?, "expired"),
        ];
        for (certificate, alert) in rows {
            let caller = Family::V4.caller();
            let mut client = show(&gateway, Family::V4, caller, Some(&certificate))?;
            let (status, said) = client.wait_until_closed()?;
            assert!(!status.success() && said.contains(alert), "no {alert:?}: {said}");
        }
        gateway.expect_refused_connections(&[
            ("certificate-unknown-issuer", 1),
            ("certificate-invalid", 1),
            ("certificate-expired", 1),
            ("certificate-not-yet-valid", 1),
        ])?;
        gateway.expect_grants(&LISTED)?;
    }
    Ok(())
}

#[test]
fn a_client_without_certificate_is_refused_where_one_is_required() -> Result<()> {
    let gateway = carrier::setup(&sources()).start()?;
    for family in Family::ALL {
        let (status, said) = show(&gateway, family, family.caller(), None)?.wait_until_closed()?;
        assert!(!status.success() && said.contains("certificate required"), "{said}");
    }
    let status = gateway.expect_refused_connections(&[("certificate-missing", 2)])?;
    assert_eq!(status.received("tls")?, 0, "{status}");
    gateway.expect_grants(&LISTED)?;
    Ok(())
}

#[test]
fn a_good_certificate_of_nobody_we_know_opens_nothing() -> Result<()> {
    let gateway = carrier::setup(&sources()).start()?;
    let uri_sans: &[&str] = &["sip:other.example"];
    // RFC 5922 §7.1: DNS names do not count beside a SIP URI, and the common name never does.
    let other = Certificate { uri_sans, dns_sans: &["carrier.example"], ..CARRIER };
    let other = gateway.authority()?.issue(&Certificate { name: "carrier.example", ..other })?;
    show(&gateway, Family::V4, Family::V4.caller(), Some(&other))?.wait_until_closed()?;
    gateway.expect_refused_connections(&[("identity-unknown", 1)])?;
    gateway.expect_grants(&LISTED)?;
    Ok(())
}

#[test]
fn a_good_certificate_that_proves_no_domain_is_as_good_as_none() -> Result<()> {
    for (demand, refused) in [("require", &[("identity-missing", 1)][..]), ("request", &[])] {
        let gateway = carrier::setup(&sources()).tls(demand).start()?;
        // A name of its own, but no SIP URI and no DNS name.
        let nameless = Certificate { uri_sans: &["https://carrier.example"], ..CARRIER };
        let nameless = gateway.authority()?.issue(&nameless)?;
        let mut client = show(&gateway, Family::V4, Family::V4.caller(), Some(&nameless))?;
        if refused.is_empty() {
            client.wait_until_connected()?;
        } else {
            client.wait_until_closed()?;
        }
        gateway.expect_refused_connections(refused)?;
        gateway.expect_grants(&LISTED)?;
    }
    Ok(())
}

#[test]
fn a_peers_certificate_from_outside_its_sources_opens_nothing() -> Result<()> {
    let gateway = carrier::setup(&sources()).start()?;
    let certificate = gateway.authority()?.issue(&CARRIER)?;
    for family in Family::ALL {
        show(&gateway, family, family.elsewhere(), Some(&certificate))?.wait_until_closed()?;
    }
    gateway.expect_refused_connections(&[("identity-elsewhere", 2)])?;
    gateway.expect_grants(&LISTED)?;
    Ok(())
}
