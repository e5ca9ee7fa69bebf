//! What the guide promises.

use std::{
    collections::BTreeSet,
    fs,
    net::UdpSocket,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use sbc_tests::{Calls, Host, Running, Scenario, Sipp, Status, udp_counters, wait_until};

use super::{Packages, machine::Machine};

const GATEWAY: &str = "203.0.113.10:5060";
const UPSTREAM: &str = "10.0.0.5:5060";
const CARRIER: &str = "198.51.100.7:5070";
const PHONE: &str = "198.51.100.20:5070";
const STRANGER: &str = "198.51.100.66:5070";

/// What an answer to nothing is dropped as.
const KNOCK: &str = "response-from-stranger";

/// How far the daemon may be exposed, as systemd reckons it, in tenths.
const MOST_EXPOSURE: u32 = 15;
/// Longer than an upgrade takes on a machine that is busy with other things, and shorter than sipp waits.
const LONG_CALL: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a system keeps what was, whatever was installed.
const KEPT: [&str; 7] = [
    "/root/",
    "/tmp/",
    "/var/cache/",
    "/var/lib/apt/",
    "/var/lib/dpkg/",
    "/var/lib/systemd/",
    "/var/log/",
];

pub(super) struct Checks<'a> {
    machine: &'a mut Machine,
    packages: Packages,
    telephone_system: Running,
    /// The files of the system before.
    clean: BTreeSet<String>,
    accounts: String,
    upgrade: Option<Upgrade>,
    done: BTreeSet<String>,
}

/// What there was before it.
struct Upgrade {
    call: Running,
    daemon: String,
    program: String,
    strangers: u64,
    no_port: u64,
    knocking: Knocking,
}

/// Those without which the guide would not show what it is for.
const NEEDED: [&str; 4] = [
    "a call of the carrier passes",
    "a stranger is dropped by the filter",
    "the filter was replaced in place and the call goes on",
    "nothing is left",
];

impl<'a> Checks<'a> {
    /// Remembers what there is, and brings what the guide takes for granted.
    pub(super) fn before(machine: &'a mut Machine, packages: Packages) -> Result<Self> {
        let answering = Sipp::answering(Scenario::Answer, UPSTREAM.parse()?);
        let telephone_system = answering.start(&machine.inside)?;
        let (clean, accounts) = (files(machine)?, accounts(machine)?);
        bring(machine, &packages.first)?;
        let (upgrade, done) = (None, BTreeSet::new());
        Ok(Self { machine, packages, telephone_system, clean, accounts, upgrade, done })
    }

    pub(super) fn machine(&self) -> &Machine {
        self.machine
    }

    pub(super) fn check(&mut self, name: &str) -> Result<()> {
        match name {
            "nothing is started" => self.nothing_is_started(),
            "the filter is back after a reboot, before the network is up" => self.reboot(),
            "an interface that comes late is waited for" => self.late_interface(),
            "a daemon that hangs is started again" => self.hang(),
            "nobody has a right too many" => self.nobody_has_a_right_too_many(),
            "a call of the carrier passes" => self.carrier_calls(),
            "a stranger passes the filter, counted, and goes no further" => {
                self.stranger("observe")
            }
            "a stranger is dropped by the filter" => self.stranger("enforce"),
            "a phone with a password calls" => self.phone_calls(),
            "a newer package is there, and a call of the carrier is up" => self.begin_upgrade(),
            "the filter was replaced in place and the call goes on" => self.end_upgrade(),
            "everything passes" => self.everything_passes(),
            "nothing is left" => self.nothing_is_left(),
            _ => bail!("this is no check that there is"),
        }?;
        self.done.insert(name.to_owned());
        Ok(())
    }

    pub(super) fn expect_all_done(&self) -> Result<()> {
        let missing: Vec<_> = NEEDED.iter().filter(|name| !self.done.contains(**name)).collect();
        ensure!(missing.is_empty(), "the guide does not show that {missing:?}");
        Ok(())
    }

    fn nothing_is_started(&self) -> Result<()> {
        let state = self.machine.run(
            "for unit in sbc sbc-load run-sbc-bpf.mount; do systemctl is-active $unit || true; done\n\
             systemctl is-enabled sbc || true; systemctl list-units --failed --plain --no-legend\n\
             stat -c '%a %U %G' /etc/sbc /etc/sbc/sbc.toml\nsbc check || true",
        )?;
        let expected = "inactive\ninactive\ninactive\ndisabled\n750 root sbc\n640 root sbc\n";
        ensure!(state.starts_with(expected), "{state}");
        // What it has been given is not enough, and it says what is missing.
        ensure!(state.contains("sbc.toml") && state.contains("name"), "{state}");
        self.expect_filter(false)
    }

