//! What a gateway is configured with.

use std::{
    ffi::OsStr,
    fmt::Write as _,
    fs::{self, Permissions},
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use md5::{Digest as _, Md5};

use crate::{
    Authority, Certificate, Cgroup, Gateway, Host, Issued, Scratch, Usage, Validity, connect,
    family::Family, product::sbc_binary,
};

/// So many users are entered by the tool itself.
const MANY: usize = 100;

/// The realm of the users, and the domain of the calls that [`crate::Sipp`] makes.
pub(crate) const REALM: &str = "example.com";

/// The configuration of a [`Gateway`]: enforcing, with a UDP and a TCP listener for each family, and
/// detached when the daemon ends, unless something else is asked for.
#[derive(Clone, Debug)]
pub struct Setup {
    mode: &'static str,
    on_shutdown: &'static str,
    silence: String,
    service_user: bool,
    kernel: String,
    upstream: Family,
    targets: Option<String>,
    upstream_tls: bool,
    client_certificate: Option<&'static str>,
    tls_lines: String,
    users: Option<(String, Vec<[String; 2]>)>,
    guards_sockets: bool,
    tables: String,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            mode: "enforce",
            on_shutdown: "detach",
            silence: String::new(),
            service_user: false,
            kernel: String::new(),
            upstream: Family::V4,
            targets: None,
            upstream_tls: false,
            client_certificate: None,
            tls_lines: String::new(),
            users: None,
            guards_sockets: false,
            tables: String::new(),
        }
    }
}

impl Setup {
    /// The default one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `mode = "observe"`.
    #[must_use]
    pub fn observing(self) -> Self {
        Self { mode: "observe", ..self }
    }

    /// `kernel.on-shutdown = "keep"`.
    #[must_use]
    pub fn kept_on_shutdown(self) -> Self {
        Self { on_shutdown: "keep", ..self }
    }

    /// `kernel.on-silence = "pass"`, with this `silence`.
    #[must_use]
    pub fn passing_after(self, silence: &str) -> Self {
        let silence = format!("on-silence = \"pass\"\nsilence = \"{silence}\"\n");
        Self { silence, ..self }
    }

    /// `kernel.user = "nobody"`, whose all files are then; the filter is kept on shutdown. Begun by
    /// [`Gateway::load`] and [`Gateway::start_without_privileges`].
    #[must_use]
    pub fn for_service_user(self) -> Self {
        Self { service_user: true, ..self.kept_on_shutdown() }
    }

    /// Adds lines of the table `[kernel]`.
    #[must_use]
    pub fn kernel(mut self, lines: &str) -> Self {
        let _ = writeln!(self.kernel, "{lines}");
        self
    }

    /// The family in which the upstream is reached.
    #[must_use]
    pub fn upstream(self, upstream: Family) -> Self {
        Self { upstream, ..self }
    }

    /// Lines of the table `[upstream]`, instead of those that name one target over UDP and ask it nothing.
    #[must_use]
    pub fn targets(self, lines: &str) -> Self {
        Self { targets: Some(lines.to_owned()), ..self }
    }

    /// Adds the table `[upstream.tls]`, with the files of `[tls]`.
    #[must_use]
    pub fn upstream_tls(self) -> Self {
        Self { upstream_tls: true, ..self }
    }

    /// Adds a TLS listener for each family, which believes [`Gateway::authority`]; the text is that
    /// of `client-certificate`: "require" or "request".
    #[must_use]
    pub fn tls(self, client_certificate: &'static str) -> Self {
        Self { client_certificate: Some(client_certificate), ..self }
    }

    /// Adds lines of the table `[tls]`; relative paths in them start at the folder of [`Gateway::scratch`].
    #[must_use]
    pub fn tls_lines(mut self, lines: &str) -> Self {
        let _ = writeln!(self.tls_lines, "{lines}");
        self
    }

    /// Adds users with their passwords, and further lines of the table `[users]`.
    #[must_use]
    pub fn users(self, lines: &str, users: &[[&str; 2]]) -> Self {
        let users = users.iter().map(|user| user.map(str::to_owned)).collect();
        Self { users: Some((lines.to_owned(), users)), ..self }
    }

    /// Adds tables, as they stand in the file.
    #[must_use]
    pub fn table(mut self, text: &str) -> Self {
        let _ = writeln!(self.tables, "{text}");
        self
    }

    /// Lets strangers' requests up to the daemon, to be challenged.
    #[must_use]
    pub fn challenging_strangers(self) -> Self {
        self.table("[unknown]\naction = \"challenge\"")
    }

    /// Puts the daemon into a control group of its own, and requires that its sockets are guarded too.
    /// Otherwise they are not: the sockets of all tests are in one.
    #[must_use]
    pub fn guarding_sockets(self) -> Self {
        Self { guards_sockets: true, ..self }
    }

    /// Makes the hosts and the files, and starts the daemon.
    pub fn start(&self) -> Result<Gateway> {
        let mut gateway = self.build()?;
        gateway.start()?;
        Ok(gateway)
    }

