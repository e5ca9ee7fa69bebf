//! The listener over real connections, and what it answers.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use serde_json::{Value, json};

use super::answer::{Answer, Desk, PATHS};
use super::api::{Drop, Explanation};
use super::{AdminServer, Observed, Token, Unobservable, View};
use crate::border::PeerStatus;
use crate::config::Admin;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Whoever can name a peer can write HTML, too.
pub(super) const HOSTILE: &str = "<img src=x onerror=alert(1)>\"}\n\\";

/// A gateway that is not there.
#[derive(Default)]
struct Sample {
    looks: AtomicUsize,
    is_broken: bool,
}

impl Observed for Sample {
    fn look(&self) -> Result<View, Unobservable> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        if self.is_broken { Err(Unobservable) } else { Ok(view()) }
    }

    fn drops(&self, most: usize) -> Vec<Drop> {
        let drop = |at| Drop {
            at,
            source: Some("198.51.100.66:5060".to_owned()),
            destination: Some("203.0.113.1:5060".to_owned()),
            reason: "unknown-source".to_owned(),
            explanation: "No entry.".to_owned(),
            verdict: "drop".to_owned(),
            passed: false,
            lane: None,
            family: "ipv4".to_owned(),
            carrier: "udp".to_owned(),
            holder: None,
            length: 400,
            first_line: Some(HOSTILE.to_owned()),
        };
        (0..1000).rev().take(most).map(drop).collect()
    }

    fn explain(&self, source: SocketAddr) -> Explanation {
        let (source, seen) = (source.to_string(), self.drops(1));
        Explanation { source, grants: Vec::new(), grants_left_out: 0, seen }
    }
}

fn view() -> View {
    let counter = |reason: &str, action: &str, packets: u64| json!({"reason": reason, "action": action, "packets": packets, "bytes": packets * 100});
    let verdicts = json!([
        counter("not-protected", "pass", 1000),
        counter("trusted-source", "pass", 70),
        counter("unknown-source", "drop", 900),
    ]);
    let kernel = json!({
        "mode": "enforce", "attached": ["eth0"], "verdicts": verdicts, "socket-verdicts": verdicts,
        "heartbeat": {"age-seconds": 1, "passes-after-seconds": null, "has-ended-enforcement": false},
        "counters": [{
            "reason": "unknown-source", "lane": null, "family": "ipv4", "carrier": "udp",
            "packets": 900, "bytes": 90000, "samples-lost": 3,
        }],
        "samples-lost": 3, "guards-sockets": true,
    });
    let target = json!({
        "target": "sip:10.0.0.5:5060", "address": "10.0.0.5:5060", "transport": "udp",
        "priority": 0, "weight": 1, "large-over-tcp": false, "state": "dead",
    });
    let daemon = json!({
        "received": {"udp": 50, "tcp": 5, "tls": 2}, "banned": 0, "would-be-banned": 1,
        "outcomes": {"request-relayed-inwards": 20, "challenged": 7, "malformed": 3},
        "refused-connections": {"too-many": 4}, "trust-table-full": 0,
        "load": {"level": "heavy", "strangers-slowed-by": 4},
        "samples": {"read": 5, "unreadable": 0, "missed": 0},
        "upstream": [target], "peers": [], "ipsec": [], "names": [], "directory": null,
        "users": {"count": 12, "store": "file:users.toml", "age-seconds": 9, "problem": null},
        "trust": [],
        "activity": [{
            "holder": "users", "accepted": 9, "refused": 1, "registrations": 2, "calls-from": 5,
            "answered-from": 3, "calls-to": 4, "answered-to": 2,
        }],
        "certificates": [{"place": "tls", "expires-at": 1_900_000_000, "expires-in-seconds": 5}],
    });
    let peers: Vec<PeerStatus> = serde_json::from_value(json!([{
        "name": HOSTILE, "requires": ["tls"], "opens": ["udp"], "sources": ["198.51.100.0/24"],
        "proofs": [{
            "source": "198.51.100.9", "subnet": null, "proof": "tls", "opens": ["udp"],
            "holder": "peer x", "expires-in-seconds": 60, "connections": 2, "hop-limits": [57, 57],
            "is-distance-unknown": false,
        }],
        "targets": [target], "ipsec": [], "names": [],
    }]))
    .unwrap();
    View {
        kernel: serde_json::from_value(kernel).unwrap(),
        daemon: serde_json::from_value(daemon).unwrap(),
        trusted: serde_json::from_value(json!([{"proof": "tls", "sources": 1}])).unwrap(),
        trust_entries: 65536,
        peers,
    }
}

fn desk(token: Option<&str>) -> Desk {
    let names = vec!["edge.example.com".to_owned()];
    Desk::new(Arc::new(Sample::default()), token.map(Token::sample), names)
}

fn get(path: &str) -> hyper::http::request::Builder {
    Request::get(path).header("host", "127.0.0.1:9160")
}

fn status(desk: &mut Desk, request: hyper::http::request::Builder) -> u16 {
    desk.answer(&request.body(()).unwrap()).status().as_u16()
}

