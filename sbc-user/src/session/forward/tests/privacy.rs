//! Who is told who calls.

use super::scene::*;
use crate::session::{RelayRefusal, WayOut};
use crate::sip::Message;

const TELLING: [&str; 7] = [
    "P-Asserted-Identity: <tel:+1>",
    "P-Preferred-Identity: <tel:+1>",
    "Remote-Party-ID: <tel:+1>;party=calling",
    "Diversion: <tel:+2>;reason=unconditional",
    "History-Info: <sip:a@b>;index=1",
    "Organization: Us",
    "Subject: private",
];

/// The first letters of those headers that are left of a request of the upstream with these besides.
fn left(more: &[&str], is_trusted: bool, hides: bool) -> Result<String, RelayRefusal> {
    let lines = TELLING.iter().chain(more).map(|line| format!("{line}\r\n"));
    let request = INVITE.replace("CSeq: 7", &format!("{}CSeq: 7", lines.collect::<String>()));
    let message = Message::scan(request.as_bytes()).unwrap();
    let way = WayOut { to: phone(), registered: None, is_outbound: false, is_trusted };
    let relay = forwarder().hiding_inside(hides);
    let passed = text(&relay.request_outwards_to(&message, &upstream(), &way, None)?);
    assert!(more.iter().all(|line| passed.contains(line)), "{passed}");
    let is_left = |line: &&&str| passed.contains(&format!("\r\n{line}\r\n"));
    Ok(TELLING.iter().filter(is_left).map(|line| line.chars().nth(2).unwrap()).collect())
}

#[test]
fn who_calls_is_kept_from_whoever_is_not_trusted_if_it_is_asked_for() {
    let all = "APmvsgb";
    for (privacy, told) in [
        ("none", all),
        ("id", "vsgb"),
        ("ID ; critical", "vsgb"),
        ("header", "APmgb"),
        ("session", "APmgb"),
        ("history", "APmgb"),
        ("user", "APmvs"),
        ("user;id;history", ""),
        ("none;id", "vsgb"),
        ("unheard-of", all),
    ] {
        let line = format!("Privacy: {privacy}");
        assert_eq!(left(&[&line], false, true).as_deref(), Ok(told), "{privacy}");
        assert_eq!(left(&[&line], true, true).as_deref(), Ok(all), "{privacy}");
    }
    assert_eq!(left(&[], false, true).as_deref(), Ok(all));
    let both = left(&["Privacy: user", "Privacy: id"], false, false);
    assert_eq!(both.as_deref(), Ok("vs"));
}

#[test]
fn what_is_critical_and_cannot_be_done_is_refused_unless_it_is_anothers_to_do() {
    for (privacy, hides, is_done) in [
        ("user;critical", true, false),
        ("session;critical", true, false),
        ("unheard-of;critical", true, false),
        ("header;critical", false, false),
        ("header;critical", true, true),
        ("id;critical", false, true),
        ("history;critical", false, true),
        ("critical", false, true),
        ("user", false, true),
    ] {
        let line = format!("Privacy: {privacy}");
        assert_eq!(left(&[&line], false, hides).is_ok(), is_done, "{privacy}");
        assert!(left(&[&line], true, hides).is_ok(), "{privacy}");
    }
    let refused = left(&["Privacy: user;critical"], false, true);
    assert_eq!(refused, Err(RelayRefusal::PrivacyUnavailable));
}

#[test]
fn what_asks_for_its_own_privacy_gets_it() {
    for (line, told) in [
        ("Remote-Party-ID: <tel:+3>;privacy=full", "APvsgb"),
        ("Remote-Party-ID: <tel:+3>;privacy=off", "APmvsgb"),
        ("Diversion: <tel:+3>;privacy=full", "APmsgb"),
        ("History-Info: <sip:c@d?Privacy=history>;index=2", "APmvgb"),
        ("History-Info: <sip:c@d?Privacy=none>;index=2", "APmvsgb"),
    ] {
        let kept = told == "APmvsgb";
        let request_line = [line];
        let more: &[&str] = if kept { &request_line } else { &[] };
        assert_eq!(left(more, false, true).as_deref(), Ok("APmvsgb"));
        if !kept {
            let request = INVITE.replace("CSeq: 7", &format!("{line}\r\nCSeq: 7"));
            let message = Message::scan(request.as_bytes()).unwrap();
            let way =
                WayOut { to: phone(), registered: None, is_outbound: false, is_trusted: false };
            let sent = forwarder().request_outwards_to(&message, &upstream(), &way, None).unwrap();
            assert!(!text(&sent).contains(line), "{line}");
        }
    }
}

#[test]
fn an_answer_tells_no_more_than_a_call() {
    let invite = inwards(INVITE, &phone()).unwrap();
    let ok = answer(&invite, "200 OK").replace(
        "Content-Length",
        "P-Asserted-Identity: <tel:+1>\r\nPrivacy: id\r\nContent-Length",
    );
    let ok = Message::scan(ok.as_bytes()).unwrap();
    for is_trusted in [true, false] {
        let passed = forwarder().response_outwards(&ok, &upstream(), |to| {
            assert_eq!(*to, phone());
            is_trusted
        });
        let passed = text(&passed.unwrap());
        assert_eq!(passed.contains("P-Asserted-Identity"), is_trusted);
        assert!(passed.contains("Privacy: id\r\n"));
    }
}
