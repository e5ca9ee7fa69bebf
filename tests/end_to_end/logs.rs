//! What the daemon logs, in each format.

use std::{os::unix::net::UnixDatagram, time::Duration};

use anyhow::{Context as _, Result, ensure};
use sbc_tests::{Family, Setup};
use serde_json::Value;

use crate::{endpoint::ends, expectation::Expect as _};

const PATIENCE: Duration = Duration::from_secs(30);

/// A request that cannot be read, with what begins a line and gives orders to a terminal.
const NASTY: &[u8] = b"INVITE sip:x SIP/2.0\r\nVia: \x1b[2J\n<3>fake: ERROR\r\n\r\n";

#[test]
fn json_has_an_object_in_each_line() -> Result<()> {
    let setup = Setup::new().challenging_strangers().users("", &[]);
    let mut gateway = setup.table("[log]\nformat = \"json\"\nlevel = \"debug\"").start()?;
    let (phone, _upstream) = ends(&gateway)?;
    phone.send_bytes(Family::V4.sip(), NASTY)?;
    gateway.expect_outcomes(&[("malformed", 1)])?;
    let log = gateway.stop()?;
    let mut messages = Vec::new();
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        ensure!(event["timestamp"].is_string() && event["target"].is_string(), "{line}");
        messages.push((event["level"].clone(), event["fields"]["message"].clone()));
    }
    for expected in [("INFO", "ready"), ("DEBUG", "malformed message"), ("INFO", "shutting down")] {
        let expected = (Value::from(expected.0), Value::from(expected.1));
        ensure!(messages.contains(&expected), "{expected:?}: {log}");
    }
    Ok(())
}

#[test]
fn the_journal_gets_events_with_their_fields_and_priorities() -> Result<()> {
    let mut gateway = Setup::new().table("[log]\nformat = \"journald\"").build()?;
    gateway.edge.run("mkdir", ["-p", "/run/systemd/journal"])?;
    let journal = UnixDatagram::bind(gateway.edge.path("/run/systemd/journal/socket"))?;
    journal.set_read_timeout(Some(PATIENCE))?;
    gateway.start()?;
    let mut event = vec![0; 65_536];
    let ready = loop {
        let length = journal.recv(&mut event)?;
        let told = &event[..length];
        if String::from_utf8_lossy(told).contains("ready") {
            break told.to_vec();
        }
    };
    // A value has its length before it: nothing in it ends it.
    let field = |name: &str, value: &str| {
        let length = (value.len() as u64).to_le_bytes();
        [name.as_bytes(), b"\n", &length, value.as_bytes(), b"\n"].concat()
    };
    for (name, value) in [("PRIORITY", "6"), ("SYSLOG_IDENTIFIER", "sbc"), ("SBC_MODE", "enforce")]
    {
        let field = field(name, value);
        ensure!(ready.windows(field.len()).any(|it| it == field), "{name}: {ready:?}");
    }
    drop(journal);
    let log = gateway.stop()?;
    ensure!(log.is_empty(), "{log}");
    Ok(())
}