fn body(answer: Answer) -> String {
    let collected = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let body: Full<_> = answer.into_body();
    let bytes = collected.block_on(body.collect()).unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn told(path: &str) -> Value {
    let answer = desk(None).answer(&get(path).body(()).unwrap());
    assert_eq!(answer.status(), 200, "{path}");
    serde_json::from_str(&body(answer)).unwrap()
}

fn path_with_parameters(path: &str) -> String {
    if path.ends_with("explain") { format!("{path}?address=192.0.2.1") } else { path.to_owned() }
}

#[test]
fn every_path_is_answered_and_nothing_else_is() {
    for path in PATHS {
        assert_eq!(status(&mut desk(None), get(&path_with_parameters(path))), 200, "{path}");
    }
    for path in ["/", "/page.css", "/page.js", "/charts.js"] {
        assert_eq!(status(&mut desk(None), get(path)), 200, "{path}");
    }
    for path in
        ["/metrics/", "/api", "/api/v2/status", "/page.html", "/../etc/passwd", "/%2e%2e/x", "//"]
    {
        assert_eq!(status(&mut desk(None), get(path)), 404, "{path}");
    }
}

#[test]
fn without_the_token_nothing_of_this_machine_is_told() {
    for path in PATHS {
        let path = path_with_parameters(path);
        let mut desk = desk(Some(TOKEN));
        assert_eq!(status(&mut desk, get(&path)), 401, "{path}");
        let wrong = get(&path).header("authorization", "Bearer 0123456789abcdef0123456789abcdeX");
        assert_eq!(status(&mut desk, wrong), 401, "{path}");
        let right = get(&path).header("authorization", format!("Bearer {TOKEN}"));
        assert_eq!(status(&mut desk, right), 200, "{path}");
    }
    let refused = desk(Some(TOKEN)).answer(&get("/metrics").body(()).unwrap());
    assert_eq!(refused.headers()["www-authenticate"], "Bearer realm=\"sbc\"");
    for path in ["/", "/page.css", "/page.js"] {
        assert_eq!(status(&mut desk(Some(TOKEN)), get(path)), 200, "{path}");
    }
}

#[test]
fn a_page_that_is_told_a_name_of_its_own_for_our_address_is_refused() {
    let with_host = |host: &str| Request::get("/metrics").header("host", host);
    for (host, expected) in [
        ("127.0.0.1:9160", 200),
        ("localhost", 200),
        ("edge.example.com:443", 200),
        ("evil.example:9160", 421),
        ("evil.example", 421),
    ] {
        assert_eq!(status(&mut desk(None), with_host(host)), expected, "{host}");
    }
    assert_eq!(status(&mut desk(None), Request::get("/metrics")), 421, "no host");
    let two = with_host("127.0.0.1").header("host", "evil.example");
    assert_eq!(status(&mut desk(None), two), 421);
    let absolute = Request::get("http://evil.example/metrics").header("host", "127.0.0.1");
    assert_eq!(status(&mut desk(None), absolute), 421);
    let binary = Request::get("/").header("host", &b"127.0.0.1\xff"[..]);
    assert_eq!(status(&mut desk(None), binary), 421);
}

#[test]
fn nothing_can_be_changed() {
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "CONNECT", "TRACE"] {
        let request =
            Request::builder().method(method).uri("/api/v1/status").header("host", "[::1]");
        let answer = desk(None).answer(&request.body(()).unwrap());
        assert_eq!(answer.status(), 405, "{method}");
        assert_eq!(answer.headers()["allow"], "GET");
        assert!(!answer.headers().contains_key("access-control-allow-origin"));
    }
}

#[test]
fn a_browser_is_told_to_load_nothing_else_and_to_show_us_in_no_frame() {
    for path in ["/", "/metrics", "/api/v1/drops", "/nowhere"] {
        let request = get(path).header("origin", "http://evil.example");
        let answer = desk(None).answer(&request.body(()).unwrap());
        let headers = answer.headers();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"));
        assert!(policy.contains("frame-ancestors 'none'"));
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["cache-control"], "no-store");
        assert!(!headers.keys().any(|name| name.as_str().starts_with("access-control")));
    }
}

#[test]
fn what_is_wrong_with_a_question_is_said() {
    for (path, expected) in [
        ("/api/v1/explain", "address is missing"),
        ("/api/v1/explain?address=there", "neither an address"),
        ("/api/v1/drops?limit=501", "limit is not within 1 and 500"),
    ] {
        let answer = desk(None).answer(&get(path).body(()).unwrap());
        assert_eq!(answer.status(), 400, "{path}");
        let problem: Value = serde_json::from_str(&body(answer)).unwrap();
        assert!(problem["error"].as_str().unwrap().contains(expected), "{problem}");
    }
    assert_eq!(told("/api/v1/drops")["drops"].as_array().unwrap().len(), 50);
    assert_eq!(told("/api/v1/drops?limit=7")["drops"].as_array().unwrap().len(), 7);
    let explained = told("/api/v1/explain?address=%5B2001:db8::7%5D:5060");
    assert_eq!(explained["source"], "[2001:db8::7]:5060");
}

