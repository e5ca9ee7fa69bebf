//! Every combination of required proofs against every kind of arrival.

use super::tests::request;
use super::*;
use crate::config::sample;
use crate::proof::digest::test_client::{START, answer, settings, users};
use crate::proof::digest::{Algorithm, Allowance, DigestSettings, Failures};
use crate::session::RoutingKey;
use crate::transport::Transport::{self, Tcp, Tls, Udp};
use crate::upstream::Pool;

const PROOFS: [&str; 5] = ["static", "digest", "tls", "ipsec", "dns"];
const HERE: &str = "198.51.100.9:5060";
const ELSEWHERE: &str = "198.18.0.9:5060";
const TARGET: &str = "sip:bob@example.com";
const PEER: usize = 0;
const OTHER: usize = 1;

const SOURCES: &str = "sources = [\"198.51.100.0/24\"]\n";
const IDENTITIES: &str = "identities = [\"peer.example\"]\n";
const NAMES: &str = "names = [\"sip.peer.example\"]\n";
const OPENS: &str = "opens = [\"udp\"]\n";
/// Another peer, who is known by his certificate alone.
const REST: &str = r#"
may-assert = ["alice@example.com"]

[[peer]]
name = "other"
require = ["tls"]
identities = ["other.example"]
opens = ["udp", "tcp"]
"#;

/// Whose certificate was shown on the connection, or has opened the source of what comes in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Certificate {
    None,
    Peers,
    Others,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    None,
    Wrong,
    /// Of a user that the peer may speak for.
    Alice,
    /// Of one that it may not.
    Bob,
}

#[derive(Clone, Copy, Debug)]
struct Arrival {
    transport: Transport,
    is_listed: bool,
    /// The DNS gives the address for a name of the peer's.
    is_named: bool,
    certificate: Certificate,
    out_of_ipsec: bool,
    answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Accepted,
    Challenged,
    Refused,
}

/// All that can be: a peer with sources is let in over TLS from these alone, and it is by its sources that what
/// IPsec proves is known.
/// No address outside of them is its by its names.
fn arrivals(has_sources: bool, has_names: bool) -> impl Iterator<Item = Arrival> {
    let places = [(true, true), (true, false), (false, true), (false, false)];
    let all = [Udp, Tcp, Tls].into_iter().flat_map(move |transport| {
        places.into_iter().flat_map(move |(is_listed, is_named)| {
            [Certificate::None, Certificate::Peers, Certificate::Others].into_iter().flat_map(
                move |certificate| {
                    [true, false].into_iter().flat_map(move |out_of_ipsec| {
                        [Answer::None, Answer::Wrong, Answer::Alice, Answer::Bob].map(|answer| {
                            Arrival {
                                transport,
                                is_listed,
                                is_named,
                                certificate,
                                out_of_ipsec,
                                answer,
                            }
                        })
                    })
                },
            )
        })
    });
    all.filter(move |arrival| {
        let is_in_sources = arrival.is_listed && has_sources;
        (is_in_sources || !has_sources || arrival.certificate != Certificate::Peers)
            && (is_in_sources || !arrival.out_of_ipsec)
            && (!arrival.is_named || has_names && (is_in_sources || !has_sources))
    })
}

/// The rule: with all proofs it is accepted, if but an answer is missing it is challenged, and else refused. Who
/// it is tells a certificate, else the source.
fn fate(require: &[&str], has_sources: bool, arrival: Arrival) -> Fate {
    let is_peer = match arrival.certificate {
        Certificate::Others => return Fate::Accepted,
        Certificate::Peers => true,
        Certificate::None => has_sources && arrival.is_listed || arrival.is_named,
    };
    if !is_peer {
        return match arrival.answer {
            Answer::Alice | Answer::Bob => Fate::Accepted,
            Answer::None | Answer::Wrong => Fate::Challenged,
        };
    }
    let holds = |proof: &str| match proof {
        "static" => arrival.is_listed && matches!(arrival.transport, Udp | Tls),
        "tls" => arrival.certificate == Certificate::Peers,
        "dns" => arrival.is_named && matches!(arrival.transport, Udp | Tls),
        "ipsec" => arrival.out_of_ipsec,
        _ => false,
    };
    if require.iter().any(|proof| *proof != "digest" && !holds(proof)) {
        return Fate::Refused;
    }
    match arrival.answer {
        // Whatever is asked, nobody is let in who says to be somebody that the peer may not speak for.
        Answer::Bob => Fate::Refused,
        _ if !require.contains(&"digest") => Fate::Accepted,
        Answer::Alice => Fate::Accepted,
        Answer::None | Answer::Wrong => Fate::Challenged,
    }
}

