//! Messages after the cases of RFC 4475 and RFC 5118, written anew.

use super::sample::{error, text};
use crate::sip::{HeaderKind, Malformed, Message, StartLine};

const WSINV: &str = "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\n\
    TO :\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\n\
    from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n\
    MaX-fOrWaRdS: 0068\r\n\
    Call-ID: wsinv.ndaksdj@192.0.2.1\r\n\
    Content-Length   : 3\r\n\
    cseq: 0009\r\n  INVITE\r\n\
    Via  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw\r\n\
    s :\r\n\
    NewFangledHeader:   newfangled value\r\n continued newfangled value\r\n\
    UnknownHeaderWithUnusualValue: ;;,,;;,;\r\n\
    Content-Type: application/sdp\r\n\
    Route:\r\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\r\n\
    v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n \
    SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239\r\n\
    m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\r\n      newvalue ;\r\n  \
    secondparam ; q = 0.33\r\n\
    \r\n\
    v=0";

#[test]
fn reads_white_space_folds_and_compact_forms_wherever_they_are_legal() {
    let message = Message::scan(WSINV.as_bytes()).unwrap();
    assert_eq!(message.to().tag, Some(&b"1918181833n"[..]));
    assert_eq!(message.from().tag, Some(&b"98asjd8"[..]));
    assert_eq!(message.from().uri.raw, b"sip:jdrosen@example.com");
    assert_eq!(message.max_forwards(), Some(68));
    assert_eq!(message.cseq().number, 9);
    assert_eq!(message.top_via().branch, Some(&b"390skdjuw"[..]));
    assert_eq!(message.values(HeaderKind::Via).count(), 3);
    assert_eq!(message.routes().next().unwrap().uri.param(b"unknown-no-value"), Some(&b""[..]));
    assert_eq!(message.contacts().next().unwrap().param(b"q"), Some(&b"0.33"[..]));
}