#[test]
fn who_is_trusted_is_counted_and_not_listed() {
    let status = told("/api/v1/status");
    assert!(status["daemon"].get("trust").is_none());
    assert_eq!(status["trusted"], json!([{"proof": "tls", "sources": 1}]));
    assert_eq!(status["daemon"]["users"]["count"], 12);
}

#[test]
fn however_many_ask_it_looks_once_a_moment() {
    let sample = Arc::new(Sample::default());
    let mut desk = Desk::new(Arc::clone(&sample) as Arc<dyn Observed>, None, Vec::new());
    let began = Instant::now();
    for _ in 0..200 {
        assert_eq!(status(&mut desk, get("/api/v1/status")), 200);
    }
    let most = 1 + began.elapsed().as_millis() / 900;
    assert!(sample.looks.load(Ordering::Relaxed) as u128 <= most);
}

#[test]
fn what_cannot_be_read_is_not_read_again_at_once() {
    let sample = Arc::new(Sample { is_broken: true, ..Sample::default() });
    let mut desk = Desk::new(Arc::clone(&sample) as Arc<dyn Observed>, None, Vec::new());
    let began = Instant::now();
    for _ in 0..200 {
        assert_eq!(status(&mut desk, get("/metrics")), 503);
    }
    let most = 1 + began.elapsed().as_millis() / 900;
    assert!(sample.looks.load(Ordering::Relaxed) as u128 <= most);
}

#[test]
fn the_history_is_of_what_is_ours() {
    let mut desk = desk(None);
    desk.note();
    let answer = body(desk.answer(&get("/api/v1/history").body(()).unwrap()));
    let history: Value = serde_json::from_str(&answer).unwrap();
    let point = &history["points"][0];
    for (name, count) in [
        ("passed", 70),
        ("dropped", 900),
        ("received", 57),
        ("relayed", 20),
        ("challenged", 7),
        ("turned-away", 3),
        ("calls", 9),
        ("answered", 5),
    ] {
        assert_eq!(point[name], count, "{name}");
    }
}

#[test]
fn every_metric_is_told_of_a_gateway_that_has_everything() {
    let text = body(desk(None).answer(&get("/metrics").body(()).unwrap()));
    for line in [
        "sbc_filter_mode{mode=\"enforce\"} 1",
        "sbc_filter_frames_total{reason=\"unknown-source\",action=\"drop\"} 900",
        "sbc_filter_verdicts_total{reason=\"unknown-source\",lane=\"none\",family=\"ipv4\",carrier=\"udp\"} 900",
        "sbc_upstream_places{target=\"sip:10.0.0.5:5060\",state=\"dead\"} 1",
        "sbc_upstream_places{target=\"sip:10.0.0.5:5060\",state=\"alive\"} 0",
        "sbc_load_level 2",
        "sbc_users 12",
        "sbc_calls_total{holder=\"users\",direction=\"to\"} 4",
        "sbc_calls_answered_total{holder=\"users\",direction=\"from\"} 3",
        "sbc_certificate_expiry_timestamp_seconds{place=\"tls\"} 1900000000",
        "sbc_peer_tls_connections{peer=\"<img src=x onerror=alert(1)>\\\"}\\n\\\\\"} 2",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    assert!(!text.contains("198.51.100."), "addresses are no labels");
}

fn server(token: Option<Token>) -> (SocketAddr, AdminServer) {
    // Ports of the system's choice are refused in configurations, not here.
    let config =
        Admin { listen: "127.0.0.1:0".parse().unwrap(), token_file: None, names: Vec::new() };
    let server = AdminServer::bind(&config).unwrap().showing(token);
    (server.address().unwrap(), server)
}

fn ask(to: SocketAddr, text: &[u8]) -> String {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(text).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn it_answers_over_the_network_one_request_a_connection() {
    let (address, server) = server(Some(Token::sample(TOKEN)));
    let answering = server.start(Arc::new(Sample::default())).unwrap();
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    );
    let answer = ask(address, request.repeat(2).as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1);
    assert!(answer.contains("\r\nconnection: close\r\n"));
    assert!(ask(address, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").contains(" 401 "));
    drop(answering);
}

#[test]
fn what_is_no_request_or_too_large_for_one_is_refused() {
    let (address, server) = server(None);
    let _answering = server.start(Arc::new(Sample::default())).unwrap();
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(64 * 1024));
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "a: b\r\n".repeat(100));
    for text in ["INVITE sip:a@b SIP/2.0\r\n\r\n", "\0\0\0\0\r\n\r\n", &long, &many] {
        let answer = ask(address, text.as_bytes());
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    assert!(ask(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").contains(" 200 "));
}

#[test]
fn those_who_say_nothing_keep_their_places_for_a_while_and_no_longer() {
    let (address, server) = server(None);
    let _answering = server.start(Arc::new(Sample::default())).unwrap();
    let silent: Vec<_> = (0..40).map(|_| TcpStream::connect(address).unwrap()).collect();
    let began = Instant::now();
    assert!(ask(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").contains(" 200 "));
    assert!(began.elapsed() < Duration::from_secs(20));
    drop(silent);
}
