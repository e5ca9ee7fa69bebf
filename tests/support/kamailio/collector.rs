use std::net::SocketAddr;

use anyhow::Result;

use super::{Host, Kamailio, Scratch, beginning};

/// The tables of a database of text files, which nothing is written to.
const TABLES: [(&str, &str); 2] = [
    ("version", "table_name(string) table_version(int)\nsip_capture:5\n"),
    ("sip_capture", "id(int)\n"),
];

const ROUTING: &str = r#"
modparam("sipcapture", "capture_on", 1)
modparam("sipcapture", "hep_capture_on", 1)

request_route {
    xlog("L_ALERT", "captured request $rm of $ci from $si:$sp, $hdr(Proxy-Authorization)\n");
    drop;
}

onreply_route {
    xlog("L_ALERT", "captured answer $rs of $ci from $si:$sp\n");
    drop;
}
"#;

impl<'a> Kamailio<'a> {
    /// Starts one that takes copies of SIP messages in HEP3 at this address, and tells each: see [`Self::captured`].
    pub fn start_as_collector(host: &'a Host, listen: SocketAddr) -> Result<Self> {
        let scratch = Scratch::new()?;
        for (name, text) in TABLES {
            scratch.write(name, text)?;
        }
        let modules = ["xlog", "db_text", "sipcapture"];
        let database = scratch.path().display();
        let database = format!("modparam(\"sipcapture\", \"db_url\", \"text://{database}\")\n");
        let configuration = beginning(listen, "disable_tcp=yes", &modules) + &database + ROUTING;
        Self::run(host, listen.port(), scratch, &configuration)
    }

    /// The copies that it has read, each as a line.
    pub fn captured(&self) -> Result<Vec<String>> {
        let said = self.process.output()?;
        let lines = said.lines().filter_map(|line| line.split_once("captured "));
        Ok(lines.map(|(_, copy)| copy.to_owned()).collect())
    }
}
