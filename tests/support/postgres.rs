//! `PostgreSQL` as a store of users: a cluster of its own, from Debian's package.

use std::{
    fs::{self, Permissions},
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    certificates::Issued, host::Host, process::Process, scratch::Scratch, wait::wait_until,
};

const PATIENCE: Duration = Duration::from_secs(30);
const VERSIONS: &str = "/usr/lib/postgresql";
/// Of the server: quick shutdown, without waiting for clients.
const INTERRUPT: i32 = 2;

/// A `PostgreSQL` server with a database `sbc` that has our tables, and a role `sbc` that reads them.
#[derive(Debug)]
pub struct Postgres<'a> {
    host: &'a Host,
    programs: PathBuf,
    scratch: Scratch,
    process: Option<Process>,
}

impl<'a> Postgres<'a> {
    /// Makes a cluster, and starts it on the socket and on `localhost`; it is ready when this returns. The password of
    /// the role is for connections to `localhost`.
    pub fn start(host: &'a Host, password: &str) -> Result<Self> {
        let scratch = Scratch::new()?;
        let mut postgres = Self { host, programs: programs()?, scratch, process: None };
        // The server refuses to be root's.
        postgres.own(postgres.scratch.path())?;
        let data = postgres.data();
        let mut making = postgres.as_postgres("initdb");
        making.args(["--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync"]);
        making.args(["--no-locale", "--encoding=UTF8", "--username=postgres", "-D"]).arg(&data);
        postgres.host.spawn("initdb", making)?.expect_success(PATIENCE)?;
        postgres.start_again(None)?;
        postgres.execute_in("postgres", "CREATE DATABASE sbc")?;
        let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/postgres.sql");
        postgres.execute(&fs::read_to_string(schema)?)?;
        postgres.execute(&format!(
            "CREATE ROLE sbc LOGIN PASSWORD '{password}'; GRANT USAGE ON SCHEMA sbc TO sbc; \
             GRANT SELECT ON ALL TABLES IN SCHEMA sbc TO sbc; \
             INSERT INTO sbc.realms VALUES ('example.com', true);"
        ))?;
        Ok(postgres)
    }

    /// The directory of its socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.scratch.path()
    }

    /// Starts it after [`Self::stop`], with TLS if there is a certificate to show.
    pub fn start_again(&mut self, certificate: Option<&Issued>) -> Result<()> {
        let mut command = self.as_postgres("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.socket());
        command.args(["-c", "listen_addresses=localhost", "-c", "fsync=off"]);
        command.args(["-c", "shared_buffers=16MB", "-c", "max_connections=20"]);
        if let Some(issued) = certificate {
            for (option, name, from) in [
                ("ssl_cert_file", "server.pem", &issued.chain),
                ("ssl_key_file", "server.key", &issued.key),
            ] {
                let path = self.scratch.write(name, fs::read(from)?)?;
                fs::set_permissions(&path, Permissions::from_mode(0o600))?;
                self.own(&path)?;
                command.arg("-c").arg(format!("{option}={}", path.display()));
            }
            command.args(["-c", "ssl=on"]);
        }
        self.process = Some(self.host.spawn("postgres", command)?);
        wait_until("PostgreSQL to answer", PATIENCE, || {
            Ok(self.execute_in("postgres", "SELECT 1").is_ok())
        })
    }

    /// Stops it, and waits for that.
    pub fn stop(&mut self) -> Result<()> {
        let mut process = self.process.take().context("PostgreSQL does not run")?;
        process.signal(INTERRUPT)?;
        process.wait(PATIENCE).map(drop)
    }

    /// Executes statements in the database, as its owner.
    pub fn execute(&self, statements: &str) -> Result<()> {
        self.execute_in("sbc", statements)
    }

    fn execute_in(&self, database: &str, statements: &str) -> Result<()> {
        let mut command = self.host.command(self.programs.join("psql"));
        command.args(["-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h"]).arg(self.socket());
        command.arg(database).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        child.stdin.take().context("no pipe to psql")?.write_all(statements.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    fn as_postgres(&self, program: &str) -> Command {
        let mut command = self.host.command("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        command.arg(self.programs.join(program)).current_dir(self.scratch.path());
        command
    }

    fn own(&self, path: &Path) -> Result<()> {
        self.host.run("chown", ["postgres".as_ref(), path.as_os_str()]).map(drop)
    }
}

/// Where the programs of the newest version are.
fn programs() -> Result<PathBuf> {
    let versions = fs::read_dir(VERSIONS).with_context(|| format!("listing {VERSIONS}"))?;
    let programs = versions.flatten().map(|version| version.path().join("bin"));
    let newest = programs.filter(|it| it.join("initdb").is_file()).max();
    newest.context("PostgreSQL is not installed: run `cargo xtask setup`")
}