    fn nobody_has_a_right_too_many(&self) -> Result<()> {
        let daemon = self.main_process()?;
        let status = self.machine.run(&format!("cat /proc/{daemon}/status; id -u sbc"))?;
        let user = status.lines().next_back().unwrap_or_default();
        for line in [
            format!("Uid:\t{user}\t{user}\t{user}\t{user}"),
            "CapInh:\t0000000000000000".to_owned(),
            "CapPrm:\t0000000000000000".to_owned(),
            "CapEff:\t0000000000000000".to_owned(),
            "CapBnd:\t0000000000000000".to_owned(),
            "CapAmb:\t0000000000000000".to_owned(),
            "NoNewPrivs:\t1".to_owned(),
            "Seccomp:\t2".to_owned(),
        ] {
            ensure!(status.lines().any(|it| it == line), "{line:?} is not in {status}");
        }
        let access = self
            .machine
            .run("stat -c '%a %U %G' /run/sbc /run/sbc/bpf /run/sbc/control.sock /var/lib/sbc")?;
        let expected = "1775 root sbc\n1755 root root\n600 sbc sbc\n700 sbc sbc\n";
        ensure!(access == expected, "{access}");
        ensure!(self.status()?.guards_sockets()?, "nothing is in front of the daemon's sockets");
        self.machine.run(&format!(
            "systemd-analyze security --no-pager --threshold={MOST_EXPOSURE} sbc.service"
        ))?;
        self.expect_filter(true)
    }

    fn carrier_calls(&self) -> Result<()> {
        let call = Sipp::calling(Scenario::Call, CARRIER.parse()?, GATEWAY.parse()?);
        expect_success(&call.run(&self.machine.internet)?)
    }

    fn reboot(&mut self) -> Result<()> {
        self.machine.reboot()?;
        ensure!(self.status()?.has_daemon(), "no daemon answers");
        let entered = |unit: &str| -> Result<u64> {
            let property = "ActiveEnterTimestampMonotonic";
            let shown = format!("systemctl show --property {property} --value {unit}");
            Ok(self.machine.run(&shown)?.trim().parse()?)
        };
        let (filter, network) = (entered("sbc-load.service")?, entered("network-pre.target")?);
        ensure!(
            0 < filter && filter <= network,
            "the filter at {filter}, the network at {network}"
        );
        // A loop of what comes before what would have systemd leave something out.
        let loops = "systemd-analyze verify --man=no default.target | grep cycle || true";
        let loops = self.machine.run(loops)?;
        ensure!(loops.is_empty(), "{loops}");
        self.expect_filter(true)
    }

    fn late_interface(&self) -> Result<()> {
        let rename = |from, to| {
            let network = self.machine.network();
            network.run("ip", ["link", "set", from, "down"])?;
            network.run("ip", ["link", "set", from, "name", to, "up"])
        };
        self.machine.run("systemctl stop sbc sbc-load; sbc unload")?;
        rename("eth0", "late0")?;
        self.machine.run("systemctl start --no-block sbc")?;
        wait_until("some starts in vain", PATIENCE, || {
            let starts = self.machine.run("systemctl show --property NRestarts --value sbc")?;
            Ok(starts.trim().parse::<u32>()? > 1)
        })?;
        rename("late0", "eth0")?;
        self.machine.network().default_route("203.0.113.1".parse()?)?;
        wait_until("the daemon to serve", PATIENCE, || Ok(self.status()?.has_daemon()))?;
        self.carrier_calls()?;
        self.expect_filter(true)
    }

    fn hang(&self) -> Result<()> {
        const OVERRIDE: &str = "/run/systemd/system/sbc.service.d";
        self.machine.run(&format!(
            "mkdir -p {OVERRIDE}\n\
             printf '[Service]\\nWatchdogSec=2\\nTimeoutAbortSec=1\\n' > {OVERRIDE}/soon.conf\n\
             systemctl daemon-reload; systemctl restart sbc"
        ))?;
        let daemon = self.main_process()?;
        self.machine.run(&format!("kill -STOP {daemon}"))?;
        wait_until("another daemon", PATIENCE, || {
            Ok(self.main_process()? != daemon && self.status()?.has_daemon())
        })?;
        let restarts = self.machine.run("systemctl show --property NRestarts --value sbc")?;
        ensure!(restarts.trim() == "1", "it was started again {restarts} times");
        self.machine
            .run(&format!("rm -r {OVERRIDE}; systemctl daemon-reload; systemctl restart sbc"))?;
        Ok(())
    }

