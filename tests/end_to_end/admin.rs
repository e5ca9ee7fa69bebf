//! Metrics, the API and the status page, as Prometheus, scripts and browsers get them.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use sbc_tests::{Family, Gateway, Setup, wait_until};
use sbc_user::admin::Metric;
use serde_json::{Value, json};

use crate::{
    carrier,
    endpoint::Endpoint,
    expectation::{Expect as _, SOON},
};

const LOOPBACK: &str = "127.0.0.1:9160";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const DESCRIPTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/openapi.json");
/// Somebody's idea of a name, and of what to call.
const HOSTILE: &str = "<img src=x onerror=alert(1)>";
/// A browser on a machine that has other things to do.
const BROWSER: Duration = Duration::from_mins(1);

/// A gateway with everything that the listener tells of: a carrier, users, somebody denied, and a peer with that name.
fn setup() -> Setup {
    carrier::setup(&carrier::sources())
        .table(&format!("[admin]\nlisten = \"{LOOPBACK}\""))
        .table(&format!(
            "[[peer]]\nname = \"{HOSTILE}\"\nrequire = [\"static\"]\nsources = [\"203.0.113.0/24\"]\n\
             opens = [\"udp\"]\nmay-assert = [\"*@example.com\"]"
        ))
        .table("[denied]\nsources = [\"192.0.2.66\"]")
        .users("", &[["alice", "secret"]])
}

/// Asks on the gateway itself; the status and the body.
fn get(gateway: &Gateway, to: &str, path: &str, more: &str) -> Result<(u16, String)> {
    let to: SocketAddr = to.parse()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {to}\r\n{more}\r\n");
    let answer = gateway.edge.enter(|| -> Result<String> {
        let mut stream = TcpStream::connect(to)?;
        stream.set_read_timeout(Some(BROWSER))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    })??;
    let (head, body) = answer.split_once("\r\n\r\n").with_context(|| answer.clone())?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.with_context(|| head.to_owned())?, body.to_owned()))
}

fn told(gateway: &Gateway, path: &str) -> Result<String> {
    let (status, body) = get(gateway, LOOPBACK, path, "")?;
    ensure!(status == 200, "{path}: {status}: {body}");
    Ok(body)
}

/// A stranger asks for more than it gets, and the daemon has heard of it.
fn knock(gateway: &Gateway, samples: u64) -> Result<()> {
    let stranger =
        Endpoint::bind(&gateway.internet, SocketAddr::new(Family::V4.elsewhere(), 5070))?;
    let mut request = stranger.request("INVITE");
    request.uri = format!("sip:{HOSTILE}@203.0.113.10");
    stranger.send(Family::V4.sip(), &request)?;
    gateway.expect_verdicts(&[("unknown-source", samples)])?;
    gateway.wait_for_status("a sample", |status| Ok(status.samples_read()? >= 1))?;
    // The listener looks now and then, however often it is asked.
    let counted =
        format!("sbc_filter_frames_total{{reason=\"unknown-source\",action=\"drop\"}} {samples}\n");
    wait_until("the look after that", SOON, || Ok(told(gateway, "/metrics")?.contains(&counted)))
}

