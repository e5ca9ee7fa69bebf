use rcgen::SanType;

use crate::proof::tls::test_authority::{Authority, dns, uri};
use crate::proof::tls::{Identity, MAX_IDENTITIES, identities};

fn proved_by(names: &[SanType]) -> Vec<String> {
    let leaf = Authority::new("authority").issue_for(names);
    identities(&leaf.certificate).iter().map(ToString::to_string).collect()
}

#[test]
fn a_sip_uri_is_preferred_to_dns_names() {
    let names = [dns("web.example"), uri("sip:carrier.example"), dns("mail.example")];
    assert_eq!(proved_by(&names), ["carrier.example"]);
}

#[test]
fn all_sip_uris_count() {
    let names = [uri("sip:a.example"), uri("sip:b.example"), uri("sip:A.example")];
    assert_eq!(proved_by(&names), ["a.example", "b.example"]);
}

#[test]
fn dns_names_count_when_there_is_no_sip_uri() {
    let names = [uri("https://web.example"), dns("sip.carrier.example"), dns("b.example")];
    assert_eq!(proved_by(&names), ["sip.carrier.example", "b.example"]);
}

#[test]
fn case_makes_no_difference() {
    assert_eq!(proved_by(&[uri("SIP:Carrier.Example")]), ["carrier.example"]);
    assert_eq!(proved_by(&[dns("Carrier.Example")]), ["carrier.example"]);
}

#[test]
fn a_user_is_no_domain() {
    assert_eq!(proved_by(&[uri("sip:alice@carrier.example")]), [""; 0]);
    assert_eq!(proved_by(&[uri("sip:trusted.example;a=b@evil.example")]), [""; 0]);
}

#[test]
fn the_uri_of_a_user_does_not_hide_the_dns_names() {
    let names = [uri("sip:alice@carrier.example"), dns("phone.carrier.example")];
    assert_eq!(proved_by(&names), ["phone.carrier.example"]);
}

#[test]
fn a_sips_uri_is_no_identity() {
    assert_eq!(proved_by(&[uri("sips:carrier.example")]), [""; 0]);
    assert_eq!(proved_by(&[uri("sips:a.example"), dns("b.example")]), ["b.example"]);
}

#[test]
fn a_sip_uri_with_more_than_a_domain_proves_nothing_and_hides_the_dns_names() {
    for more in ["sip:a.example:5061", "sip:a.example;lr", "sip:a.example?b=c", "sip:192.0.2.1"] {
        assert_eq!(proved_by(&[uri(more), dns("a.example")]), [""; 0], "{more}");
    }
}

#[test]
fn a_wildcard_is_no_identity() {
    assert_eq!(proved_by(&[dns("*.carrier.example")]), [""; 0]);
    assert_eq!(proved_by(&[uri("sip:*.carrier.example")]), [""; 0]);
    assert_eq!(proved_by(&[dns("*.carrier.example"), dns("a.example")]), ["a.example"]);
}

#[test]
fn the_common_name_never_counts() {
    assert_eq!(proved_by(&[]), [""; 0]);
    let address = SanType::IpAddress("192.0.2.1".parse().unwrap());
    assert_eq!(proved_by(&[address]), [""; 0]);
}

#[test]
fn no_more_identities_than_the_bound_are_taken() {
    let names: Vec<_> = (0..100).map(|number| dns(&format!("d{number}.example"))).collect();
    assert_eq!(proved_by(&names).len(), MAX_IDENTITIES);
}

#[test]
fn garbage_proves_nothing() {
    assert!(identities(&vec![0x30, 0x82, 0xff].into()).is_empty());
}

#[test]
fn an_identity_is_a_domain_name_in_one_spelling() {
    let identity: Identity = "SIP.Carrier.Example.".parse().unwrap();
    assert_eq!(identity.as_str(), "sip.carrier.example");

    for text in ["", ".", "a..", "*.a", "192.0.2.1", "[2001:db8::1]", "a b", "a:5060", "a@b"] {
        assert!(text.parse::<Identity>().is_err(), "{text}");
    }
}