    fn phone_calls(&self) -> Result<()> {
        let call = Sipp::calling(Scenario::CallWithDigest, PHONE.parse()?, GATEWAY.parse()?)
            .credentials("alice", "correct horse");
        expect_success(&call.run(&self.machine.internet)?)?;
        let access = self.machine.run("stat -c '%a %U' /etc/sbc/users.toml")?;
        ensure!(access == "600 sbc\n", "{access}");
        Ok(())
    }

    fn stranger(&self, mode: &str) -> Result<()> {
        let before = self.status()?;
        ensure!(before.mode()? == mode, "the mode is not {mode}: {before}");
        let call =
            Sipp::calling(Scenario::InviteWithoutAnswer, STRANGER.parse()?, GATEWAY.parse()?)
                .from("stranger");
        expect_success(&call.run(&self.machine.internet)?)?;
        let status = self.status()?;
        let counted = status.verdict("unknown-source")? - before.verdict("unknown-source")?;
        let heard = status.received("udp")? - before.received("udp")?;
        let expected = if mode == "observe" { (1, 1) } else { (1, 0) };
        ensure!((counted, heard) == expected, "{counted} counted and {heard} heard: {status}");
        let told = self.telephone_system.messages();
        ensure!(!told.contains("stranger"), "the telephone system heard of it: {told}");
        Ok(())
    }

    fn begin_upgrade(&mut self) -> Result<()> {
        bring(self.machine, &self.packages.newer)?;
        let call = Sipp::calling(Scenario::Call, CARRIER.parse()?, GATEWAY.parse()?);
        let call = call.pausing(LONG_CALL).start(&self.machine.internet)?;
        wait_until("the call to be up", PATIENCE, || Ok(call.messages().contains("ACK sip:")))?;
        self.upgrade = Some(Upgrade {
            call,
            daemon: self.main_process()?,
            program: self.program()?,
            strangers: self.status()?.verdict(KNOCK)?,
            no_port: udp_counters(self.machine.network())?.no_port_v4,
            knocking: Knocking::begin(&self.machine.internet)?,
        });
        Ok(())
    }

    fn end_upgrade(&mut self) -> Result<()> {
        let upgrade = self.upgrade.take().context("no upgrade was begun")?;
        let is_up = !upgrade.call.messages().contains("BYE sip:");
        ensure!(is_up, "the upgrade took longer than the call, which shows nothing");
        let knocks = upgrade.knocking.end()?;
        let version = self.machine.run("dpkg-query --show --showformat '${Version}' sbc")?;
        ensure!(version.ends_with("+1"), "the version is {version}");
        ensure!(self.main_process()? != upgrade.daemon, "the daemon is the old one");
        ensure!(self.program()? != upgrade.program, "the filter is the old one");
        // Those who knocked all the time were counted by one table, and never came to a closed port.
        let no_port = udp_counters(self.machine.network())?.no_port_v4;
        ensure!(no_port == upgrade.no_port, "{} came through", no_port - upgrade.no_port);
        let status = self.status()?;
        let counted = status.verdict(KNOCK)? - upgrade.strangers;
        ensure!(knocks > 0 && counted == knocks, "{counted} of {knocks} were counted: {status}");
        expect_success(&upgrade.call.finish()?)?;
        self.upgrade_in_vain()
    }

    /// A new version that does not take the configuration leaves the old daemon alone.
    fn upgrade_in_vain(&self) -> Result<()> {
        let daemon = self.main_process()?;
        let said = self.machine.run(
            "cp -p /etc/sbc/sbc.toml /root/kept.toml; echo 'no-such-key = 1' >> /etc/sbc/sbc.toml\n\
             apt install --reinstall ./sbc_*.deb; cp -p /root/kept.toml /etc/sbc/sbc.toml",
        )?;
        ensure!(said.contains("no-such-key") && said.contains("the old one goes on"), "{said}");
        ensure!(self.main_process()? == daemon, "the daemon was restarted, and could not start");
        Ok(())
    }

    fn everything_passes(&self) -> Result<()> {
        self.expect_filter(false)?;
        let left = self.machine.run(
            "ls /etc/sbc/sbc.toml /etc/sbc/users.toml\n! grep /run/sbc /proc/mounts\n\
             ! ls -d /lib/systemd/system/sbc* /usr/bin/sbc /sys/fs/cgroup/sbc.slice 2>/dev/null\n\
             systemctl is-system-running",
        )?;
        ensure!(left.ends_with("running\n"), "{left}");
        Ok(())
    }

