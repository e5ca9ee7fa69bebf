//! What was sampled, as an operator sees it.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context as _, Result, ensure};
use sbc_tests::{Family, Gateway, Process, Setup, wait_until};
use serde_json::Value;

use crate::{endpoint::Endpoint, expectation::SOON, flood::Flood};

/// Whole in a sample, unlike any request that means something.
const SHORT: &[u8] = b"OPTIONS sip:callee@example.com SIP/2.0\r\n\r\n";

/// Somebody is denied, and somebody is a peer who may send over TCP alone.
fn setup() -> Setup {
    let list = |address: fn(Family) -> IpAddr| {
        Family::ALL.map(|family| format!("\"{}\"", address(family))).join(", ")
    };
    Setup::new().table(&format!(
        "[denied]\nsources = [{}]\n[[peer]]\nname = \"carrier\"\nrequire = [\"static\"]\n\
         sources = [{}]\nopens = [\"tcp\"]\nmay-assert = [\"*@carrier.example\"]",
        list(Family::elsewhere),
        list(Family::neighbour)
    ))
}

/// Whose packets over UDP are dropped, and what is said of them.
fn dropped(family: Family) -> [(IpAddr, &'static str); 3] {
    [
        (family.caller(), "unknown-source drop lane=none carrier=udp"),
        (family.elsewhere(), "denied-source drop lane=denied carrier=udp"),
        (family.neighbour(), "transport-not-opened drop lane=none carrier=udp of peer carrier"),
    ]
}

/// Sends an INVITE that is longer than a sample, or else something short.
fn send(gateway: &Gateway, from: SocketAddr, short: bool) -> Result<()> {
    let family = if from.is_ipv4() { Family::V4 } else { Family::V6 };
    let phone = Endpoint::bind(&gateway.internet, from)?;
    if short {
        return phone.send_bytes(family.sip(), SHORT);
    }
    phone.send(family.sip(), &phone.request("INVITE").with_body())
}

fn wait_for_samples(gateway: &Gateway, count: u64) -> Result<()> {
    let what = format!("{count} samples");
    gateway.wait_for_status(&what, |status| Ok(status.samples_read()? == count)).map(drop)
}

/// A capture that runs, and its file.
struct Capture {
    process: Process,
    file: PathBuf,
}

impl Capture {
    fn start(gateway: &Gateway, name: &str, arguments: &[&str]) -> Result<Self> {
        let file = gateway.scratch().path().join(name);
        let text = file.to_str().context("a path that is no text")?;
        let arguments = [&["capture", "--write", text], arguments].concat();
        let mut process = gateway.spawn(&arguments)?;
        // It is written when the daemon has said yes.
        wait_until("the capture to begin", SOON, || {
            ensure!(process.is_running()? || file.exists(), "{}", process.output()?);
            Ok(fs::metadata(&file)?.len() > 0)
        })?;
        Ok(Self { process, file })
    }

    fn interrupt(mut self) -> Result<(String, PathBuf)> {
        self.process.signal(libc::SIGINT)?;
        self.end()
    }

    fn end(&mut self) -> Result<(String, PathBuf)> {
        self.process.expect_success(SOON)?;
        Ok((self.process.output()?, self.file.clone()))
    }
}

/// What tshark shows of each packet, in these fields.
fn tshark(gateway: &Gateway, file: &Path, fields: &[&str]) -> Result<Vec<Vec<String>>> {
    let file = file.to_str().context("a path that is no text")?;
    let fields = fields.iter().flat_map(|field| ["-e", field]);
    let shown =
        gateway.edge.run("tshark", ["-n", "-r", file, "-T", "fields"].into_iter().chain(fields))?;
    let fields = |line: &str| line.split('\t').map(str::to_owned).collect();
    Ok(shown.lines().map(fields).collect())
}

/// What the offline decision says of each packet, and whether the packet is whole.
fn replay(gateway: &Gateway, file: &Path) -> Result<Vec<(String, bool)>> {
    let file = file.to_str().context("a path that is no text")?;
    let (status, said) = gateway.sbc(&["replay", "--json", file])?;
    ensure!(status.success(), "{said}");
    let lines = said.lines().map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>()?;
    let judged = lines.iter().filter(|line| !line["packet"].is_null()).map(|line| {
        let text = |name: &str| line[name].as_str().unwrap_or("none").to_owned();
        let [reason, verdict, lane] = ["reason", "verdict", "lane"].map(text);
        let carrier = text("carrier");
        let verdict = format!("{reason} {verdict} lane={lane} carrier={carrier}");
        (verdict, line["is-cut"] == false)
    });
    Ok(judged.collect())
}

/// What one CPU receives may overtake what another one has received.
fn sorted<T: Ord>(mut of_all_cpus: Vec<T>) -> Vec<T> {
    of_all_cpus.sort();
    of_all_cpus
}

fn explain(gateway: &Gateway, source: &str) -> Result<Value> {
    let (status, said) = gateway.sbc(&["explain", "--json", source])?;
    ensure!(status.success(), "{said}");
    Ok(serde_json::from_str(&said)?)
}

/// Reason, lane and source port of each packet that the daemon has seen.
fn seen(explanation: &Value) -> Vec<String> {
    let each = |seen: &Value| {
        let lane = seen["lane"].as_str().unwrap_or("none");
        format!("{} {lane} {}", seen["reason"].as_str().unwrap_or_default(), seen["source-port"])
    };
    explanation["seen"].as_array().into_iter().flatten().map(each).collect()
}

#[test]
fn dropped_packets_are_captured_with_their_verdicts() -> Result<()> {
    let gateway = setup().start()?;
    let capture = Capture::start(&gateway, "all.pcapng", &[])?;
    let begin = SystemTime::now();
    let mut expected = Vec::new();
    for short in [false, true] {
        for family in Family::ALL {
            for (address, comment) in dropped(family) {
                let from = SocketAddr::new(address, if short { 5071 } else { 5070 });
                send(&gateway, from, short)?;
                expected.push((from, comment));
            }
        }
        // The next ones of the same verdict come in another tick of the timer, and are sampled too.
        wait_for_samples(&gateway, expected.len() as u64)?;
    }
    let end = SystemTime::now();
    let (said, file) = capture.interrupt()?;
    assert_eq!(said, "12 packets\n");

    let fields = ["frame.comment", "ip.src", "ipv6.src", "udp.srcport", "frame.interface_name"];
    let shown = sorted(tshark(&gateway, &file, &fields)?);
    let wanted = expected.iter().map(|(from, comment)| {
        let [v4, v6] = if from.is_ipv4() {
            [from.ip().to_string(), String::new()]
        } else {
            [String::new(), from.ip().to_string()]
        };
        vec![(*comment).to_owned(), v4, v6, from.port().to_string(), "outside".to_owned()]
    });
    assert_eq!(shown, sorted(wanted.collect()));

    let seconds = |time: SystemTime| {
        time.duration_since(SystemTime::UNIX_EPOCH).map(|since| since.as_secs_f64())
    };
    // The kernel's clock of samples is as coarse as its timer.
    let (begin, end) = (seconds(begin)? - 0.02, seconds(end)?);
    for packet in tshark(&gateway, &file, &["frame.time_epoch", "frame.len", "frame.cap_len"])? {
        let [time, length, kept] = packet.try_into().map_err(|_| anyhow::anyhow!("fields"))?;
        let time: f64 = time.parse()?;
        assert!((begin..=end).contains(&time), "{time} is not in {begin}..{end}");
        assert_eq!(time.to_string().len().min(12), 12, "nanoseconds: {time}");
        let (length, kept): (u32, u32) = (length.parse()?, kept.parse()?);
        assert!(kept == length.min(256) && length > 80, "{kept} of {length}");
    }

    let judged = replay(&gateway, &file)?;
    assert_eq!(judged.iter().filter(|(_, is_whole)| *is_whole).count(), 6);
    let judged = judged.into_iter().map(|(verdict, _)| verdict).collect();
    let verdict = |comment: &str| comment.trim_end_matches(" of peer carrier").to_owned();
    let wanted = expected.iter().map(|(_, comment)| verdict(comment)).collect();
    assert_eq!(sorted(judged), sorted(wanted));

    // The same again from what the daemon has kept, but some of it.
    let some = ["--recent", "--for", "0s", "--reason", "denied-source", "--reason", "tunnel"];
    let arguments = [&some[..], &["--source", "2001:db8:1::/64"]].concat();
    let (said, file) = Capture::start(&gateway, "some.pcapng", &arguments)?.end()?;
    assert_eq!(said, "2 packets\n");
    let source = Family::V6.elsewhere().to_string();
    let row = |port: &str| vec![source.clone(), port.to_owned()];
    let shown = tshark(&gateway, &file, &["ipv6.src", "udp.srcport"])?;
    assert_eq!(shown, [row("5070"), row("5071")]);
    let (said, _) =
        Capture::start(&gateway, "five.pcapng", &["--recent", "--count", "5"])?.end()?;
    assert_eq!(said, "5 packets\n");
    Ok(())
}

#[test]
fn a_source_is_explained_by_its_last_packets_and_not_by_questions_about_it() -> Result<()> {
    let mut gateway = setup().kept_on_shutdown().start()?;
    for family in Family::ALL {
        let address = family.caller().to_string();
        let explanation = explain(&gateway, &address)?;
        assert_eq!(seen(&explanation), [""; 0]);
        assert!(explanation["unseen-because"].is_null());
        assert_eq!(explanation["questions-counted"], 2);
    }
    gateway.wait_for_status("the questions to be counted", |status| {
        Ok(status.verdict("unknown-source")? == 4)
    })?;
    send(&gateway, SocketAddr::new(Family::V4.caller(), 5070), false)?;
    send(&gateway, SocketAddr::new(Family::V6.neighbour(), 5070), false)?;
    // The questions came before, so that they were read by now.
    wait_for_samples(&gateway, 2)?;
    send(&gateway, SocketAddr::new(Family::V4.caller(), 5071), true)?;
    wait_for_samples(&gateway, 3)?;
    for (source, expected) in [
        ("198.51.100.7", &["unknown-source none 5071", "unknown-source none 5070"][..]),
        ("198.51.100.7:5070", &["unknown-source none 5070"]),
        ("[2001:db8:1::8]:5070", &["transport-not-opened none 5070"]),
        ("2001:db8:1::7", &[]),
    ] {
        let explanation = explain(&gateway, source)?;
        assert_eq!(seen(&explanation), expected, "{source}");
        let first = &explanation["seen"][0];
        assert!(first.is_null() || first["milliseconds-ago"].as_u64() < Some(60_000), "{first}");
    }
    let (_, said) = gateway.sbc(&["explain", "198.51.100.7:5070"])?;
    let line = "ago: unknown-source (drop), lane none, udp from port 5070 to 198.51.100.1:5060\n";
    assert!(said.contains(line), "{said}");

    gateway.stop()?;
    let explanation = explain(&gateway, "198.51.100.7")?;
    assert!(explanation["seen"].is_null());
    assert_eq!(explanation["unseen-because"], "the daemon does not run");
    let (_, said) = gateway.sbc(&["explain", "198.51.100.7"])?;
    assert!(said.contains("is not known: the daemon does not run\n"), "{said}");
    let (status, said) = gateway.sbc(&["capture", "--write", "-"])?;
    assert!(status.code() == Some(2) && said.contains("no daemon answers at"), "{said}");
    Ok(())
}

#[test]
fn a_capture_that_is_stuck_holds_nobody_up() -> Result<()> {
    let gateway = setup().start()?;
    let mut stuck = Capture::start(&gateway, "stuck.pcapng", &["--count", "500"])?;
    stuck.process.signal(libc::SIGSTOP)?;
    let flood = |family: Family| {
        let from = SocketAddr::new(family.caller(), 5070);
        Flood::start(&gateway.internet, from, family.sip())
    };
    let floods = Family::ALL.into_iter().map(flood).collect::<Result<Vec<_>>>()?;
    gateway.wait_for_status("samples to be missed", |status| Ok(status.samples_missed()? > 0))?;

    let read = gateway.status()?.samples_read()?;
    let (said, _) = Capture::start(&gateway, "other.pcapng", &["--count", "50"])?.end()?;
    assert_eq!(said, "50 packets\n");
    assert!(!seen(&explain(&gateway, &Family::V4.caller().to_string())?).is_empty());
    assert!(gateway.status()?.samples_read()? >= read + 50);

    stuck.process.signal(libc::SIGCONT)?;
    let (said, file) = stuck.end()?;
    let missed = said.strip_prefix("500 packets\n").and_then(|said| said.split(' ').next());
    assert!(missed.context("no count")?.parse::<u64>()? > 0, "{said}");
    assert!(said.contains(" more were missed"), "{said}");
    assert_eq!(tshark(&gateway, &file, &["frame.number"])?.len(), 500);
    for flood in floods {
        flood.stop()?;
    }
    Ok(())
}

#[test]
fn a_few_may_capture_at_a_time() -> Result<()> {
    let gateway = setup().start()?;
    let captures = ["1", "2", "3", "4"].map(|name| Capture::start(&gateway, name, &[]));
    let mut captures = captures.into_iter().collect::<Result<Vec<_>>>()?;
    let precious = gateway.scratch().write("precious", "nothing to do with it")?;
    let path = precious.to_str().context("a path that is no text")?;
    let (status, said) = gateway.sbc(&["capture", "--write", path])?;
    assert_eq!(status.code(), Some(2));
    assert!(said.contains("4 captures run already"), "{said}");
    assert_eq!(fs::read_to_string(&precious)?, "nothing to do with it");

    let (said, file) = captures.remove(0).interrupt()?;
    assert_eq!(said, "0 packets\n");
    assert_eq!(tshark(&gateway, &file, &["frame.number"])?.len(), 0);
    wait_until("the place to be free", SOON, || {
        let (status, _) = gateway.sbc(&["capture", "--for", "0s", "--write", path])?;
        Ok(status.success())
    })?;
    for capture in captures {
        capture.interrupt()?;
    }
    Ok(())
}

#[test]
fn whoever_asks_nothing_or_nonsense_keeps_nobody_from_the_control_socket() -> Result<()> {
    let gateway = setup().start()?;
    let connect = || UnixStream::connect(gateway.edge.path("/run/sbc/control.sock"));
    let mut asker = connect()?;
    asker.write_all(b"nonsense\n")?;
    let mut answer = String::new();
    asker.read_to_string(&mut answer)?;
    assert!(answer.starts_with("{\"refused\":\"what was asked cannot be read"), "{answer}");

    // More than are answered at a time.
    let silent = (0..20).map(|_| connect()).collect::<Result<Vec<_>, _>>()?;
    let (status, said) = gateway.sbc(&["status"])?;
    assert!(status.success(), "{said}");
    drop(silent);
    Ok(())
}

#[test]
fn what_only_would_be_dropped_is_captured_as_passed_until_nobody_reads() -> Result<()> {
    let gateway = setup().observing().start()?;
    send(&gateway, SocketAddr::new(Family::V4.caller(), 5070), true)?;
    wait_for_samples(&gateway, 1)?;
    let arguments = ["--recent", "--count", "1"];
    let (_, file) = Capture::start(&gateway, "observed", &arguments)?.end()?;
    let shown = tshark(&gateway, &file, &["frame.comment"])?;
    assert_eq!(shown, [["unknown-source drop passed lane=none carrier=udp"]]);

    let script = "set -o pipefail; \"$0\" capture --write - --config \"$1\" | head --bytes=4";
    let mut shell = gateway.edge.command("bash");
    shell.arg("-c").arg(script).arg(sbc_tests::sbc_binary()?).arg(gateway.configuration());
    let mut pipe = gateway.edge.spawn("a capture that is read in part", shell)?;
    wait_until("the reader to have read enough", SOON, || Ok(pipe.output()?.len() >= 4))?;
    wait_until("the capture to end", SOON, || {
        send(&gateway, SocketAddr::new(Family::V4.caller(), 5070), true)?;
        Ok(!pipe.is_running()?)
    })?;
    pipe.expect_success(SOON)?;
    assert_eq!(pipe.output()?.as_bytes(), [0x0a, 0x0d, 0x0d, 0x0a]);
    Ok(())
}

#[test]
fn a_daemon_without_privileges_goes_on_reading_where_a_killed_one_ended() -> Result<()> {
    let mut gateway = setup().for_service_user().build()?;
    gateway.load()?;
    gateway.start_without_privileges()?;
    let mut capture = Capture::start(&gateway, "until-killed.pcapng", &[])?;
    let port = |port| SocketAddr::new(Family::V4.caller(), port);
    send(&gateway, port(5070), true)?;
    wait_for_samples(&gateway, 1)?;
    wait_until("the packet to be written", SOON, || {
        Ok(tshark(&gateway, &capture.file, &["frame.number"])?.len() == 1)
    })?;
    let daemon = gateway.daemon()?;
    daemon.signal(libc::SIGKILL)?;
    daemon.wait(SOON)?;
    let (said, file) = capture.end()?;
    assert_eq!(said, "1 packets; the daemon has ended the capture\n");
    assert_eq!(tshark(&gateway, &file, &["udp.srcport"])?, [["5070"]]);

    // Nobody reads; the kernel keeps it.
    send(&gateway, port(5071), true)?;
    gateway.wait_for_status("the drop", |status| Ok(status.verdict("unknown-source")? == 2))?;
    let between = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64();
    gateway.start_without_privileges()?;
    wait_for_samples(&gateway, 1)?;
    send(&gateway, port(5072), true)?;
    wait_for_samples(&gateway, 2)?;
    let explanation = explain(&gateway, "198.51.100.7")?;
    assert_eq!(seen(&explanation), ["unknown-source none 5072", "unknown-source none 5071"]);
    let arguments = ["--recent", "--for", "0s"];
    let (_, file) = Capture::start(&gateway, "after", &arguments)?.end()?;
    let shown = tshark(&gateway, &file, &["udp.srcport", "frame.time_epoch"])?;
    let times: Vec<f64> = shown.iter().map(|row| row[1].parse()).collect::<Result<_, _>>()?;
    assert!(times[0] < between && times[1] > between - 0.02, "{times:?}, {between}");
    Ok(())
}
