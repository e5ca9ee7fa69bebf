use super::*;
use crate::config::sample;
use crate::sip::Uri;
use crate::transport::Transport;

/// A peer of which all but `require` and `sources` is fixed; over TCP nothing is opened.
fn peers(require: &str, sources: &str) -> Peers {
    let quoted: Vec<_> = require.split('+').map(|proof| format!("\"{proof}\"")).collect();
    let identities = if require.contains("tls") { "identities = [\"peer.example\"]" } else { "" };
    let names = if require.contains("dns") { "names = [\"sip.peer.example\"]" } else { "" };
    let opens = if require == "digest" { "" } else { "opens = [\"udp\"]" };
    let config = sample::config(&format!(
        "[[peer]]\nname = \"peer\"\nrequire = [{}]\n{identities}\n{names}\n{sources}\n{opens}\n\
         may-assert = [\"*@peer.example\"]",
        quoted.join(", ")
    ));
    config.peers
}

fn flow(transport: Transport, address: &str) -> Flow {
    Flow {
        transport,
        listener: 0,
        remote: format!("{address}:5060").parse().unwrap(),
        connection: 0,
    }
}

fn letter(standing: Standing) -> char {
    match standing {
        Standing::Proven(0) => 'P',
        Standing::NeedsDigest(Some(0)) => 'D',
        Standing::NeedsDigest(None) => 'd',
        Standing::Lacking => '-',
        Standing::Proven(_) | Standing::NeedsDigest(Some(_)) => '?',
    }
}

const CONNECTION: Evidence = Evidence { tls_connection: Some(0), ..NOTHING };
const SOURCE: Evidence = Evidence { tls_source: Some(0), ..NOTHING };
const NOTHING: Evidence = Evidence {
    tls_connection: None,
    tls_source: None,
    ipsec_source: None,
    dns_source: None,
    has_answered: false,
};

#[test]
fn every_combination_of_required_proofs_and_evidence_has_its_standing() {
    use Transport::{Tcp, Tls, Udp};
    const HERE: &str = "198.51.100.9";
    const ELSEWHERE: &str = "198.18.0.9";
    // Nothing but the address: UDP, TCP (which the peer does not open), TLS without certificate.
    // Then a certificate on the connection, a certificate that opened the source, and another
    // address over UDP and TLS. P proven, D digest as the peer, d digest as a user, - lacking.
    let columns = [
        (Udp, HERE, NOTHING),
        (Tcp, HERE, NOTHING),
        (Tls, HERE, NOTHING),
        (Tls, HERE, CONNECTION),
        (Udp, HERE, SOURCE),
        (Udp, ELSEWHERE, NOTHING),
        (Tls, ELSEWHERE, NOTHING),
    ];
    let table = [
        ("static", "P-P  dd"),
        ("digest", "DDD  dd"),
        ("static+digest", "D-D  dd"),
        ("tls", "---PPdd"),
        ("static+tls", "---PPdd"),
        ("digest+tls", "---DDdd"),
        ("static+digest+tls", "---DDdd"),
    ];
    for (require, row) in table {
        let peers = peers(require, "sources = [\"198.51.100.0/24\"]");
        for ((transport, address, evidence), expected) in columns.iter().zip(row.chars()) {
            if expected == ' ' {
                continue;
            }
            let standing = Standing::of(evidence, &flow(*transport, address), &peers, true);
            assert_eq!(letter(standing), expected, "{require}, {transport} {address} {evidence:?}");
        }
    }
}

#[test]
fn ipsec_is_asked_for_beside_everything_else() {
    use Transport::{Tcp, Tls, Udp};
    const HERE: &str = "198.51.100.9";
    for (require, expected) in [
        ("ipsec", "PPPPP"),
        ("ipsec+static", "P-PPP"),
        ("ipsec+digest", "DDDDD"),
        ("ipsec+tls", "---PP"),
        ("ipsec+static+digest+tls", "---DD"),
    ] {
        let peers = peers(require, "sources = [\"198.51.100.0/24\"]");
        let columns =
            [(Udp, NOTHING), (Tcp, NOTHING), (Tls, NOTHING), (Tls, CONNECTION), (Udp, SOURCE)];
        for ((transport, evidence), expected) in columns.into_iter().zip(expected.chars()) {
            let of = |ipsec_source| {
                let evidence = Evidence { ipsec_source, ..evidence };
                letter(Standing::of(&evidence, &flow(transport, HERE), &peers, true))
            };
            assert_eq!(of(Some(0)), expected, "{require}, {transport} {evidence:?}");
            assert_eq!((of(None), of(Some(1))), ('-', '-'), "{require}, {transport} {evidence:?}");
        }
    }
}