    /// Makes the hosts and the files.
    pub fn build(&self) -> Result<Gateway> {
        let (internet, edge, inside) =
            (Host::new("internet")?, Host::new("edge")?, Host::new("inside")?);
        let both = |address: fn(Family) -> std::net::IpAddr| {
            Family::ALL.map(|family| family.with_length(address(family)))
        };
        link(
            (
                &internet,
                "wan",
                &[both(Family::caller), both(Family::neighbour), both(Family::elsewhere)],
            ),
            (&edge, "outside", &[both(Family::gateway)]),
        )?;
        link(
            (&inside, "lan", &[both(|family| family.upstream().ip()), both(Family::intruder)]),
            (&edge, "inside", &[both(Family::gateway_inside)]),
        )?;
        let scratch = Scratch::new()?;
        let authority = match self.client_certificate {
            Some(_) => Some(Authority::new(scratch.path().join("tls"), "Trusted")?),
            None => None,
        };
        let server = authority.as_ref().map(server_certificate).transpose()?;
        self.write_users(&scratch)?;
        let cgroup = self.guards_sockets.then(|| Cgroup::new(&edge)).transpose()?;
        let text = self.text(authority.as_ref().zip(server.as_ref()), cgroup.as_ref());
        let configuration = scratch.write("sbc.toml", text)?;
        if self.service_user {
            edge.run(
                "chown",
                [OsStr::new("-R"), OsStr::new("nobody"), scratch.path().as_os_str()],
            )?;
            // As after boot: it is `sbc load` that makes it.
            edge.run("rmdir", ["/run/sbc"])?;
        }
        let (hosts, upstream) = ([internet, edge, inside], self.upstream.upstream());
        Ok(Gateway::new(hosts, scratch, configuration, authority, upstream, cgroup))
    }

    fn text(&self, tls: Option<(&Authority, &Issued)>, cgroup: Option<&Cgroup>) -> String {
        let targets = self.targets.clone().unwrap_or_else(|| {
            let target = self.upstream.upstream();
            format!("targets = [\"sip:{target}\"]\nprobe = {{ enabled = false }}")
        });
        let mut guard = match cgroup {
            Some(_) => "socket-filter = \"require\"\n".to_owned(),
            None => "socket-filter = \"off\"\n".to_owned(),
        };
        // Whoever loads the filter for somebody else has to say for whom.
        if let Some(cgroup) = cgroup.filter(|_| self.service_user) {
            let _ = writeln!(guard, "cgroup = \"{}\"", cgroup.path().display());
        }
        let mut text = format!(
            "version = 1\nmode = \"{}\"\nstate-directory = \"state\"\n\
             [interface.outside]\nname = \"outside\"\n[interface.inside]\nname = \"inside\"\n\
             [kernel]\non-shutdown = \"{}\"\n{}{}{}{}\
             [upstream]\naddress = \"{}\"\n{}\n",
            self.mode,
            self.on_shutdown,
            self.silence,
            if self.service_user { "user = \"nobody\"\n" } else { "" },
            guard,
            self.kernel,
            self.upstream.sip_inside(),
            targets,
        );
        let mut listen = |transport: &str, address, more: &str| {
            let _ = writeln!(
                text,
                "[[listen]]\ntransport = \"{transport}\"\naddress = \"{address}\"\n{more}"
            );
        };
        for family in Family::ALL {
            listen("udp", family.sip(), "");
            listen("tcp", family.sip(), "");
            if let Some(demand) = self.client_certificate {
                listen("tls", family.sips(), &format!("client-certificate = \"{demand}\""));
            }
        }
        if let Some((authority, server)) = tls {
            let (certificate, key) = (server.chain.display(), server.key.display());
            let ca = authority.certificate();
            let ours = format!("certificate = \"{certificate}\"\nkey = \"{key}\"\n");
            let _ =
                writeln!(text, "[tls]\n{ours}client-ca = \"{}\"\n{}", ca.display(), self.tls_lines);
            if self.upstream_tls {
                let _ = writeln!(text, "[upstream.tls]\n{ours}ca = \"{}\"", ca.display());
            }
        }
        if let Some((lines, _)) = &self.users {
            let _ = writeln!(text, "[users]\nstore = \"file:users.toml\"\n{lines}");
        }
        text + &self.tables
    }

    fn write_users(&self, scratch: &Scratch) -> Result<()> {
        let Some((_, users)) = &self.users else { return Ok(()) };
        let mut text = format!("realm = \"{REALM}\"\n");
        for [name, password] in users {
            // One process for each would take as long as the test.
            text += &if users.len() > MANY { md5(name, password) } else { entry(name, password)? };
        }
        let path: PathBuf = scratch.write("users.toml", text)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))
            .with_context(|| format!("protecting {}", path.display()))
    }
}

type End<'a> = (&'a Host, &'a str, &'a [[String; 2]]);

fn link(one: End<'_>, other: End<'_>) -> Result<()> {
    let [ones, others] = [one, other].map(|(_, _, addresses)| {
        addresses.iter().flatten().map(String::as_str).collect::<Vec<_>>()
    });
    connect(one.0.interface(one.1, &ones), other.0.interface(other.1, &others))
}

fn server_certificate(authority: &Authority) -> Result<Issued> {
    authority.issue(&Certificate {
        name: "gateway",
        uri_sans: &["sip:example.com"],
        dns_sans: &["example.com"],
        usage: Usage::Both,
        validity: Validity::Valid,
    })
}

/// The entry of a user, with the digest of one algorithm.
fn md5(name: &str, password: &str) -> String {
    let mut text = format!("[[user]]\nname = \"{name}\"\nmd5 = \"");
    for byte in Md5::digest(format!("{name}:{REALM}:{password}")) {
        let _ = write!(text, "{byte:02x}");
    }
    text + "\"\n"
}

/// What `sbc ha1` prints for a user.
fn entry(name: &str, password: &str) -> Result<String> {
    let program: &Path = &sbc_binary()?;
    let mut child = Command::new(program)
        .args(["ha1", "--realm", REALM, name])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", program.display()))?;
    let mut stdin = child.stdin.take().context("no pipe to sbc ha1")?;
    stdin.write_all(password.as_bytes()).context("telling sbc ha1 the password")?;
    drop(stdin);
    let output = child.wait_with_output().context("waiting for sbc ha1")?;
    if !output.status.success() {
        bail!("sbc ha1: {}", output.status);
    }
    String::from_utf8(output.stdout).context("sbc ha1 wrote no text")
}
