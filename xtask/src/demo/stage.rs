//! The three hosts, who is who on them, and the files that the gateway is configured with.

use std::{
    io::Write as _, net::IpAddr, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result};
use sbc_tests::{
    Authority, Certificate, Host, Issued, Scratch, Usage, Validity, connect, sbc_binary,
};

pub(super) const PICTURE: &str = "
   internet                            edge                          inside
  +--------------------------+       +-----------------------+     +------------------+
  | scanner  198.51.100.66   |       |   |                   |     |                  |
  |          2001:db8:66::66 |       | X |        sbc        |     | telephone system |
  | office   198.51.100.20   |=======| D |  203.0.113.10     |=====|   (sipp, which   |
  | impostor 198.51.100.77   |       | P |  2001:db8:1::10   |     | answers calls)   |
  | carrier  192.0.2.10      |       |   |     10.0.0.1      |     |     10.0.0.5     |
  +--------------------------+       +-----------------------+     +------------------+
";

/// What protects the telephone system, as its operator would write it.
pub(super) const CONFIGURATION: &str = r#"version = 1
mode = "enforce"                      # a fresh install only observes and counts
state-directory = "state"

[interface.outside]
name = "outside"                      # the kernel's filter sits on this interface
[interface.inside]
name = "inside"

[kernel]
on-shutdown = "detach"                # the default keeps the filter without the daemon
socket-filter = "off"                 # it would be in front of all sockets of this session

[[listen]]
transport = "udp"
address = "203.0.113.10:5060"
[[listen]]
transport = "udp"
address = "[2001:db8:1::10]:5060"
[[listen]]
transport = "tls"                     # where strangers can prove who they are
address = "203.0.113.10:5061"

[tls]
certificate = "authority/sbc.example.pem"
key = "authority/sbc.example.key"
client-ca = "authority/authority.pem"

[upstream]
targets = ["sip:10.0.0.5:5060"]       # the telephone system
address = "10.0.0.1:5060"
probe = { enabled = false }           # it is never asked whether it lives

[unknown]
action = "drop"                       # SIP of strangers

[[peer]]
name = "office"                       # phones at an address that is known,
require = ["static", "digest"]        # which must also know a password
sources = ["198.51.100.20"]
opens = ["udp"]
may-assert = ["alice@example.com"]

[[peer]]
name = "carrier"                      # no password, no listed address: a certificate
require = ["tls"]
identities = ["carrier.example"]
sources = ["192.0.2.0/28"]            # opened in the kernel while it is connected
opens = ["udp"]
lifetime = "2s"                       # and for this long after
may-assert = ["*@carrier.example"]

[users]
store = "file:users.toml"
algorithms = ["MD5"]                  # all that sipp, our phone, can do
"#;

/// The certificate's name of the gateway, of the carrier, and of who would like to be the carrier.
pub(super) const GATEWAY_NAME: &str = "sbc.example";
pub(super) const CARRIER_NAME: &str = "carrier.example";

pub(super) const USER: &str = "alice";
pub(super) const PASSWORD: &str = "correct horse";
const REALM: &str = "example.com";

const PATIENCE: Duration = Duration::from_secs(10);

/// The hosts and the files; all of it goes when this is dropped.
pub(super) struct Stage {
    pub(super) internet: Host,
    pub(super) edge: Host,
    pub(super) inside: Host,
    pub(super) configuration: PathBuf,
    pub(super) authority: PathBuf,
    pub(super) carrier: Issued,
    pub(super) impostor: Issued,
    folder: Scratch,
}

impl Stage {
    pub(super) fn set() -> Result<Self> {
        let folder = Scratch::new()?;
        let (internet, edge, inside) =
            (Host::new("internet")?, Host::new("edge")?, Host::new("inside")?);
        wire(&internet, &edge, &inside)?;
        let ours = Authority::new(folder.path().join("authority"), "Demo authority")?;
        let another = Authority::new(folder.path().join("another"), "Another authority")?;
        issue(&ours, GATEWAY_NAME, Usage::Server)?;
        let stage = Self {
            authority: ours.certificate(),
            carrier: issue(&ours, CARRIER_NAME, Usage::Client)?,
            impostor: issue(&another, CARRIER_NAME, Usage::Client)?,
            configuration: folder.write("sbc.toml", CONFIGURATION)?,
            internet,
            edge,
            inside,
            folder,
        };
        stage.write_users()?;
        Ok(stage)
    }

    /// What must be gone from the machine once the stage is dropped.
    pub(super) fn traces(&self) -> Vec<PathBuf> {
        let hosts = [&self.internet, &self.edge, &self.inside];
        let holders = hosts.map(|host| PathBuf::from(format!("/proc/{}", host.pid())));
        holders.into_iter().chain([self.folder.path().to_owned()]).collect()
    }

    /// As an operator does it: `sbc ha1` hashes the password, the users file keeps the hash.
    fn write_users(&self) -> Result<()> {
        let mut hash = self.edge.command(sbc_binary()?);
        hash.args(["ha1", "--realm", REALM, USER]).stdin(Stdio::piped());
        let mut hash = self.edge.spawn("sbc ha1", hash)?;
        let mut stdin = hash.take_stdin().context("no pipe to sbc ha1")?;
        stdin.write_all(PASSWORD.as_bytes())?;
        drop(stdin);
        hash.expect_success(PATIENCE)?;
        let users = format!("realm = \"{REALM}\"\n{}", hash.output()?);
        let path = self.folder.write("users.toml", users)?;
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, private).context("closing the users file to others")
    }
}

fn wire(internet: &Host, edge: &Host, inside: &Host) -> Result<()> {
    let everybody = [
        "203.0.113.1/24",
        "2001:db8:1::1/64",
        "198.51.100.66/32",
        "2001:db8:66::66/128",
        "198.51.100.20/32",
        "198.51.100.77/32",
        "192.0.2.10/32",
    ];
    connect(
        internet.interface("eth0", &everybody),
        edge.interface("outside", &["203.0.113.10/24", "2001:db8:1::10/64"]),
    )?;
    connect(
        edge.interface("inside", &["10.0.0.1/24"]),
        inside.interface("eth0", &["10.0.0.5/24"]),
    )?;
    for gateway in ["203.0.113.1", "2001:db8:1::1"] {
        edge.default_route(gateway.parse::<IpAddr>()?)?;
    }
    Ok(())
}

fn issue(authority: &Authority, name: &str, usage: Usage) -> Result<Issued> {
    authority.issue(&Certificate {
        name,
        uri_sans: &[&format!("sip:{name}")],
        dns_sans: &[name],
        usage,
        validity: Validity::Valid,
    })
}
