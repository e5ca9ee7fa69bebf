//! Calls whose numbers are signed, by OpenSSL and by us.

use std::{fs, net::SocketAddr, path::Path, process::Command, time::SystemTime};

use anyhow::{Context as _, Result, ensure};
use sbc_tests::{Family, Scenario, Scratch, Setup, Sipp};

use crate::{
    endpoint::{Endpoint, ends},
    expectation::{Expect as _, expect_calls},
    request::Request,
};

const URL: &str = "https://sti.example/709A.pem";
const ORIGID: &str = "123e4567-e89b-12d3-a456-426655440000";
const CALLER: &str = "+12155551212";
const CALLEE: &str = "+12125551213";

/// A carrier's key and certificate, and its authority, all made by OpenSSL.
struct Carrier(Scratch);

impl Carrier {
    fn new() -> Result<Self> {
        let carrier = Self(Scratch::new()?);
        // RFC 8226 §9: a TNAuthList of one service provider.
        let extensions = "basicConstraints = critical, CA:FALSE\n\
                          1.3.6.1.5.5.7.1.26 = DER:3008a006160437303941\n";
        carrier.0.write("leaf.ext", extensions)?;
        for command in [
            "ecparam -name prime256v1 -genkey -noout -out root.key",
            "ecparam -name prime256v1 -genkey -noout -out leaf.key",
            "req -new -x509 -key root.key -subj /CN=STI -days 30 -out root.pem",
            "req -new -key leaf.key -subj /CN=709A -out leaf.csr",
            "x509 -req -in leaf.csr -CA root.pem -CAkey root.key -CAcreateserial -days 30 \
             -extfile leaf.ext -out leaf.pem",
        ] {
            carrier.openssl(command)?;
        }
        Ok(carrier)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn openssl(&self, arguments: &str) -> Result<()> {
        let mut openssl = Command::new("openssl");
        let output =
            openssl.args(arguments.split_whitespace()).current_dir(self.path()).output()?;
        ensure!(output.status.success(), "openssl {arguments}: {output:?}");
        Ok(())
    }

    /// An Identity header that this number calls [`CALLEE`], signed so many seconds ago.
    fn identity(&self, caller: &str, age: u64) -> Result<String> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
        let header = format!(r#"{{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"{URL}"}}"#);
        let claims = format!(
            r#"{{"attest":"A","dest":{{"tn":["{}"]}},"iat":{},"orig":{{"tn":"{}"}},"origid":"{ORIGID}"}}"#,
            &CALLEE[1..],
            now - age,
            &caller[1..]
        );
        let signed = format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes()));
        self.0.write("signed", &signed)?;
        self.openssl("dgst -sha256 -sign leaf.key -out signature signed")?;
        let signature = base64url(&fixed(&fs::read(self.path().join("signature"))?)?);
        Ok(format!("Identity: {signed}.{signature};info=<{URL}>;alg=ES256;ppt=shaken"))
    }

    /// The tables that believe it, with a peer of this policy.
    fn believed(&self, policy: &str) -> Setup {
        let (path, sources) = (self.path().display(), Family::SOURCES);
        Setup::new().table(&format!(
            "[stir]\nauthorities = \"{path}/root.pem\"\n\
             certificate = [{{ url = \"{URL}\", file = \"{path}/leaf.pem\" }}]\n\
             [[peer]]\nname = \"carrier\"\nrequire = [\"static\"]\nsources = {sources}\n\
             opens = [\"udp\"]\nmay-assert = [\"*@carrier.example\"]\n\
             stir = \"{policy}\""
        ))
    }
}

/// The two numbers of an ECDSA signature, which OpenSSL writes in DER, in 32 bytes each.
fn fixed(der: &[u8]) -> Result<Vec<u8>> {
    let mut rest = der.get(2..).context("no sequence")?;
    let mut fixed = Vec::new();
    for _ in 0..2 {
        let length = usize::from(*rest.get(1).context("no integer")?);
        let number = rest.get(2..2 + length).context("cut off")?;
        rest = rest.get(2 + length..).unwrap_or_default();
        // A zero in front says that it is positive.
        let number = number.get(number.len().saturating_sub(32)..).unwrap_or_default();
        fixed.extend(std::iter::repeat_n(0, 32 - number.len()).chain(number.iter().copied()));
    }
    Ok(fixed)
}

fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, place| {
            bits << 8 | u32::from(chunk.get(place).copied().unwrap_or_default())
        });
        for place in 0..=chunk.len() {
            let index = bits >> (18 - 6 * place) & 63;
            text.extend(ALPHABET.get(index as usize).copied().map(char::from));
        }
    }
    text
}

fn call(phone: &Endpoint) -> Request {
    let request = phone.request("INVITE").with_body();
    let from =
        request.from.replace("alice@example.com", &format!("{CALLER}@carrier.example;user=phone"));
    let to = request.to.replace("callee@", &format!("{CALLEE}@"));
    Request { from, to, uri: format!("sip:{CALLEE}@example.com"), ..request }
}

