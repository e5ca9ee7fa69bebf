//! Kamailio with as little as handshakes take: one worker for connections.

use anyhow::Result;
use sbc_tests::{Family, Gateway, Process, Scratch};

use crate::files::Files;

pub(crate) fn start(gateway: &Gateway, scratch: &Scratch, files: &Files) -> Result<Process> {
    let tls = scratch.write(
        "tls.cfg",
        format!(
            "[server:default]\nmethod = TLSv1.2+\nverify_certificate = yes\n\
             require_certificate = yes\n{}",
            files.for_kamailio()
        ),
    )?;
    let configuration = format!(
        "#!KAMAILIO\nlisten=tls:{}\nenable_tls=yes\nloadmodule \"pv.so\"\nloadmodule \"tls.so\"\n\
         modparam(\"tls\", \"config\", \"{}\")\nchildren=1\ntcp_children=1\ndebug=0\n\
         log_stderror=yes\nauto_aliases=no\ndns=no\nrev_dns=no\nrequest_route {{ exit; }}\n",
        Family::V4.sips(),
        tls.display()
    );
    let file = scratch.write("kamailio.cfg", configuration)?;
    let mut command = gateway.edge.command("kamailio");
    command.current_dir(scratch.path());
    // In the foreground, telling errors there; -x is for shared memory, -X for each process's own.
    command.args(["-DD", "-E", "-m", "128", "-M", "16", "-x", "fm", "-X", "fm", "-f"]);
    command.arg(file).arg("-Y").arg(scratch.path());
    gateway.edge.spawn("kamailio", command)
}
