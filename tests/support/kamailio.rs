//! Kamailio as the telephone system behind the border, registrar and proxy, and as a carrier's proxy in front of it.

use std::{fmt::Write as _, net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context as _, Result};

use crate::{
    certificates::Issued,
    host::Host,
    process::Process,
    scratch::Scratch,
    sockets::{Protocol, wait_for_listener},
};

mod collector;

const PATIENCE: Duration = Duration::from_secs(10);

/// A running Kamailio: accepts registrations, and connects calls to whoever registered, or is a carrier's.
#[derive(Debug)]
pub struct Kamailio<'a> {
    host: &'a Host,
    process: Process,
    _scratch: Scratch,
}

/// Where its control socket is: a folder that each host has for itself.
const CONTROL: &str = "unixs:/run/kamailio.control";

impl<'a> Kamailio<'a> {
    /// Starts it, listening on UDP at this address and asking nobody who it is; it is ready when
    /// this returns.
    pub fn start(host: &'a Host, listen: SocketAddr) -> Result<Self> {
        Self::start_with(host, listen, None)
    }

    /// As [`Self::start`], but REGISTER and INVITE are challenged, with MD5, for this password,
    /// whoever the user.
    pub fn start_with_digest(host: &'a Host, listen: SocketAddr, password: &str) -> Result<Self> {
        Self::start_with(host, listen, Some(password))
    }

    /// Starts one that takes calls over UDP at this address, and passes them on to the TLS listener `border`, to
    /// which it shows `certificate`; of the border it believes what `authority`, a file, has signed.
    pub fn start_as_carrier(
        host: &'a Host,
        listen: SocketAddr,
        border: SocketAddr,
        authority: &Path,
        certificate: &Issued,
    ) -> Result<Self> {
        let scratch = Scratch::new()?;
        let tls = scratch.write("tls.cfg", tls_configuration(authority, certificate))?;
        Self::run(host, listen.port(), scratch, &carrier_configuration(listen, border, &tls))
    }

    /// Starts one that takes calls over UDP at this address and passes them on to `border`, whose challenges it answers
    /// for this user and password.
    pub fn start_as_digest_client(
        host: &'a Host,
        listen: SocketAddr,
        border: SocketAddr,
        login: [&str; 2],
    ) -> Result<Self> {
        let configuration = digest_client_configuration(listen, border, login);
        Self::run(host, listen.port(), Scratch::new()?, &configuration)
    }

    fn start_with(host: &'a Host, listen: SocketAddr, password: Option<&str>) -> Result<Self> {
        Self::run(host, listen.port(), Scratch::new()?, &configuration(listen, password))
    }

    fn run(host: &'a Host, port: u16, scratch: Scratch, configuration: &str) -> Result<Self> {
        let configuration = scratch.write("kamailio.cfg", configuration)?;
        let mut command = host.command("kamailio");
        command.current_dir(scratch.path());
        // In the foreground, telling errors there, with little memory.
        command.args(["-DD", "-E", "-m", "32", "-M", "8", "-f"]).arg(configuration);
        command.arg("-Y").arg(scratch.path());
        let process = host.spawn("kamailio", command)?;
        let mut kamailio = Self { host, process, _scratch: scratch };
        kamailio.wait_until_ready(port)?;
        Ok(kamailio)
    }

    /// The contacts that `user` has registered, as URIs; empty when there are none.
    pub fn contacts(&self, user: &str) -> Result<Vec<String>> {
        let dump = self.control(&["ul.dump"])?;
        Ok(contacts_of(user, &dump))
    }

    /// Registers a contact of `user` for ten minutes, as if it had asked for it itself.
    pub fn add_contact(&self, user: &str, contact: &str) -> Result<()> {
        // Its preference, no Path, no flags of either kind, and all methods.
        let rest = ["600", "1.0", ".", "0", "0", "65535"];
        self.control(&[&["ul.add", "location", user, contact][..], &rest].concat())?;
        Ok(())
    }

    /// Asks it a command of its control interface, as in `["core.uptime"]`.
    pub fn control(&self, command: &[&str]) -> Result<String> {
        self.host.run("kamcmd", ["-s", CONTROL].iter().chain(command))
    }

    /// The process, for what else may be done to one.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    fn wait_until_ready(&mut self, port: u16) -> Result<()> {
        wait_for_listener(self.host, Protocol::Udp, port, PATIENCE)
            .and_then(|()| {
                crate::wait_until("Kamailio's control socket", PATIENCE, || {
                    self.control(&["core.uptime"]).map(|_| true)
                })
            })
            .with_context(|| self.process.output().unwrap_or_default())
    }
}

/// The dump nests records of `AoR: user` with, below each, contacts of `Address: uri`.
fn contacts_of(user: &str, dump: &str) -> Vec<String> {
    let mut contacts = Vec::new();
    let mut wanted = false;
    for line in dump.lines().map(str::trim) {
        if let Some(record) = line.strip_prefix("AoR: ") {
            wanted = record == user;
        } else if let Some(address) = line.strip_prefix("Address: ")
            && wanted
        {
            contacts.push(address.to_owned());
        }
    }
    contacts
}

fn configuration(listen: SocketAddr, password: Option<&str>) -> String {
    let mut configuration = beginning(listen, "disable_tcp=yes", &["usrloc", "registrar", "auth"]);
    if let Some(password) = password {
        let _ = writeln!(configuration, "#!define PASSWORD \"{password}\"");
    }
    configuration + ROUTING
}