struct Scene {
    config: Config,
    forwarder: Forwarder,
    digest: DigestCheck,
    now: UnixMillis,
}

impl Scene {
    fn new(config: Config) -> Self {
        let listeners = vec![
            (Udp, "203.0.113.1:5060".parse().unwrap()),
            (Udp, "10.0.0.1:5060".parse().unwrap()),
        ];
        let seal = TokenSeal::new(RoutingKey::new([7; 32]));
        let upstream = Pool::of(Flow::udp(1, "10.0.0.5:5060".parse().unwrap()));
        let forwarder = Forwarder::new(seal, listeners, 1, Arc::new(upstream));
        let many = Allowance { failures: 10_000, within: std::time::Duration::from_mins(1) };
        let failures = Failures::new(many, many, std::time::Duration::from_hours(1), START);
        let settings = DigestSettings { failures, ..settings(&[Algorithm::SHA_256], START) };
        Self { config, forwarder, digest: DigestCheck::new(settings, users(), START), now: START }
    }

    fn credentials(&self, arrival: Arrival, flow: &Flow) -> String {
        let (user, password) = match arrival.answer {
            Answer::None => return String::new(),
            Answer::Wrong => ("alice", "guess"),
            Answer::Alice => ("alice", "ecila"),
            Answer::Bob => ("bob", "bob"),
        };
        let nonce = self.digest.realm_of(&self.digest.realms(), []).nonce(flow.remote, self.now, 3);
        let nonce = String::from_utf8_lossy(&nonce);
        let challenge = format!("realm=\"example.com\",nonce=\"{nonce}\",algorithm=SHA-256");
        let credentials = answer(&challenge, user, password, ("INVITE", TARGET));
        format!("Proxy-Authorization: {credentials}\r\n")
    }

    fn fate(&mut self, arrival: Arrival) -> Fate {
        // Of what was used before a nonce of the same time may have been forgotten.
        self.now = UnixMillis(self.now.0 + 1);
        let remote = if arrival.is_listed { HERE } else { ELSEWHERE };
        let flow = Flow {
            transport: arrival.transport,
            listener: 0,
            remote: remote.parse().unwrap(),
            connection: 0,
        };
        let shown = match arrival.certificate {
            Certificate::None => None,
            Certificate::Peers => Some(PEER),
            Certificate::Others => Some(OTHER),
        };
        let evidence = Evidence {
            tls_connection: shown.filter(|_| arrival.transport == Tls),
            tls_source: shown.filter(|_| arrival.transport != Tls),
            ipsec_source: arrival.out_of_ipsec.then_some(PEER),
            dns_source: arrival.is_named.then_some(PEER),
            has_answered: false,
        };
        // What each of the two may be.
        let from = if arrival.answer == Answer::Bob { "sales" } else { "alice" };
        // Long enough for any answer.
        let more = format!("{}Subject: {}\r\n", self.credentials(arrival, &flow), "x".repeat(500));
        let request = request("INVITE", &format!("{from}@example.com"), &more);
        let request = Message::scan(request.as_bytes()).unwrap();
        let mut screen = Screen {
            config: &self.config,
            forwarder: &self.forwarder,
            digest: Some(&self.digest),
            vouching: None,
            now: self.now,
            nonce_number: 3,
            fingerprint: &|_| 1,
            buffer: Vec::new(),
            is_proven_guess: false,
        };
        match screen.screen(&request, &flow, &evidence) {
            Screened::Accepted { .. } => Fate::Accepted,
            Screened::Answered(_, reply) if reply.starts_with(b"SIP/2.0 407 ") => Fate::Challenged,
            Screened::Answered(_, reply) if reply.starts_with(b"SIP/2.0 403 ") => Fate::Refused,
            Screened::Answered(_, reply) => panic!("{}", String::from_utf8_lossy(&reply)),
            Screened::Silent(_) => Fate::Refused,
            Screened::Vouched { .. } => unreachable!("the users are ours"),
        }
    }
}

