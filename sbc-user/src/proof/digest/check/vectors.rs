//! Responses that others have computed.

use super::*;
use crate::proof::digest::Ha1;

struct Vector<'a> {
    user: [&'a str; 3],
    method: &'a str,
    uri: &'a str,
    body: &'a [u8],
    nonce: &'a str,
    cnonce: &'a str,
    algorithm: &'a str,
    qop: &'a str,
    response: &'a str,
}

impl Vector<'_> {
    #[track_caller]
    fn check(&self) {
        let Self {
            user: [user, realm, password],
            uri,
            nonce,
            cnonce,
            algorithm,
            qop,
            response,
            ..
        } = self;
        let header = format!(
            "Digest username=\"{user}\", realm=\"{realm}\", uri=\"{uri}\",\r\n \
             algorithm={algorithm}, nonce=\"{nonce}\",\r\n nc=00000001, cnonce=\"{cnonce}\", \
             qop={qop},\r\n response=\"{response}\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMA\""
        );
        let credentials = Credentials::parse(header.as_bytes()).unwrap();
        let ha1 = Ha1::of(credentials.algorithm.function(), user, realm, password);
        let digits = ha1.expose().as_bytes();
        let expected = expected_response(digits, &credentials, self.method.as_bytes(), self.body);
        assert!(bool::from(expected.ct_eq(&credentials.response)), "{algorithm}, {qop}");
    }
}

#[test]
fn reproduces_the_vectors_of_rfc_7616_section_3_9_1() {
    for (algorithm, response) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let user = ["Mufasa", "http-auth@example.org", "Circle of Life"];
        let (method, uri, qop) = ("GET", "/dir/index.html", "auth");
        Vector { user, method, uri, body: b"", nonce, cnonce, algorithm, qop, response }.check();
    }
}

#[test]
fn reproduces_the_vector_of_rfc_2617_section_3_5() {
    Vector {
        user: ["Mufasa", "testrealm@host.com", "Circle Of Life"],
        method: "GET",
        uri: "/dir/index.html",
        body: b"",
        nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        cnonce: "0a4f113b",
        algorithm: "MD5",
        qop: "auth",
        response: "6629fae49393a05397450978507c4ef1",
    }
    .check();
}

/// RFC 2069 §2.4, with the response of its errata: a scheme without qop, nonce count and cnonce, in which whatever
/// was overheard can be used again. It is not read, however right the response is.
#[test]
fn refuses_the_scheme_of_rfc_2069_by_its_own_example() {
    let hash = |text: &str| {
        let digits = HashValue::of(HashFunction::Md5, &[text.as_bytes()]).to_hex();
        String::from_utf8(digits.as_bytes().to_vec()).unwrap()
    };
    let [user, realm, password] = ["Mufasa", "testrealm@host.com", "CircleOfLife"];
    let (nonce, uri) = ("dcd98b7102dd2f0e8b11d0f600bfb0c093", "/dir/index.html");
    let ha1 = Ha1::of(HashFunction::Md5, user, realm, password);
    let response = hash(&format!("{}:{nonce}:{}", ha1.expose(), hash(&format!("GET:{uri}"))));
    assert_eq!(response, "1949323746fe6a43ef61f9606e7febea");
    let header = format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
         response=\"{response}\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\""
    );
    let refused = Credentials::parse(header.as_bytes()).unwrap_err();
    assert_eq!(refused, MalformedCredentials::QopMissing);
}

/// What the RFC prints there as SHA-512-256 is SHA-512 cut to 256 bits, which the userhash shows; the real ones
/// are those of `hashlib.new("sha512_256", …)`.
#[test]
fn computes_the_example_of_rfc_7616_section_3_9_2_with_the_hash_that_it_names() {
    let [name, realm, password] = ["J\u{e4}s\u{f8}n Doe", "api@example.org", "Secret, or not?"];
    let named = Realm::new(realm).unwrap();
    let userhash = HashValue::of_user(HashFunction::Sha512_256, name.as_bytes(), &named);
    let expected = "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b";
    assert_eq!(userhash.to_hex().as_bytes(), expected.as_bytes());
    Vector {
        user: [name, realm, password],
        method: "GET",
        uri: "/doe.json",
        body: b"",
        nonce: "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm",
        algorithm: "SHA-512-256",
        qop: "auth",
        response: "7a4e1192babbba02e91182d2895bfdbf7adafc6e48d4e517ca301974843d840c",
    }
    .check();
}

/// ```python
/// import hashlib
/// def response(function, is_session, qop):
///     h = lambda text: hashlib.new(function, text.encode()).hexdigest()
///     nonce, cnonce, uri = "dcd98b7102dd2f0e8b11d0f600bfb0c093", "0a4f113b", "sip:bob@biloxi.example.com"
///     a1 = h("bob:biloxi.example.com:zanzibar")
///     a1 = h(f"{a1}:{nonce}:{cnonce}") if is_session else a1
///     a2 = h(f"INVITE:{uri}" + (":" + h("v=0\r\ns=-\r\n") if qop == "auth-int" else ""))
///     return h(f"{a1}:{nonce}:00000001:{cnonce}:{qop}:{a2}")
/// for function in ["sha512_256", "sha256", "md5"]:
///     for is_session in [False, True]:
///         for qop in ["auth", "auth-int"]: print(response(function, is_session, qop))
/// ```
#[test]
fn computes_sessions_and_bodies_as_another_program_does() {
    for (algorithm, qop, response) in [
        ("SHA-512-256", "auth", "ff36f0111fa81b909a997021f3a040d2f75674daead33f422a33dbdc6966897e"),
        (
            "SHA-512-256",
            "auth-int",
            "cd31d9919a06430e4ed952166ae52d4d75125cac4c24b2c5dec7ff692db5fbca",
        ),
        (
            "SHA-512-256-sess",
            "auth",
            "38b80e2aee2756c7ac8bc072101ab8943971625973b3b010af6825713ac03617",
        ),
        (
            "SHA-512-256-sess",
            "auth-int",
            "cfe10df700cbcb0408f79b91c21e4c2b6b48facffd67f938e674bb6b036629a2",
        ),
        ("SHA-256", "auth", "6beb7b2bfe7a50d425314e7961c7f01bcd8afed8bf5c87c2f5479d1dca2d498f"),
        ("SHA-256", "auth-int", "bade78cd0c6788ead874aa5b10b0ae99030b1815547b3ea313162c3f310edad4"),
        (
            "SHA-256-sess",
            "auth",
            "989c59a9d2e78eba01b2a3bfb19be08e22adb5d229579775dbdf5f5ab4fa980c",
        ),
        (
            "SHA-256-sess",
            "auth-int",
            "b8bf93bef5f110f67c21ba3c7d5e2091fb970c5dd98a7122d28b57eb20c48cf2",
        ),
        ("MD5", "auth", "d842aeb901c6e474dad4af7f84c64e56"),
        ("MD5", "auth-int", "4cd07a02ced157ffc76cf3f4e157d9c8"),
        ("MD5-sess", "auth", "6cd0cf072b432d52a4a77f23849a0e4b"),
        ("MD5-sess", "auth-int", "0d000e135e548b85830dc77c55ed9e93"),
    ] {
        Vector {
            user: ["bob", "biloxi.example.com", "zanzibar"],
            method: "INVITE",
            uri: "sip:bob@biloxi.example.com",
            body: b"v=0\r\ns=-\r\n",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            cnonce: "0a4f113b",
            algorithm,
            qop,
            response,
        }
        .check();
    }
}
