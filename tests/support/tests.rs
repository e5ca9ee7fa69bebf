//! The support itself; like all that uses it, this takes root.

use std::{
    fs,
    net::{IpAddr, SocketAddr, UdpSocket},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    Authority, Certificate, Host, Kamailio, Scenario, Scratch, Sipp, Usage, Validity, connect,
    udp_counters, wait_until,
};

const SOON: Duration = Duration::from_secs(5);

fn pair() -> Result<(Host, Host)> {
    let (west, east) = (Host::new("west")?, Host::new("east")?);
    connect(
        west.interface("eth0", &["192.0.2.1/24", "2001:db8::1/64"]),
        east.interface("eth0", &["192.0.2.2/24", "2001:db8::2/64"]),
    )?;
    Ok((west, east))
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn hosts_exchange_datagrams_and_their_kernels_count_them() -> Result<()> {
    let (west, east) = pair()?;
    for (at, from) in
        [("192.0.2.2:5060", "192.0.2.1:5060"), ("[2001:db8::2]:5060", "[2001:db8::1]:5060")]
    {
        let receiver = east.enter(|| UdpSocket::bind(at))??;
        receiver.set_read_timeout(Some(SOON))?;
        let sender = west.enter(|| UdpSocket::bind(from))??;
        sender.send_to(b"ping", at)?;
        let mut bytes = [0; 16];
        assert_eq!(receiver.recv_from(&mut bytes)?, (4, address(from)));
    }
    west.enter(|| UdpSocket::bind("192.0.2.1:0")?.send_to(b"lost", "192.0.2.2:9"))??;
    wait_until("the datagram to a port without listener", SOON, || {
        Ok(udp_counters(&east)?.no_port_v4 == 1)
    })?;
    let counters = udp_counters(&east)?;
    assert_eq!((counters.received_v4, counters.received_v6, counters.no_port_v6), (1, 1, 0));
    Ok(())
}

#[test]
fn nothing_is_left_of_a_host_and_what_ran_on_it() -> Result<()> {
    let host = Host::new("gone")?;
    let holder = host.pid();
    fs::write(host.path("/run/sbc/file"), "private")?;
    assert!(!Path::new("/run/sbc/file").exists());
    assert_eq!(host.run("cat", ["/run/sbc/file"])?, "private");
    assert!(host.path("/sys/class/net/lo").exists());

    // The shell's child is in a session of its own, so that only its namespace can kill it.
    let mut shell = host.command("sh");
    shell.args(["-c", "setsid sleep 1000 & echo $!; wait"]);
    let mut shell = host.spawn("sh", shell)?;
    shell.wait_for_output("\n", SOON)?;
    let sleeper = || Command::new("pgrep").args(["-x", "-f", "sleep 1000"]).output();
    assert!(sleeper()?.status.success());

    drop(host);
    assert!(Path::new(&format!("/proc/{holder}")).exists(), "a process still runs on it");
    drop(shell);
    assert!(!Path::new(&format!("/proc/{holder}")).exists());
    assert!(!sleeper()?.status.success());
    Ok(())
}

#[test]
fn a_process_outlives_the_thread_that_started_it() -> Result<()> {
    let host = Host::new("patient")?;
    let mut process = std::thread::scope(|scope| {
        let start = || {
            let mut cat = host.command("cat");
            cat.stdin(std::process::Stdio::piped());
            host.spawn("cat", cat)
        };
        scope.spawn(start).join().unwrap()
    })?;
    assert!(process.is_running()?);
    drop(process.take_stdin());
    process.expect_success(SOON)
}

#[test]
fn waiting_in_vain_tells_the_last_state() {
    let start = Instant::now();
    let error = wait_until("the moon", Duration::from_millis(50), || anyhow::bail!("no moon yet"))
        .unwrap_err();
    assert_eq!(format!("{error:#}"), "waited 50ms in vain for the moon: no moon yet");
    assert!(start.elapsed() < SOON);
}

#[test]
fn certificates_are_good_expired_or_of_another_authority() -> Result<()> {
    let scratch = Scratch::new()?;
    let ours = Authority::new(scratch.path().join("ours"), "Ours")?;
    let theirs = Authority::new(scratch.path().join("theirs"), "Theirs")?;
    let verdict = |validity, usage, purpose| -> Result<String> {
        let issued = ours.issue(&Certificate {
            name: "carrier",
            uri_sans: &["sip:carrier.example"],
            dns_sans: &["carrier.example"],
            usage,
            validity,
        })?;
        let output = Command::new("openssl")
            .args(["verify", "-purpose", purpose, "-CAfile"])
            .args([&ours.certificate(), &issued.chain])
            .output()?;
        Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    assert!(verdict(Validity::Valid, Usage::Client, "sslclient")?.ends_with(": OK\n"));
    assert!(verdict(Validity::Valid, Usage::Unstated, "sslserver")?.ends_with(": OK\n"));
    assert!(verdict(Validity::Valid, Usage::Server, "sslclient")?.contains("purpose"));
    assert!(verdict(Validity::Expired, Usage::Both, "sslclient")?.contains("expired"));
    assert!(verdict(Validity::NotYet, Usage::Both, "sslclient")?.contains("not yet valid"));
    assert_ne!(fs::read(ours.certificate())?, fs::read(theirs.certificate())?);
    Ok(())
}

#[test]
fn sipp_calls_sipp_over_either_family_and_transport() -> Result<()> {
    let (west, east) = pair()?;
    for (from, to) in
        [("192.0.2.1:5060", "192.0.2.2:5060"), ("[2001:db8::1]:5060", "[2001:db8::2]:5060")]
    {
        for over_tcp in [false, true] {
            let answering = Sipp::answering(Scenario::Answer, address(to));
            let calling = Sipp::calling(Scenario::Call, address(from), address(to)).calls(3);
            let [answering, calling] =
                [answering, calling].map(|sipp| if over_tcp { sipp.over_tcp() } else { sipp });
            let answering = answering.start(&east)?;
            let calls = calling.run(&west)?;
            assert_eq!((calls.successful, calls.failed), (3, 0), "{}", calls.errors);
            let answered = answering.stop()?;
            assert_eq!((answered.successful, answered.failed), (3, 0), "{}", answered.errors);
        }
    }
    Ok(())
}

#[test]
fn sipp_hears_silence_where_nobody_answers() -> Result<()> {
    let (west, east) = pair()?;
    let from = address("192.0.2.1:5060");
    let to = address("192.0.2.2:5060");
    let mute = east.enter(|| UdpSocket::bind(to))??;
    let calls = Sipp::calling(Scenario::InviteWithoutAnswer, from, to).run(&west)?;
    assert_eq!((calls.successful, calls.failed), (1, 0), "{}", calls.errors);
    mute.recv_from(&mut [0; 2048])?;
    assert_eq!(udp_counters(&east)?.received_v4, 1);
    Ok(())
}

#[test]
fn kamailio_registers_and_connects() -> Result<()> {
    let (west, east) = pair()?;
    let kamailio = Kamailio::start(&east, address("192.0.2.2:5060"))?;
    assert!(kamailio.contacts("callee")?.is_empty());
    let phone = west.enter(|| UdpSocket::bind("192.0.2.1:5070"))??;
    phone.set_read_timeout(Some(SOON))?;
    phone.send_to(
        b"REGISTER sip:example.com SIP/2.0\r\n\
          Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1;rport\r\nMax-Forwards: 70\r\n\
          From: <sip:callee@example.com>;tag=1\r\nTo: <sip:callee@example.com>\r\nCall-ID: 1\r\n\
          CSeq: 1 REGISTER\r\nContact: <sip:callee@192.0.2.1:5070>\r\nExpires: 60\r\n\
          Content-Length: 0\r\n\r\n",
        "192.0.2.2:5060",
    )?;
    let mut answer = [0; 1024];
    let (length, _) = phone.recv_from(&mut answer)?;
    assert!(answer[..length].starts_with(b"SIP/2.0 200"));
    assert_eq!(kamailio.contacts("callee")?, ["sip:callee@192.0.2.1:5070"]);
    drop(phone);

    let answering = Sipp::answering(Scenario::Answer, address("192.0.2.1:5070")).start(&west)?;
    let calls = Sipp::calling(Scenario::Call, address("192.0.2.1:5080"), address("192.0.2.2:5060"))
        .run(&west)?;
    assert_eq!((calls.successful, calls.failed), (1, 0), "{}{}", calls.errors, calls.messages);
    assert_eq!(answering.stop()?.successful, 1);
    Ok(())
}

#[test]
fn a_host_has_routes() -> Result<()> {
    let (west, _east) = pair()?;
    let gateway: IpAddr = "192.0.2.2".parse()?;
    west.route("198.51.100.0/24", gateway)?;
    west.default_route(gateway)?;
    west.default_route("2001:db8::2".parse()?)?;
    assert!(west.run("ip", ["route"])?.contains("198.51.100.0/24 via 192.0.2.2"));
    assert!(west.run("ip", ["-6", "route"])?.contains("default via 2001:db8::2"));
    Ok(())
}

#[test]
fn sipp_proves_itself_with_digest() -> Result<()> {
    let (west, east) = pair()?;
    let pbx = address("192.0.2.2:5060");
    let _kamailio = Kamailio::start_with_digest(&east, pbx, "secret")?;
    let phone = address("192.0.2.1:5070");
    let run = |scenario, local, password| -> Result<()> {
        let user = if local == phone { "callee" } else { "alice" };
        let calls = Sipp::calling(scenario, local, pbx).credentials(user, password).run(&west)?;
        let all_well = (calls.successful, calls.failed) == (1, 0);
        ensure!(all_well, "{scenario:?}: {}{}", calls.errors, calls.messages);
        Ok(())
    };
    let caller = address("192.0.2.1:5080");
    run(Scenario::ChallengedInvite, caller, "")?;
    run(Scenario::RefusedRegistration, phone, "wrong")?;
    run(Scenario::RefusedCall, caller, "wrong")?;
    run(Scenario::Registration, phone, "secret")?;
    let answering = Sipp::answering(Scenario::Answer, phone).start(&west)?;
    run(Scenario::CallWithDigest, caller, "secret")?;
    assert_eq!(answering.stop()?.successful, 1);
    let ringing = Sipp::answering(Scenario::Ring, phone).start(&west)?;
    run(Scenario::CancelledCall, caller, "secret")?;
    let ringing = ringing.stop()?;
    assert_eq!((ringing.successful, ringing.failed), (1, 0), "{}", ringing.errors);
    Ok(())
}
