//! Kamailio as a proxy between two networks, with as little as the work takes: one worker for each
//! side, no registrar.

use anyhow::Result;
use sbc_tests::{Family, Gateway, Process, Scratch};

use crate::{case::Admission, proof};

/// Megabytes that the transactions of a sample and of the many calls fit in, whatever is left of those
/// before.
const SHARED_MEMORY: &str = "2048";

/// Starts it, stateless or with transactions.
pub(crate) fn start(
    gateway: &Gateway,
    scratch: &Scratch,
    has_transactions: bool,
    admission: Admission,
) -> Result<Process> {
    let text = configuration(gateway, has_transactions, admission);
    let file = scratch.write("kamailio.cfg", text)?;
    let mut command = gateway.edge.command("kamailio");
    command.current_dir(scratch.path());
    // In the foreground, telling errors there; -x is for shared memory, -X for each process's own.
    command.args(["-DD", "-E", "-m", SHARED_MEMORY, "-M", "16", "-x", "fm", "-X", "fm", "-f"]);
    command.arg(file).arg("-Y").arg(scratch.path());
    gateway.edge.spawn("kamailio", command)
}

fn configuration(gateway: &Gateway, has_transactions: bool, admission: Admission) -> String {
    let (outside, inside) = (Family::V4.sip(), Family::V4.sip_inside());
    let upstream = gateway.upstream();
    let mut modules = vec!["sl", "pv", "rr", "textops", "siputils", "maxfwd"];
    // What is relayed with transactions is answered by them from the socket that it came to.
    let (relay, routes_answers) = if has_transactions {
        modules.push("tm");
        ("t_relay();", "mhomed=0")
    } else {
        ("forward();", "mhomed=1")
    };
    let admits = match admission {
        Admission::Address => {
            format!("if (src_ip != {}) {{ exit; }}", Family::V4.caller())
        }
        Admission::Digest => {
            modules.push("auth");
            format!(
                "if (!pv_proxy_authenticate(\"$fd\", \"{}\", \"1\")) {{ \
                 proxy_challenge(\"$fd\", \"1\"); exit; }}\nconsume_credentials();",
                proof::ha1()
            )
        }
    };
    let modules: Vec<_> =
        modules.iter().map(|name| format!("loadmodule \"{name}.so\"\n")).collect();
    let modules = modules.concat();
    format!(
        "#!KAMAILIO\nlisten=udp:{outside}\nlisten=udp:{inside}\n{modules}\
         children=1\ndisable_tcp=yes\ndebug=0\nlog_stderror=yes\nauto_aliases=no\n\
         dns=no\nrev_dns=no\n{routes_answers}\n\
         request_route {{\n\
         if (!mf_process_maxfwd_header(\"10\")) exit;\n\
         if (has_totag()) {{\nif (loose_route()) {{ {relay} }}\nexit;\n}}\n\
         {admits}\n\
         record_route();\n$du = \"sip:{upstream}\";\n$fs = \"udp:{inside}\";\n{relay}\n}}\n"
    )
}