    fn nothing_is_left(&self) -> Result<()> {
        let files = files(self.machine)?;
        let (more, less): (Vec<_>, Vec<_>) =
            (files.difference(&self.clean).collect(), self.clean.difference(&files).collect());
        ensure!(more.is_empty(), "there are more files than before: {more:?}");
        ensure!(less.is_empty(), "there are fewer files than before: {less:?}");
        let accounts = accounts(self.machine)?;
        ensure!(accounts == self.accounts, "other accounts than before: {accounts}");
        let left = self.machine.run(
            "find /run /sys/fs/cgroup /etc /var/lib -name '*sbc*' -not -path '/var/lib/dpkg/*'\n\
             systemctl list-units --all --plain --no-legend '*sbc*'",
        )?;
        ensure!(left.trim().is_empty(), "{left}");
        self.expect_filter(false)
    }

    fn status(&self) -> Result<Status> {
        Status::parse(&self.machine.run("sbc status --json")?)
    }

    fn main_process(&self) -> Result<String> {
        let shown = self.machine.run("systemctl show --property MainPID --value sbc")?;
        let id = shown.trim();
        ensure!(id != "0", "the daemon does not run");
        Ok(id.to_owned())
    }

    /// What the kernel says of the program on the outside interface.
    fn program(&self) -> Result<String> {
        let links = self.machine.network().run("ip", ["-json", "link", "show", "eth0"])?;
        let id = links.split("\"id\":").nth(1).and_then(|rest| rest.split([',', '}']).next());
        id.map(str::to_owned).with_context(|| format!("no program on eth0: {links}"))
    }

    fn expect_filter(&self, is_expected: bool) -> Result<()> {
        ensure!(
            self.program().is_ok() == is_expected,
            "eth0 {} a program",
            if is_expected { "is without" } else { "has" }
        );
        Ok(())
    }
}

fn expect_success(calls: &Calls) -> Result<()> {
    let Calls { successful, failed, messages, errors } = calls;
    ensure!((*successful, *failed) == (1, 0), "the call failed: {errors}{messages}");
    Ok(())
}

/// Puts a package where the guide has it.
fn bring(machine: &Machine, package: &Path) -> Result<()> {
    machine.run("rm -f /root/sbc_*.deb")?;
    let name = package.file_name().context("the package has no name")?;
    let place = machine.path("/root").join(name);
    fs::copy(package, &place).with_context(|| format!("copying to {}", place.display()))?;
    Ok(())
}

fn files(machine: &Machine) -> Result<BTreeSet<String>> {
    let all = machine.run("find / -xdev")?;
    ensure!(all.lines().any(|file| file == "/etc/passwd"), "these are not all files: {all}");
    let is_kept = |file: &str| KEPT.iter().any(|place| file.starts_with(place));
    // Copies that the tools for accounts keep end with a hyphen.
    let is_copy = |file: &str| file.starts_with("/etc/") && file.ends_with('-');
    let files = all.lines().filter(|file| !is_kept(file) && !is_copy(file));
    Ok(files.map(str::to_owned).collect())
}

fn accounts(machine: &Machine) -> Result<String> {
    machine.run("sort /etc/passwd /etc/group /etc/shadow /etc/gshadow")
}

/// A stranger who sends what no challenge is for, again and again.
struct Knocking {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<u64>>,
}

impl Knocking {
    fn begin(host: &Host) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, host) = (Arc::clone(&stop), host.clone());
        let knock = move || {
            host.move_in()?;
            let socket = UdpSocket::bind("198.51.100.66:5071")?;
            socket.set_read_timeout(Some(Duration::from_millis(20)))?;
            let mut knocks = 0;
            while !stopped.load(Ordering::Relaxed) {
                socket.send_to(b"SIP/2.0 200 OK\r\n\r\n", GATEWAY)?;
                knocks += 1;
                // Nobody answers: this is the pause.
                ensure!(socket.recv(&mut [0; 16]).is_err(), "a stranger was answered");
            }
            Ok(knocks)
        };
        let thread = thread::Builder::new().name("stranger".to_owned()).spawn(knock)?;
        Ok(Self { stop, thread })
    }

    /// How often he knocked.
    fn end(self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| bail!("the stranger's thread panicked"))
    }
}
