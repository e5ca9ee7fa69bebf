//! A peer that proves itself by certificate.

use std::net::IpAddr;

use anyhow::Result;
use sbc_tests::{Certificate, Family, Gateway, Issued, Setup, TlsClient, Usage, Validity};

/// The certificate of the carrier.
pub(crate) const CARRIER: Certificate<'_> = Certificate {
    name: "carrier",
    uri_sans: &["sip:carrier.example"],
    dns_sans: &[],
    usage: Usage::Client,
    validity: Validity::Valid,
};

/// A gateway that knows the carrier, by its certificate and with further lines of its table.
pub(crate) fn setup(lines: &str) -> Setup {
    opening(r#"["udp"]"#, lines)
}

/// The same, for whom this is opened.
pub(crate) fn opening(transports: &str, lines: &str) -> Setup {
    Setup::new().tls("require").table(&format!(
        "[[peer]]\nname = \"carrier\"\nrequire = [\"tls\"]\nidentities = [\"carrier.example\"]\n\
         opens = {transports}\nmay-assert = [\"*@carrier.example\", \"*@example.com\"]\n{lines}"
    ))
}

/// The line that names its networks.
pub(crate) fn sources() -> String {
    format!("sources = {}\n", Family::SOURCES)
}

/// The carrier connects over TLS, and is let in.
pub(crate) fn connect(gateway: &Gateway, family: Family) -> Result<TlsClient> {
    let certificate = gateway.authority()?.issue(&CARRIER)?;
    let mut client = show(gateway, family, family.caller(), Some(&certificate))?;
    client.wait_until_connected()?;
    Ok(client)
}

/// Somebody at `local` connects over TLS and shows this certificate.
pub(crate) fn show(
    gateway: &Gateway,
    family: Family,
    local: IpAddr,
    certificate: Option<&Issued>,
) -> Result<TlsClient> {
    let authority = gateway.authority()?.certificate();
    TlsClient::connect(&gateway.internet, local, family.sips(), &authority, certificate)
}
