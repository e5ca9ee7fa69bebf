use proptest::prelude::*;

use super::*;

const FULL: &str = r#"Digest username="alice",realm="example.com",nonce="n/0+==",uri="sip:bob@example.com",response="8ca523f5e9506fed4657c9700eebdbec",cnonce="c",qop=auth,nc=0000000a"#;

fn refusal(value: &str) -> Option<MalformedCredentials> {
    Credentials::parse(value.as_bytes()).err()
}

/// The refusal after replacing `from`, which has to be there, in complete credentials.
#[track_caller]
fn refusal_with(from: &str, to: &str) -> Option<MalformedCredentials> {
    assert!(FULL.contains(from));
    refusal(&FULL.replace(from, to))
}

#[test]
fn reads_every_parameter() {
    let read = Credentials::parse(FULL.as_bytes()).unwrap();
    assert_eq!(*read.username, *b"alice");
    assert_eq!(*read.realm, *b"example.com");
    assert_eq!(read.nonce, b"n/0+==");
    assert_eq!(read.uri, b"sip:bob@example.com");
    assert_eq!(read.cnonce, b"c");
    assert_eq!((read.nonce_count.number.get(), read.nonce_count.digits), (10, &b"0000000a"[..]));
    assert_eq!((read.algorithm, read.qop), (Algorithm::MD5, Qop::Auth));
    assert!(!read.userhash);
    assert_eq!(read.response.to_hex().as_bytes(), b"8ca523f5e9506fed4657c9700eebdbec");
}