/// Every set of proofs, with and without each key that some of them need; those that may not be say why.
fn configurations() -> Vec<(Vec<&'static str>, bool)> {
    let mut accepted = Vec::new();
    let mut refused = 0;
    for bits in 0..1_u16 << (PROOFS.len() + 4) {
        let has = |at: usize| bits & 1 << at != 0;
        let require: Vec<_> =
            PROOFS.iter().enumerate().filter(|(at, _)| has(*at)).map(|(_, it)| *it).collect();
        let [sources, identities, opens, names] = [has(5), has(6), has(7), has(8)];
        let requires = |proof| require.contains(&proof);
        let text = format!(
            "{}\n[[peer]]\nname = \"peer\"\nrequire = {require:?}\n{}{}{}{}{REST}",
            sample::BASE,
            if sources { SOURCES } else { "" },
            if identities { IDENTITIES } else { "" },
            if opens { OPENS } else { "" },
            if names { NAMES } else { "" },
        );
        // Nothing to prove; a certificate of somebody, and one that nobody asks for; a source without which
        // nothing would tell who it is; something that is opened, but to nobody by digest alone.
        let is_by_source = requires("static") || requires("ipsec");
        let needs_sources = is_by_source || !requires("tls") && !requires("dns");
        let needs_opens = (is_by_source || requires("dns")) && !requires("tls");
        let is_right = !require.is_empty()
            && identities == requires("tls")
            && names == requires("dns")
            && (sources || !needs_sources)
            && (opens || !needs_opens)
            && !(opens && require == ["digest"]);
        match sample::parse(&text) {
            Ok(_) => {
                assert!(is_right, "accepted:\n{text}");
                accepted.push((require, sources, opens));
            }
            Err(error) => {
                assert!(!is_right, "{error}:\n{text}");
                let told = error.to_string();
                let names = ["require", "identities", "sources", "opens", "names"];
                assert!(names.iter().any(|name| told.contains(name)), "{told}");
                refused += 1;
            }
        }
    }
    assert_eq!((accepted.len(), refused), (57, 455));
    // What is not opened is nobody's in clear: these are looked at with what is.
    accepted.retain(|(require, _, opens)| *opens || *require == ["digest"]);
    accepted.into_iter().map(|(require, sources, _)| (require, sources)).collect()
}

#[test]
fn whatever_is_required_is_asked_of_whatever_arrives() {
    let configurations = configurations();
    assert_eq!(configurations.len(), 31 + 6, "some of tls, dns and digest without sources, too");
    for (require, has_sources) in configurations {
        let config = sample::config(&format!(
            "[[peer]]\nname = \"peer\"\nrequire = {require:?}\n{}{}{}{}{REST}",
            if has_sources { SOURCES } else { "" },
            if require.contains(&"tls") { IDENTITIES } else { "" },
            if require == ["digest"] { "" } else { OPENS },
            if require.contains(&"dns") { NAMES } else { "" },
        ));
        let mut scene = Scene::new(config);
        let mut looked = 0;
        for arrival in arrivals(has_sources, require.contains(&"dns")) {
            if arrival.certificate == Certificate::Peers && !require.contains(&"tls") {
                continue;
            }
            let expected = fate(&require, has_sources, arrival);
            assert_eq!(scene.fate(arrival), expected, "{require:?} {has_sources} {arrival:?}");
            looked += 1;
        }
        assert!(looked >= 3 * 2 * 2 * 4, "{looked}");
    }
}