#[test]
fn reads_every_character_that_is_legal_somewhere() {
    let method = "!interesting-Method0123456789_*+`.%indeed'~";
    let user = "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*";
    let password = "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)";
    let text = format!(
        "{method} sip:{user}:{password}@example.com SIP/2.0\r\n\
         Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\r\n\
         To: \"BEL:\\\u{7} DEL:\\\u{7f}\" <sip:{user}:{password}@example.com>\r\n\
         From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>\
         ;fromParam''~+*_!.-%=\"\u{440}\u{430}\u{431}\u{43e}\u{442}\u{430}\u{44e}\u{449}\u{438}\u{439}\";tag=_token~1'+`*%!-.\r\n\
         Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}}{{\r\n\
         CSeq: 139122385 {method}\r\n\
         Max-Forwards: 255\r\n\
         extensionHeader-!.%*+_`'~:\u{ef}\u{bb}\u{bf}\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let message = Message::scan(text.as_bytes()).unwrap();
    let StartLine::Request { uri, .. } = message.start_line() else { panic!("it is a request") };
    assert_eq!(uri.user, Some(user.as_bytes()));
    assert_eq!(uri.password, Some(password.as_bytes()));
    assert_eq!(uri.host, b"example.com");
    assert_eq!(message.from().uri.host, b"example.com");
}

/// A request whose lines the rows below replace.
fn request(start_line: &str, lines: &[&str]) -> Vec<u8> {
    let method = start_line.split(' ').next().unwrap();
    let mut all = vec![
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx".to_owned(),
        "From: <sip:caller@example.org>;tag=33242".to_owned(),
        "To: <sip:user@example.com>".to_owned(),
        "Call-ID: torture@192.0.2.1".to_owned(),
        format!("CSeq: 8 {method}"),
    ];
    for line in lines {
        let name = line.split(':').next().unwrap();
        all.retain(|own| !own.starts_with(&format!("{name}:")));
        all.push((*line).to_owned());
    }
    format!("{start_line}\r\n{}\r\n\r\n", all.join("\r\n")).into_bytes()
}

#[test]
fn accepts_what_is_odd_but_legal() {
    let rows: [(&str, &[&str]); 12] = [
        (
            "REGISTER sip:example.com SIP/2.0",
            &[
                "To: sip:null-%00-null@example.com",
                "From: sip:null-%00-null@example.com;tag=1",
                "Contact: <sip:%00@host5.example.com>",
                "Contact : <sip:%00%00@host5.example.com>",
            ],
        ),
        (
            "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0",
            &["To: sip:%75se%72@example.com", "From: <sip:I%20have%20spaces@example.net>;tag=9"],
        ),
        (
            "RE%47IST%45R sip:registrar.example.com SIP/2.0",
            &["To: \"%Z%45\" <sip:resource@example.com>"],
        ),
        ("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0", &[]),
        ("OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0", &[]),
        ("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0", &[]),
        ("INVITE tel:+15551234567 SIP/2.0", &["Alert-Info: <http://example.com/x>"]),
        (
            "INVITE sip:user@[2001:db8::10]:5070 SIP/2.0",
            &["Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111"],
        ),
        ("INVITE sip:user@[::ffff:192.0.2.10] SIP/2.0", &[]),
        (
            "OPTIONS sip:user@example.com SIP/2.0",
            &[
                "To: isbn:2983792873",
                "From: <http://www.example.com>;tag=3234233",
                "Contact: <name:John_Smith>",
            ],
        ),
        (
            "OPTIONS sip:user@example.com SIP/2.0",
            &[
                "Date: Fri, 01 Jan 2010 16:00:00 EST",
                "Warning: 1812 overture \"In Progress",
                "Expires: 1000000000000",
            ],
        ),
        (
            "REGISTER sip:example.com SIP/2.0",
            &["Contact: sip:a@192.0.2.1;+sip.instance=\"<urn:uuid:0>\";expires=60;q=0.5"],
        ),
    ];
    for (start_line, lines) in rows {
        let bytes = request(start_line, lines);
        assert_eq!(error(&bytes), None, "{}", text(&bytes));
    }
}

#[test]
fn refuses_what_the_torture_test_calls_invalid() {
    let options = "OPTIONS sip:user@example.com SIP/2.0";
    let rows: [(&str, &[&str], Malformed); 14] = [
        (options, &["Contact: \"Joe\" <sip:joe@example.org>;;;;"], Malformed::Parameter),
        (options, &["Via: SIP/2.0/UDP 192.0.2.15;;,;,,"], Malformed::Via),
        (options, &["To: \"Mr. J. User <sip:j.user@example.com>"], Malformed::UnbalancedQuotes),
        ("INVITE <sip:user@example.com> SIP/2.0", &[], Malformed::UriCharacter),
        ("INVITE sip:user@example.com; lr SIP/2.0", &[], Malformed::StartLine),
        ("INVITE  sip:user@example.com  SIP/2.0", &["CSeq: 8 INVITE"], Malformed::StartLine),
        ("OPTIONS sip:remote-target@example.com SIP/2.0  ", &[], Malformed::StartLine),
        (
            "INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0",
            &[],
            Malformed::RequestUriHeaders,
        ),
        (
            options,
            &["From: Bell, Alexander <sip:a.g.bell@example.com>;tag=43"],
            Malformed::NameAddr,
        ),
        (
            options,
            &["Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E"],
            Malformed::NameAddr,
        ),
        ("OPTIONS sip:t.watson@example.org SIP/7.0", &[], Malformed::UnsupportedVersion),
        (options, &["CSeq: 8 INVITE"], Malformed::CSeqMethod),
        (options, &["CSeq: 36893488147419103232 OPTIONS"], Malformed::CSeqTooLarge),
        (options, &["Max-Forwards: 300"], Malformed::MaxForwards),
    ];
    for (start_line, lines, expected) in rows {
        let bytes = request(start_line, lines);
        assert_eq!(error(&bytes), Some(expected), "{}", text(&bytes));
    }
}

/// Took another parser 2.6 seconds; here it is one of the fast tests.
#[test]
fn reads_the_longest_lists_in_linear_time() {
    let long = |part: &str| part.repeat(65_000 / part.len());
    let rows = [
        format!("Route: {}<sip:a>", long("<sip:a>,")),
        format!("Contact: <sip:a>{}", long(";a")),
        format!("Contact: <sip:a@b{}>", long(";a")),
        format!("Contact: {} <sip:a>", long("a ")),
        format!("Contact: \"{}\" <sip:a>", long("\\\"")),
        format!("X: {}a", long("a\r\n ")),
        format!("Via: {}SIP/2.0/UDP a", long("SIP/2.0/UDP a,")),
    ];
    for row in rows {
        let bytes = request("OPTIONS sip:user@example.com SIP/2.0", &[row.as_str()]);
        assert_eq!(error(&bytes), None, "{}", &row[..40]);
    }
}
