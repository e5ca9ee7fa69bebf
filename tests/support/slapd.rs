//! `slapd`, a real LDAP server, as the directory of the users.

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    certificates::Issued,
    host::Host,
    process::Process,
    scratch::Scratch,
    sockets::{Protocol, wait_for_listener},
};

const PATIENCE: Duration = Duration::from_secs(10);
/// Debian has it where no user looks.
const SERVER: &str = "/usr/sbin/slapd";
const ADMINISTRATOR: &str = "cn=admin,dc=example";
const SECRET: &str = "of-the-admin";

/// A directory below `dc=example`, which can be stopped and started again with what is in it.
///
/// Whoever is not its administrator gets no more than 500 entries of a search that does not ask for pages.
#[derive(Debug)]
pub struct Slapd<'a> {
    host: &'a Host,
    process: Option<Process>,
    listen: SocketAddr,
    scheme: &'static str,
    scratch: Scratch,
    changes: usize,
}

impl<'a> Slapd<'a> {
    /// An account that may read everything.
    pub const READER: &'static str = "cn=reader,dc=example";
    /// Its password.
    pub const PASSWORD: &'static str = "of-the-reader";

    /// Makes one with these entries, in LDIF, and starts it, speaking TLS at this address: it shows the certificate,
    /// which the authority has issued.
    pub fn start(
        host: &'a Host,
        listen: SocketAddr,
        certificate: (&Path, &Issued),
        entries: &str,
    ) -> Result<Self> {
        Self::start_over(host, "ldaps", listen, certificate, entries)
    }

    /// The same, speaking in clear until it is asked for TLS.
    pub fn start_in_clear(
        host: &'a Host,
        listen: SocketAddr,
        certificate: (&Path, &Issued),
        entries: &str,
    ) -> Result<Self> {
        Self::start_over(host, "ldap", listen, certificate, entries)
    }

    fn start_over(
        host: &'a Host,
        scheme: &'static str,
        listen: SocketAddr,
        certificate: (&Path, &Issued),
        entries: &str,
    ) -> Result<Self> {
        let scratch = Scratch::new()?;
        fs::create_dir(scratch.path().join("data"))?;
        let text = configuration(scratch.path(), certificate);
        let configuration = scratch.write("slapd.conf", text)?;
        let entries = scratch.write("entries.ldif", format!("{}{entries}", beginning()))?;
        let mut filling = host.command("/usr/sbin/slapadd");
        filling.args(["-q", "-f"]).arg(configuration).arg("-l").arg(entries);
        let filled =
            filling.output().context("starting slapadd; `cargo xtask setup` installs it")?;
        ensure!(filled.status.success(), "{}", String::from_utf8_lossy(&filled.stderr));
        let mut slapd = Self { host, process: None, listen, scheme, scratch, changes: 0 };
        slapd.start_again()?;
        Ok(slapd)
    }

    /// Starts it again after it was stopped.
    pub fn start_again(&mut self) -> Result<()> {
        let mut command = self.host.command(SERVER);
        // In the foreground, telling what is asked.
        command.args(["-d", "stats", "-f"]).arg(self.file("slapd.conf"));
        command.args(["-h", &self.url()]);
        let process = self.process.insert(self.host.spawn("slapd", command)?);
        wait_for_listener(self.host, Protocol::Tcp, self.listen.port(), PATIENCE)
            .with_context(|| process.output().unwrap_or_default())
    }

    /// Stops it.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        process.terminate().map(drop)
    }

    /// Makes changes, in LDIF.
    pub fn change(&mut self, changes: &str) -> Result<()> {
        self.changes += 1;
        let file = self.scratch.write(&format!("change-{}.ldif", self.changes), changes)?;
        let mut command = self.host.command("ldapmodify");
        command.env("LDAPTLS_REQCERT", "never").args(["-x", "-D", ADMINISTRATOR, "-w", SECRET]);
        command.args(["-H", &self.url(), "-f"]);
        let output = command.arg(file).output().context("starting ldapmodify")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.listen)
    }
}

fn configuration(scratch: &Path, (authority, issued): (&Path, &Issued)) -> String {
    let mut text = String::new();
    for schema in ["core", "cosine", "inetorgperson"] {
        let _ = writeln!(text, "include /etc/ldap/schema/{schema}.schema");
    }
    let (authority, chain) = (authority.display(), issued.chain.display());
    let key = issued.key.display();
    let _ = writeln!(
        text,
        "TLSCACertificateFile {authority}\nTLSCertificateFile {chain}\nTLSCertificateKeyFile {key}"
    );
    let data = scratch.join("data");
    let (data, reader) = (data.display(), Slapd::READER);
    let _ = write!(
        text,
        "pidfile {data}/pid\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n\
         database mdb\nsuffix dc=example\ndirectory {data}\nmaxsize 16777216\n\
         rootdn {ADMINISTRATOR}\nrootpw {SECRET}\n\
         limits dn.exact={reader} size.soft=500 size.hard=500 size.prtotal=unlimited\n\
         access to attrs=userPassword by anonymous auth by * none\n\
         access to * by dn.exact={reader} read by * none\n"
    );
    text
}

fn beginning() -> String {
    format!(
        "dn: dc=example\nobjectClass: dcObject\nobjectClass: organization\no: example\ndc: example\n\n\
         dn: {}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n\
         userPassword: {}\n\n",
        Slapd::READER,
        Slapd::PASSWORD
    )
}
