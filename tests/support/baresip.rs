//! The `baresip` program as a phone.

use std::{
    fmt::Write as _,
    io::{ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    host::Host,
    process::Process,
    scratch::Scratch,
    sockets::{Protocol, wait_for_listener},
    wait::wait_until,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// Where it takes commands and tells what happens; so there is one phone on a host.
const CONTROL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4444);

/// Where Debian has what it loads.
const MODULES: &str = "/usr/lib/baresip/modules";

/// A phone without a face, that registers, answers every call, and plays nothing to nobody.
///
/// Debian's version, 1.0.0, computes digests with MD5 only, and looks at no server's certificate.
#[derive(Debug)]
pub struct Baresip {
    process: Process,
    control: TcpStream,
    /// All that was told, and how much of it has been looked at.
    told: Vec<u8>,
    seen: usize,
    _scratch: Scratch,
}

impl Baresip {
    /// Starts the phone of `sip:user@example.com` at `local`, whose way out is `proxy` over `transport` ("udp",
    /// "tcp" or "tls"). It takes commands when this returns, and has begun to register.
    pub fn start(
        host: &Host,
        local: SocketAddr,
        transport: &str,
        proxy: SocketAddr,
        [user, password]: [&str; 2],
    ) -> Result<Self> {
        let scratch = Scratch::new()?;
        scratch.write("config", configuration(local))?;
        scratch.write("contacts", "")?;
        scratch.write(
            "accounts",
            format!(
                "<sip:{user}@example.com>;auth_user={user};auth_pass={password};regint=600;answermode=auto;\
                 outbound=\"sip:{proxy};transport={transport}\"\n"
            ),
        )?;
        let mut command = host.command("baresip");
        command.arg("-f").arg(scratch.path());
        let process = host.spawn("baresip", command)?;
        wait_for_listener(host, Protocol::Tcp, CONTROL.port(), PATIENCE)
            .with_context(|| process.output().unwrap_or_default())?;
        let control = host.enter(|| TcpStream::connect_timeout(&CONTROL, PATIENCE))??;
        control.set_nonblocking(true)?;
        Ok(Self { process, control, told: Vec::new(), seen: 0, _scratch: scratch })
    }

    /// Waits until the registrar has accepted it.
    pub fn wait_until_registered(&mut self) -> Result<()> {
        wait_until("the registration of baresip", PATIENCE, || {
            self.command("reginfo", "")?;
            let told = self.told()?;
            Ok(told.contains("OK ") || told.contains("REGISTER_OK"))
        })
        .with_context(|| self.said())
    }

    /// Calls somebody.
    pub fn dial(&mut self, uri: &str) -> Result<()> {
        self.command("dial", uri)
    }

    /// Ends the call.
    pub fn hang_up(&mut self) -> Result<()> {
        self.command("hangup", "")
    }

    /// Waits for the next event of this name, as in "`CALL_ESTABLISHED`".
    pub fn wait_for_event(&mut self, event: &str) -> Result<()> {
        let wanted = format!("\"type\":\"{event}\"");
        wait_until(&format!("{event} of baresip"), PATIENCE, || {
            let told = self.told()?;
            let found = told.find(&wanted).map(|at| at + wanted.len());
            self.seen += found.unwrap_or_default();
            Ok(found.is_some())
        })
        .with_context(|| self.said())
    }

    /// Tells it to do something, as one line of its control protocol: a netstring with JSON in it.
    fn command(&mut self, command: &str, parameters: &str) -> Result<()> {
        let text = format!(r#"{{"command":"{command}","params":"{parameters}"}}"#);
        let line = format!("{}:{text},", text.len());
        self.control.write_all(line.as_bytes()).with_context(|| self.said())
    }

    /// What it has told since the last event that was waited for.
    fn told(&mut self) -> Result<String> {
        match self.control.read_to_end(&mut self.told) {
            Ok(_) => bail!("baresip has ended; {}", self.said()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        Ok(String::from_utf8_lossy(self.told.get(self.seen..).unwrap_or_default()).into_owned())
    }

    fn said(&self) -> String {
        let told = String::from_utf8_lossy(&self.told);
        format!("it told {told}\nand said {}", self.process.output().unwrap_or_default())
    }
}

fn configuration(local: SocketAddr) -> String {
    let mut text =
        format!("sip_listen {local}\nctrl_tcp_listen {CONTROL}\nmodule_path {MODULES}\n");
    for device in ["audio_player", "audio_source", "audio_alert"] {
        let _ = writeln!(text, "{device} aubridge,nobody");
    }
    text + "module g711.so\nmodule aubridge.so\nmodule_tmp account.so\nmodule_app menu.so\n\
            module_app ctrl_tcp.so\n"
}