#[test]
fn the_upstream_is_told_whether_the_number_was_signed() -> Result<()> {
    let carrier = Carrier::new()?;
    let gateway = carrier.believed("mark").start()?;
    let (phone, upstream) = ends(&gateway)?;
    for (identity, verstat) in [
        (Some(carrier.identity(CALLER, 0)?), "TN-Validation-Passed"),
        (Some(carrier.identity("+12155550000", 0)?), "TN-Validation-Failed"),
        (Some(carrier.identity(CALLER, 120)?), "TN-Validation-Failed"),
        (
            Some(carrier.identity(CALLER, 1)?.replace(URL, "https://other.example/x")),
            "TN-Validation-Failed",
        ),
        (None, "No-TN-Validation"),
    ] {
        let mut request = call(&phone).header("Attestation-Info: A");
        request.headers.extend(identity);
        phone.send(Family::V4.sip(), &request)?;
        let arrived = upstream.hear()?;
        let expected = format!("<sip:{CALLER};verstat={verstat}@carrier.example;user=phone>");
        assert!(arrived.header("From").unwrap().starts_with(&expected), "{}", arrived.text);
        let attested: &[&str] = if verstat.ends_with("Passed") { &["A"] } else { &[] };
        assert_eq!(arrived.headers("Attestation-Info"), attested);
        // The caller's own From comes back as it was.
        upstream.send(arrived.from, &arrived.answer("180 Ringing", &[]))?;
        assert_eq!(phone.hear()?.header("From"), Some(request.from.as_str()));
    }
    Ok(())
}

#[test]
fn who_has_to_sign_and_does_not_is_refused_for_a_reason() -> Result<()> {
    let carrier = Carrier::new()?;
    let gateway = carrier.believed("require").start()?;
    let (phone, upstream) = ends(&gateway)?;
    let sip = Family::V4.sip();
    let good = carrier.identity(CALLER, 0)?;
    phone.ask(sip, &call(&phone), 428)?;
    phone.ask(sip, &call(&phone).header(carrier.identity(CALLER, 120)?), 403)?;
    phone.ask(sip, &call(&phone).header(carrier.identity("+12155550000", 0)?), 438)?;
    phone.ask(sip, &call(&phone).header("Identity: rubbish"), 438)?;
    phone.ask(sip, &call(&phone).header(good.replace("=ES256", "=ES384")), 437)?;
    let request = call(&phone).header(good.clone());
    phone.send(sip, &request)?;
    assert!(upstream.hear()?.text.contains(";verstat=TN-Validation-Passed@"));
    // What was signed for one call is good for few others.
    for _ in 0..3 {
        phone.send(sip, &call(&phone).header(good.clone()))?;
        assert!(upstream.hear()?.text.contains(";verstat=TN-Validation-Passed@"));
    }
    phone.ask(sip, &call(&phone).header(good), 438)?;
    phone.send(sip, &request)?;
    assert!(upstream.hear()?.text.contains(";verstat=TN-Validation-Passed@"));
    gateway.expect_outcomes(&[
        ("identity-missing", 1),
        ("identity-invalid", 5),
        ("request-relayed-inwards", 5),
    ])?;
    Ok(())
}

#[test]
fn a_signed_call_of_sipp_completes() -> Result<()> {
    let carrier = Carrier::new()?;
    let gateway = carrier.believed("require").start()?;
    let answering = Sipp::answering(Scenario::Answer, gateway.upstream()).start(&gateway.inside)?;
    let place = SocketAddr::new(Family::V4.caller(), 5070);
    let calling = Sipp::calling(Scenario::Call, place, Family::V4.sip())
        .from(CALLER)
        .to(CALLEE)
        .domain("carrier.example")
        .line(&carrier.identity(CALLER, 0)?);
    expect_calls(&calling.run(&gateway.internet)?, 1);
    let answered = answering.stop()?;
    expect_calls(&answered, 1);
    let verstat = format!("<sip:{CALLER};verstat=TN-Validation-Passed@carrier.example>");
    assert!(answered.messages.contains(&verstat), "{}", answered.messages);
    Ok(())
}

#[test]
fn a_call_that_goes_out_is_signed_and_the_next_border_believes_it() -> Result<()> {
    let carrier = Carrier::new()?;
    let path = carrier.path().display();
    let place = SocketAddr::new(Family::V4.caller(), 5070);
    let sources = Family::SOURCES;
    let gateway = Setup::new()
        .table(&format!(
            "[stir.sign]\nkey = \"{path}/leaf.key\"\ncertificate-url = \"{URL}\"\norigid = \"{ORIGID}\"\n\
             [[peer]]\nname = \"carrier\"\nrequire = [\"static\"]\nopens = [\"udp\"]\n\
             sources = {sources}\ntarget = \"sip:{place}\"\n\
             [[route]]\nhost = \"example.com\"\npeer = \"carrier\"\nattest = \"B\""
        ))
        .start()?;
    let (phone, upstream) = ends(&gateway)?;
    let mut request = call(&upstream);
    request.from = request.from.replace(CALLER, &format!("{CALLER};verstat=x"));
    upstream.send(Family::V4.sip_inside(), &request)?;
    let signed = phone.hear()?;
    let identity = signed.header("Identity").context("not signed")?.to_owned();
    assert!(identity.ends_with(&format!(";info=<{URL}>;alg=ES256;ppt=shaken")), "{identity}");
    assert!(signed.header("Date").is_some() && !signed.text.contains("verstat"), "{}", signed.text);
    drop((phone, upstream, gateway));

    let gateway = carrier.believed("require").start()?;
    let (phone, upstream) = ends(&gateway)?;
    phone.send(Family::V4.sip(), &call(&phone).header(format!("Identity: {identity}")))?;
    let arrived = upstream.hear()?;
    assert_eq!(arrived.headers("Attestation-Info"), ["B"]);
    Ok(())
}