fn carrier_configuration(listen: SocketAddr, border: SocketAddr, tls: &Path) -> String {
    let secure = SocketAddr::new(listen.ip(), border.port());
    let secure = format!("enable_tls=yes\ntcp_children=1\nlisten=tls:{secure}");
    let mut configuration = beginning(listen, &secure, &["tls"]);
    let _ = writeln!(configuration, "modparam(\"tls\", \"config\", \"{}\")", tls.display());
    configuration + &CARRIER_ROUTING.replace("BORDER", &format!("sip:{border};transport=tls"))
}

fn digest_client_configuration(listen: SocketAddr, border: SocketAddr, login: [&str; 2]) -> String {
    let [user, password] = login;
    let mut configuration = beginning(listen, "disable_tcp=yes", &["uac"]);
    for (part, variable) in [("username", "user"), ("password", "word"), ("realm", "realm")] {
        let _ =
            writeln!(configuration, "modparam(\"uac\", \"auth_{part}_avp\", \"$avp({variable})\")");
    }
    let routing = CARRIER_ROUTING
        .replace("    t_relay();\n}", "    t_on_failure(\"PROOF\");\n    t_relay();\n}");
    let proof = PROOF.replace("USER", user).replace("WORD", password);
    configuration + &(routing + &proof).replace("BORDER", &format!("sip:{border}"))
}

/// Shown to whoever connects and whom it connects to, of whom it believes only what the authority has signed.
fn tls_configuration(authority: &Path, Issued { chain, key }: &Issued) -> String {
    let (authority, chain, key) = (authority.display(), chain.display(), key.display());
    let own = format!("method = TLSv1.2+\ncertificate = {chain}\nprivate_key = {key}\n");
    format!(
        "[server:default]\n{own}[client:default]\n{own}\
         ca_list = {authority}\nverify_certificate = yes\nrequire_certificate = yes\n"
    )
}

/// What every configuration begins with.
fn beginning(listen: SocketAddr, streams: &str, more: &[&str]) -> String {
    let mut configuration = format!("#!KAMAILIO\nlisten=udp:{listen}\n{streams}\n");
    let common =
        ["ctl", "kex", "corex", "tm", "tmx", "sl", "rr", "pv", "maxfwd", "textops", "siputils"];
    for module in common.iter().chain(more) {
        let _ = writeln!(configuration, "loadmodule \"{module}.so\"");
    }
    let _ = writeln!(configuration, "modparam(\"ctl\", \"binrpc\", \"{CONTROL}\")");
    configuration + COMMON
}

const COMMON: &str = "\
children=1
debug=0
log_stderror=yes
auto_aliases=no
# Names are never looked up: there is no DNS in here.
dns=no
rev_dns=no
";

const ROUTING: &str = r#"
modparam("usrloc", "db_mode", 0)
modparam("registrar", "use_path", 1)
# Refuses a Path that is not said to be supported, and repeats it.
modparam("registrar", "path_mode", 2)

request_route {
    if (!mf_process_maxfwd_header("10")) {
        sl_send_reply("483", "Too Many Hops");
        exit;
    }
    if (is_method("CANCEL")) {
        if (t_check_trans()) t_relay();
        exit;
    }
    if (has_totag()) {
        if (!loose_route() && is_method("ACK") && !t_check_trans()) exit;
        t_relay();
        exit;
    }
    if (is_method("OPTIONS")) {
        sl_send_reply("200", "OK");
        exit;
    }
#!ifdef PASSWORD
    if (is_method("REGISTER")) {
        if (!pv_www_authenticate("$td", PASSWORD, "0")) {
            www_challenge("$td", "1");
            exit;
        }
    } else if (!pv_proxy_authenticate("$fd", PASSWORD, "0")) {
        proxy_challenge("$fd", "1");
        exit;
    }
    consume_credentials();
#!endif
    if (is_method("REGISTER")) {
        save("location");
        exit;
    }
    record_route();
    if (!lookup("location")) {
        sl_send_reply("404", "Not Found");
        exit;
    }
    t_relay();
}
"#;

const CARRIER_ROUTING: &str = r#"
request_route {
    if (!mf_process_maxfwd_header("10")) {
        sl_send_reply("483", "Too Many Hops");
        exit;
    }
    if (is_method("CANCEL")) {
        if (t_check_trans()) t_relay();
        exit;
    }
    if (has_totag()) {
        if (!loose_route() && is_method("ACK") && !t_check_trans()) exit;
        t_relay();
        exit;
    }
    record_route();
    $du = "BORDER";
    t_relay();
}
"#;

const PROOF: &str = r#"
failure_route[PROOF] {
    if (t_is_canceled() || !t_check_status("401|407")) exit;
    $avp(user) = "USER";
    $avp(word) = "WORD";
    if (uac_auth()) {
        $du = "BORDER";
        t_relay();
    }
}
"#;

#[cfg(test)]
mod tests {
    use super::contacts_of;

    #[test]
    fn a_dump_tells_whose_contact_is_whose() {
        let dump = "\tInfo: {\n\t\tAoR: alice\n\t\t\tAddress: sip:a@192.0.2.1\n\
                    \t\tAoR: bob\n\t\t\tAddress: sip:b@192.0.2.2\n";
        assert_eq!(contacts_of("bob", dump), ["sip:b@192.0.2.2"]);
        assert!(contacts_of("carol", dump).is_empty());
    }
}
