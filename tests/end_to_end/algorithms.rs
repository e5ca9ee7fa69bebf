//! Every way of answering a challenge that can be offered, and those that real phones know.

use std::{fmt::Write as _, net::SocketAddr};

use anyhow::{Context as _, Result};
use md5::Md5;
use sbc_tests::{Baresip, Family, Kamailio, Scenario, Setup, Sipp};
use sha2::{Digest, Sha256, Sha512_256};

use crate::{
    calls::ALICE,
    endpoint::Endpoint,
    expectation::{Expect as _, expect_calls},
};

/// An algorithm, and what its hash function does.
struct Known(&'static str, fn(&[u8]) -> String);

const ALGORITHMS: [Known; 6] = [
    Known("SHA-512-256", hex::<Sha512_256>),
    Known("SHA-256", hex::<Sha256>),
    Known("MD5", hex::<Md5>),
    Known("SHA-512-256-sess", hex::<Sha512_256>),
    Known("SHA-256-sess", hex::<Sha256>),
    Known("MD5-sess", hex::<Md5>),
];

/// Debian's sipp 3.6.1 and baresip 1.0.0 know MD5 alone. That baresip does not register at all where there are
/// headers for SHA-512-256 and SHA-256 too.
const OFFERS: [&str; 3] = ["[\"auth\"]", "[\"auth\", \"auth-int\"]", "[\"auth-int\", \"auth\"]"];

#[test]
fn a_phone_registers_with_each_algorithm_qop_and_way_to_name_itself() -> Result<()> {
    let names = ALGORITHMS.map(|Known(name, _)| name);
    let setup = Setup::new().challenging_strangers();
    let setup = setup.users(&format!("algorithms = {names:?}"), &[ALICE]);
    let digest = "[digest]\nqop = [\"auth\", \"auth-int\"]\nuserhash = true";
    let gateway = setup.table(digest).start()?;
    let upstream = Endpoint::bind(&gateway.inside, Family::V4.upstream())?;
    let mut port = 5070;
    for Known(algorithm, hash) in ALGORITHMS {
        for qop in ["auth", "auth-int"] {
            for userhash in [false, true] {
                let phone = SocketAddr::new(Family::V4.caller(), port);
                let phone = Endpoint::bind(&gateway.internet, phone)?;
                port += 1;
                // As long as all six challenges; a stranger's must not be fragmented.
                let request = phone.request("REGISTER").with_body();
                let long = request.clone().header(format!("Subject: {}", "x".repeat(600)));
                let refusal = phone.ask(Family::V4.sip(), &long, 401)?;
                let challenges = refusal.headers("WWW-Authenticate");
                let offered = format!("algorithm={algorithm},qop=\"auth,auth-int\",userhash=true");
                let challenge = challenges.iter().find(|it| it.contains(&offered));
                let challenge = challenge.with_context(|| refusal.text.clone())?;
                let nonce = challenge.split("nonce=\"").nth(1).and_then(|it| it.split('"').next());
                let nonce = nonce.context("no nonce")?;

                let mut secret = hash(b"alice:example.com:secret");
                if algorithm.ends_with("-sess") {
                    secret = hash(format!("{secret}:{nonce}:c0ffee").as_bytes());
                }
                let mut target = format!("REGISTER:{}", request.uri);
                if qop == "auth-int" {
                    let _ = write!(target, ":{}", hash(request.body.as_bytes()));
                }
                let target = hash(target.as_bytes());
                let response = format!("{secret}:{nonce}:00000001:c0ffee:{qop}:{target}");
                let response = hash(response.as_bytes());
                let hashed = hash(b"alice:example.com");
                let name = if userhash { hashed.as_str() } else { "alice" };
                let header = format!(
                    "Authorization: Digest username=\"{name}\", realm=\"example.com\", nonce=\"{nonce}\", \
                     uri=\"{}\", response=\"{response}\", algorithm={algorithm}, cnonce=\"c0ffee\", \
                     qop={qop}, nc=00000001, userhash={userhash}",
                    request.uri
                );
                phone.send(Family::V4.sip(), &request.next().header(header))?;
                let heard = upstream.hear().with_context(|| format!("{algorithm}, {qop}"))?;
                assert!(heard.start_line().starts_with("REGISTER "));
            }
        }
    }
    gateway.expect_outcomes(&[("challenged", 24), ("request-relayed-inwards", 24)])?;
    Ok(())
}

#[test]
fn sipp_and_baresip_register_with_what_they_know_of_the_offer() -> Result<()> {
    for qop in OFFERS {
        let setup = Setup::new().challenging_strangers();
        let setup = setup.users("algorithms = [\"MD5\"]", &[ALICE]);
        let digest = format!("[digest]\nqop = {qop}\nuserhash = true");
        let gateway = setup.table(&digest).start()?;
        let kamailio = Kamailio::start(&gateway.inside, gateway.upstream())?;
        let sipp = SocketAddr::new(Family::V4.caller(), 5071);
        let sipp = Sipp::calling(Scenario::Registration, sipp, Family::V4.sip()).over_tcp();
        expect_calls(&sipp.credentials("alice", "secret").run(&gateway.internet)?, 1);
        let contacts = kamailio.contacts("alice")?.len();
        assert_eq!(contacts, 1, "{qop}");
        let phone = SocketAddr::new(Family::V4.caller(), 5070);
        let mut phone = Baresip::start(&gateway.internet, phone, "tcp", Family::V4.sip(), ALICE)?;
        phone.wait_until_registered().with_context(|| format!("qop = {qop}"))?;
        assert_eq!(kamailio.contacts("alice")?.len(), 2);
    }
    Ok(())
}

#[test]
fn who_guesses_is_refused_and_his_neighbour_is_not() -> Result<()> {
    let setup = Setup::new().challenging_strangers();
    let setup = setup.users("algorithms = [\"SHA-256\"]", &[ALICE]);
    let gateway = setup.table("[digest]\nfailed-proofs-per-source = \"3 in 1h\"").start()?;
    let bind = |address| Endpoint::bind(&gateway.internet, SocketAddr::new(address, 5070));
    let (guesser, phone) = (bind(Family::V4.caller())?, bind(Family::V4.neighbour())?);
    let upstream = Endpoint::bind(&gateway.inside, Family::V4.upstream())?;
    let to = Family::V4.sip();
    for (password, status) in [("a", 407), ("b", 407), ("c", 407), ("secret", 403)] {
        let options = guesser.request("OPTIONS").with_body();
        let refusal = guesser.ask(to, &options, 407)?;
        let answer = crate::digest::Login("alice", password).answer(&options, &refusal)?;
        guesser.ask(to, &answer, status)?;
    }
    let options = phone.request("OPTIONS").with_body();
    let refusal = phone.ask(to, &options, 407)?;
    phone.send(to, &crate::digest::Login("alice", "secret").answer(&options, &refusal)?)?;
    upstream.hear()?;
    let outcomes = [
        ("challenged", 5),
        ("wrong-credentials", 3),
        ("too-many-failures", 1),
        ("request-relayed-inwards", 1),
    ];
    gateway.expect_outcomes(&outcomes)?;
    Ok(())
}

fn hex<D: Digest>(text: &[u8]) -> String {
    D::digest(text).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Debian's Kamailio 5.6.3 knows MD5 alone too, and looks at the first header only.
#[test]
fn kamailio_answers_a_challenge_for_its_customers() -> Result<()> {
    // Who calls in sipp's scenario.
    const CALLER: [&str; 2] = ["caller", "secret"];
    for algorithms in ["[\"MD5\"]", "[\"MD5\", \"SHA-256\"]"] {
        let setup = Setup::new().challenging_strangers();
        let setup = setup.users(&format!("algorithms = {algorithms}"), &[CALLER]);
        let gateway = setup.start()?;
        let proxy = SocketAddr::new(Family::V4.caller(), 5060);
        let (host, border) = (&gateway.internet, Family::V4.sip());
        let _proxy = Kamailio::start_as_digest_client(host, proxy, border, CALLER)?;
        let answering =
            Sipp::answering(Scenario::Answer, gateway.upstream()).start(&gateway.inside)?;
        let customer = SocketAddr::new(Family::V4.neighbour(), 5070);
        expect_calls(&Sipp::calling(Scenario::Call, customer, proxy).run(host)?, 1);
        expect_calls(&answering.stop()?, 1);
        gateway.expect_proven(&[["198.51.100.7:5060", "digest", "user caller"]])?;
    }
    Ok(())
}