#[test]
fn the_api_answers_what_its_description_says() -> Result<()> {
    let gateway = setup().start()?;
    let client = carrier::connect(&gateway, Family::V4)?;
    knock(&gateway, 1)?;
    let description: Value = serde_json::from_str(&fs::read_to_string(DESCRIPTION)?)?;
    wait_until("a point of the history", SOON, || {
        let history: Value = serde_json::from_str(&told(&gateway, "/api/v1/history")?)?;
        Ok(!history["points"].as_array().context("no points")?.is_empty())
    })?;
    let paths = description["paths"].as_object().context("no paths")?;
    for (path, item) in paths.iter().filter(|(path, _)| path.starts_with("/api/")) {
        let asked = match item["get"]["parameters"][0]["name"].as_str() {
            Some("address") => format!("{path}?address={}:5070", Family::V4.elsewhere()),
            Some(_) | None => path.clone(),
        };
        let answer: Value = serde_json::from_str(&told(&gateway, &asked)?)?;
        let schema = &item["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        expect_valid(&description, schema, &answer).context(asked)?;
    }
    let (status, body) = get(&gateway, LOOPBACK, "/api/v1/explain", "")?;
    ensure!(status == 400, "{status}");
    let problem = json!({"$ref": "#/components/schemas/Problem"});
    expect_valid(&description, &problem, &serde_json::from_str(&body)?)?;

    // What it says is what is.
    let peers: Value = serde_json::from_str(&told(&gateway, "/api/v1/peers")?)?;
    assert_eq!(peers["peers"][0]["proofs"][0]["holder"], "peer carrier", "{peers}");
    assert_eq!(peers["peers"][1]["name"], HOSTILE);
    let drops: Value = serde_json::from_str(&told(&gateway, "/api/v1/drops")?)?;
    assert_eq!(drops["drops"][0]["reason"], "unknown-source", "{drops}");
    assert_eq!(drops["drops"][0]["source"], format!("{}:5070", Family::V4.elsewhere()));
    let line = drops["drops"][0]["first-line"].as_str().context("no first line")?;
    assert!(line.starts_with(&format!("INVITE sip:{HOSTILE}@")), "{line}");
    let denied: Value =
        serde_json::from_str(&told(&gateway, "/api/v1/explain?address=192.0.2.66")?)?;
    assert_eq!(denied["grants"][0]["proof"], "denied", "{denied}");
    let status: Value = serde_json::from_str(&told(&gateway, "/api/v1/status")?)?;
    assert_eq!(status["daemon"]["users"]["count"], 1);
    assert!(status["daemon"]["certificates"][0]["expires-in-seconds"].as_u64() > Some(0));
    client.close()
}

fn expect_valid(description: &Value, schema: &Value, answer: &Value) -> Result<()> {
    let root = json!({"allOf": [schema], "components": description["components"]});
    let validator = jsonschema::validator_for(&root)?;
    let mistakes: Vec<_> = validator
        .iter_errors(answer)
        .map(|mistake| format!("{}: {mistake}", mistake.instance_path()))
        .collect();
    ensure!(mistakes.is_empty(), "{mistakes:#?} in {answer}");
    Ok(())
}

#[test]
fn prometheus_takes_the_metrics_and_they_are_those_of_the_list() -> Result<()> {
    let gateway = setup().start()?;
    knock(&gateway, 1)?;
    let text = told(&gateway, "/metrics")?;
    let mut promtool = gateway.edge.command("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped());
    let mut promtool = gateway.edge.spawn("promtool", promtool)?;
    promtool.take_stdin().context("no pipe")?.write_all(text.as_bytes())?;
    let status = promtool.wait(BROWSER)?;
    ensure!(status.success() && promtool.output()?.is_empty(), "{status}: {}", promtool.output()?);

    let listed: BTreeSet<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let told: BTreeSet<_> = samples.filter_map(|line| line.split(['{', ' ']).next()).collect();
    assert!(told.is_subset(&listed), "{:?}", told.difference(&listed));
    for line in [
        "sbc_filter_mode{mode=\"enforce\"} 1",
        "sbc_filter_frames_total{reason=\"unknown-source\",action=\"drop\"} 1",
        "sbc_filter_verdicts_total{reason=\"unknown-source\",lane=\"none\",family=\"ipv4\",carrier=\"udp\"} 1",
        "sbc_users 1",
        "sbc_trusted_sources{proof=\"denied\"} 1",
        &format!("sbc_peer_sources{{peer=\"{HOSTILE}\",proof=\"static\"}} 1"),
    ] {
        assert!(text.lines().any(|told| told == line), "{line} is not in {text}");
    }
    let stranger = Family::V4.elsewhere().to_string();
    assert!(!text.contains(&stranger) && !text.contains("alice"), "{text}");
    Ok(())
}

#[test]
fn whoever_can_reach_it_from_elsewhere_needs_the_token() -> Result<()> {
    let address = SocketAddr::new(Family::V4.gateway_inside(), 9160).to_string();
    let admin = format!("[admin]\nlisten = \"{address}\"\ntoken-file = \"token\"");
    let mut gateway = Setup::new().table(&admin).build()?;
    let token = gateway.scratch().write("token", format!("{TOKEN}\n"))?;
    fs::set_permissions(&token, fs::Permissions::from_mode(0o640))?;
    let (status, said) = gateway.sbc(&["check"])?;
    ensure!(!status.success() && said.contains("open to others"), "{status}: {said}");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600))?;
    gateway.start()?;
    for (more, expected) in [
        (String::new(), 401),
        (format!("Authorization: Bearer {TOKEN}x\r\n"), 401),
        (format!("Authorization: Bearer {TOKEN}\r\n"), 200),
    ] {
        for path in ["/metrics", "/api/v1/status", "/api/v1/drops"] {
            assert_eq!(get(&gateway, &address, path, &more)?.0, expected, "{path}, {more}");
        }
        assert_eq!(get(&gateway, &address, "/", &more)?.0, 200);
    }
    Ok(())
}

#[test]
fn the_status_page_shows_what_strangers_say_as_text() -> Result<()> {
    let gateway = setup().start()?;
    knock(&gateway, 1)?;
    let page = browse(&gateway, &["--dump-dom"])?;
    assert!(page.contains("data-state=\"live\""), "{page}");
    let escaped = HOSTILE.replace('<', "&lt;").replace('>', "&gt;");
    // The name of a peer, and the first line of a packet.
    assert!(page.contains(&escaped) && page.contains(&format!("INVITE sip:{escaped}@")), "{page}");
    assert!(!page.contains("<img"), "{page}");
    for text in ["enforcing", "unknown-source", "carrier", "waiting for proof"] {
        assert!(page.contains(text), "{text} is not in {page}");
    }
    let picture = gateway.scratch().path().join("page.png");
    let screenshot = format!("--screenshot={}", picture.display());
    browse(&gateway, &[&screenshot, "--window-size=390,844"])?;
    expect_picture(&picture)
}

fn browse(gateway: &Gateway, arguments: &[&str]) -> Result<String> {
    let profile = gateway.scratch().path().join("browser");
    let mut browser = gateway.edge.command("chromium-headless-shell");
    // In its namespaces it is root, whom its own sandbox is not made for; the page is ours.
    browser
        .args(["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg("--virtual-time-budget=5000")
        .args(arguments)
        .arg(format!("http://{LOOPBACK}/"));
    let mut browser = gateway.edge.spawn("chromium", browser)?;
    let status = browser.wait(BROWSER)?;
    let said = browser.output()?;
    ensure!(status.success(), "{status}: {said}");
    Ok(said)
}

fn expect_picture(path: &Path) -> Result<()> {
    let bytes = fs::read(path).context("no picture")?;
    if !bytes.starts_with(b"\x89PNG\r\n\x1a\n") || bytes.len() < 10_000 {
        bail!("{} bytes are no picture of a page", bytes.len());
    }
    Ok(())
}