#[test]
fn reads_what_real_phones_vary() {
    assert_eq!(refusal_with("qop=auth", r#"qop="auth",algorithm="md5",opaque="""#), None);
    assert_eq!(refusal_with("Digest ", "dIGEST \t"), None);
    assert_eq!(refusal_with("nc=0000000a", r#"NC="0000000A""#), None);
    assert_eq!(refusal_with(",realm=", " ,\r\n realm\r\n\t= "), None);
    assert_eq!(refusal_with("nc=0000000a", "nc=0000000a \r\n "), None);
    assert_eq!(refusal_with("8ca523f5e9506f", "8CA523F5E9506F"), None);
}

#[test]
fn resolves_commas_and_escapes_between_quotes_and_allocates_only_then() {
    let value = FULL.replace("\"alice\"", r#""a, \"l\\ice\" nc=1""#);
    let read = Credentials::parse(value.as_bytes()).unwrap();
    assert_eq!(*read.username, *br#"a, "l\ice" nc=1"#);
    assert!(matches!(read.username, Cow::Owned(_)));
    assert!(matches!(read.realm, Cow::Borrowed(_)));
}

#[test]
fn tells_another_scheme_from_a_malformed_one() {
    assert_eq!(
        refusal("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        Some(MalformedCredentials::OtherScheme)
    );
    assert_eq!(refusal("Digestive a=b"), Some(MalformedCredentials::OtherScheme));
    for value in ["", " ", "Digest", "Digest ", "Digest,a=b", "=", "Digest\r\na=b", "Digest\na=b"] {
        assert_eq!(refusal(value), Some(MalformedCredentials::Syntax), "{value:?}");
    }
}

#[test]
fn credentials_for_another_realm_are_left_alone_whatever_they_offer() {
    let (ours, theirs) = (Realm::new("example.com").unwrap(), Realm::new("pbx").unwrap());
    let old_style = FULL.replace(",qop=auth", "").replace("Digest ", "Digest algorithm=SHA-1,");
    assert!(Credentials::parse_for(FULL.as_bytes(), &ours).is_ok());
    let refused = Credentials::parse_for(old_style.as_bytes(), &theirs).unwrap_err();
    assert_eq!(refused, MalformedCredentials::OtherRealm);
    assert!(refused.is_not_for_us());
    let refused = Credentials::parse_for(old_style.as_bytes(), &ours).unwrap_err();
    assert!(!refused.is_not_for_us());
}

#[test]
fn refuses_what_two_readers_could_read_differently() {
    use MalformedCredentials as Reason;
    for (from, to, reason) in [
        ("cnonce=\"c\"", "cnonce=\"c\",USERNAME=\"bob\"", Reason::Duplicate),
        ("cnonce=\"c\"", "cnonce=\"c\",x=1,X=2", Reason::Duplicate),
        ("cnonce=\"c\"", "cnonce=\"c", Reason::UnbalancedQuote),
        ("\"alice\"", "\"alice", Reason::Syntax),
        ("nc=0000000a", "nc=0000000a,x=\"", Reason::UnbalancedQuote),
        ("nc=0000000a", "nc=0000000a,x=\"\\\"", Reason::UnbalancedQuote),
        ("nc=0000000a", "nc=0000000a,x=\"\\", Reason::Syntax),
        ("nc=0000000a", "nc=0000000a,", Reason::Syntax),
        (",realm", ",,realm", Reason::Syntax),
        (",realm", ";realm", Reason::Syntax),
        (",realm", ",\r\nrealm", Reason::Syntax),
        (",realm", ",\n realm", Reason::Syntax),
        ("alice", "al\r\n ice", Reason::ControlCharacter),
        ("alice", "al\0ice", Reason::ControlCharacter),
        ("alice", "al\u{7f}ice", Reason::ControlCharacter),
        ("alice", "al\\\nice", Reason::Syntax),
        ("uri=\"sip:bob", "uri=\"sip:b\\ob", Reason::Escaped("uri")),
        ("cnonce=\"c\"", "cnonce=\"\\c\"", Reason::Escaped("cnonce")),
        ("\"sip:bob@example.com\"", "sip:bob@example.com", Reason::Syntax),
    ] {
        assert_eq!(refusal_with(from, to), Some(reason), "{from:?} -> {to:?}");
    }
}

#[test]
fn reads_what_may_be_offered() {
    for (from, to, algorithm, qop, userhash) in [
        ("qop=auth", "qop=AUTH-int", Algorithm::MD5, Qop::AuthInt, false),
        ("qop=auth", "qop=auth,algorithm=md5-SESS", Algorithm::MD5_SESS, Qop::Auth, false),
        ("nc=0", "userhash=\"TRUE\",nc=0", Algorithm::MD5, Qop::Auth, true),
        ("nc=0", "userhash=false,nc=0", Algorithm::MD5, Qop::Auth, false),
    ] {
        let value = FULL.replace(from, to);
        let read = Credentials::parse(value.as_bytes()).unwrap();
        assert_eq!((read.algorithm, read.qop, read.userhash), (algorithm, qop, userhash), "{to}");
    }
}

#[test]
fn names_what_it_does_not_offer() {
    use MalformedCredentials as Reason;
    for (from, to, reason) in [
        (",qop=auth", "", Reason::QopMissing),
        ("qop=auth", "qop=auth-conf", Reason::UnknownQop),
        ("qop=auth", "qop=\"auth,auth-int\"", Reason::UnknownQop),
        ("qop=auth", "qop=auth,algorithm=SHA-1-sess", Reason::UnknownAlgorithm),
        ("qop=auth", "qop=auth,algorithm=SHA-512", Reason::UnknownAlgorithm),
        ("qop=auth", "qop=auth,algorithm=SHA-512-256", Reason::Response),
        ("qop=auth", "qop=auth,algorithm=SHA-256-sess", Reason::Response),
        ("qop=auth", "qop=auth,algorithm=SHA-256", Reason::Response),
        ("eebdbec", "eebdbe", Reason::Response),
        ("eebdbec", "eebdbeg", Reason::Response),
        ("nc=0000000a", "nc=a", Reason::NonceCount),
        ("nc=0000000a", "nc=+000000a", Reason::NonceCount),
        ("nc=0000000a", "nc=0000000g", Reason::NonceCount),
        ("nc=0000000a", "nc=00000000", Reason::NonceCount),
        ("nc=0000000a", "nc=00000000a", Reason::NonceCount),
        ("\"alice\"", "\"\"", Reason::UsernameLength),
        ("nc=0000000a", "nc=0000000a,userhash=maybe", Reason::Userhash),
        ("username=\"alice\"", "username*=UTF-8''alice", Reason::UsernameEncoding),
    ] {
        assert_eq!(refusal_with(from, to), Some(reason), "{from:?} -> {to:?}");
    }
}

#[test]
fn misses_each_required_parameter() {
    for name in ["username", "realm", "nonce", "uri", "response", "cnonce", "nc"] {
        let value = FULL.replace("Digest ", "Digest ,").replace(&format!(",{name}="), ",x=");
        let value = value.replace("Digest ,", "Digest ");
        assert_eq!(refusal(&value), Some(MalformedCredentials::Missing(name)));
    }
}

#[test]
fn is_bounded() {
    let long = |length| FULL.replace("alice", &"x".repeat(length));
    assert_eq!(refusal(&long(255)), None);
    assert_eq!(refusal(&long(256)), Some(MalformedCredentials::UsernameLength));
    assert_eq!(refusal(&long(4096)), Some(MalformedCredentials::TooLong));
    let with_others =
        |count| (0..count).fold(FULL.to_owned(), |value, i| format!("{value},x{i}=y"));
    assert_eq!(refusal(&with_others(24)), None);
    assert_eq!(refusal(&with_others(25)), Some(MalformedCredentials::TooManyParameters));
}

proptest! {
    #[test]
    fn never_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = Credentials::parse(&bytes);
        let _ = Credentials::parse(&[b"Digest ", bytes.as_slice()].concat());
    }

    #[test]
    fn never_panics_on_pieces_of_the_grammar(
        pieces in proptest::collection::vec(
            prop::sample::select(vec![
                "username", "nc", "nonce", "uri", "qop", "response", "=", "=", "\"", "\"", ",", ",",
                "\\", "\\\"", "\r\n ", "\r", " ", "auth", "0000000a", "é", "\0", "MD5-sess", "-sess",
            ]),
            0..40,
        )
    ) {
        let _ = Credentials::parse(format!("Digest {}", pieces.concat()).as_bytes());
    }

    #[test]
    fn never_panics_on_damaged_credentials(at in 0..FULL.len(), byte: u8, cut in 0..FULL.len()) {
        let mut value = FULL.as_bytes().to_vec();
        value[at] = byte;
        let _ = Credentials::parse(&value);
        let _ = Credentials::parse(&value[..cut]);
    }
}