#[test]
fn the_dns_is_asked_for_beside_everything_else_and_gives_way_to_what_is_written() {
    use Transport::{Tcp, Tls, Udp};
    const HERE: &str = "198.51.100.9";
    for (require, expected) in [
        ("dns", "P-PPP"),
        ("dns+static", "P-PPP"),
        ("dns+digest", "D-DDD"),
        ("dns+tls", "---PP"),
        ("dns+static+digest+tls", "---DD"),
    ] {
        for sources in ["sources = [\"198.51.100.0/24\"]", ""] {
            if sources.is_empty() && require.contains("static") {
                continue;
            }
            let peers = peers(require, sources);
            let columns =
                [(Udp, NOTHING), (Tcp, NOTHING), (Tls, NOTHING), (Tls, CONNECTION), (Udp, SOURCE)];
            for ((transport, evidence), expected) in columns.into_iter().zip(expected.chars()) {
                let at = format!("{require} {sources} {transport} {evidence:?}");
                let of = |dns_source| {
                    let evidence = Evidence { dns_source, ..evidence };
                    letter(Standing::of(&evidence, &flow(transport, HERE), &peers, true))
                };
                assert_eq!(of(Some(0)), expected, "{at}");
                let is_anybody = sources.is_empty() && evidence == NOTHING;
                assert_eq!(of(None), if is_anybody { 'd' } else { '-' }, "{at}");
            }
        }
    }
    let peers = peers("static", "sources = [\"198.51.100.0/24\"]");
    let evidence = Evidence { dns_source: Some(1), ..NOTHING };
    assert_eq!(letter(Standing::of(&evidence, &flow(Udp, HERE), &peers, true)), 'P');
}

#[test]
fn a_peer_without_sources_is_known_by_its_certificate_only() {
    for (require, proven) in [("tls", 'P'), ("digest+tls", 'D')] {
        let peers = peers(require, "");
        let clear = flow(Transport::Udp, "198.18.0.9");
        let tls = flow(Transport::Tls, "198.18.0.9");
        assert_eq!(letter(Standing::of(&CONNECTION, &tls, &peers, true)), proven);
        assert_eq!(letter(Standing::of(&SOURCE, &clear, &peers, true)), proven);
        assert_eq!(letter(Standing::of(&NOTHING, &clear, &peers, true)), 'd');
    }
}

#[test]
fn without_users_a_stranger_has_no_way_to_prove_himself() {
    let stranger = flow(Transport::Udp, "198.18.0.9");
    assert_eq!(Standing::of(&NOTHING, &stranger, &Peers::default(), false), Standing::Lacking);
    assert_eq!(
        Standing::of(&NOTHING, &stranger, &Peers::default(), true),
        Standing::NeedsDigest(None)
    );
}

#[test]
fn that_somebody_answered_is_no_proof_of_who_it_is() {
    let answered = Evidence { has_answered: true, ..NOTHING };
    let peers = peers("static+tls", "sources = [\"198.51.100.0/24\"]");
    for (address, expected) in [("198.51.100.9", '-'), ("198.18.0.9", 'd')] {
        let flow = flow(Transport::Udp, address);
        assert_eq!(letter(Standing::of(&answered, &flow, &peers, true)), expected);
    }
}

#[test]
fn without_credentials_only_a_proven_peer_may_claim_what_is_listed_for_it() {
    let listed = peers("static", "sources = [\"198.51.100.0/24\"]");
    let uri = Uri::parse(b"sip:anyone@peer.example").unwrap();
    let other = Uri::parse(b"sip:anyone@other.example").unwrap();
    assert!(Standing::Proven(0).mandate(&listed).may_assert(&uri));
    assert!(!Standing::Proven(0).mandate(&listed).may_assert(&other));
    for standing in [Standing::NeedsDigest(Some(0)), Standing::NeedsDigest(None), Standing::Lacking]
    {
        assert!(!standing.mandate(&listed).may_assert(&uri));
    }
    let unlisted = "[[peer]]\nname = \"peer\"\nrequire = [\"static\"]\nopens = [\"udp\"]\n\
                    sources = [\"198.51.100.0/24\"]\n";
    let unlisted = sample::config(unlisted).peers;
    assert!(Standing::Proven(0).mandate(&unlisted).may_assert(&other));
}
