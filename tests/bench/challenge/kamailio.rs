//! Kamailio with as little as the work takes: one worker, no transactions, no registrar.

use anyhow::Result;
use sbc_tests::{Family, Gateway, Process, Scratch};

use crate::{case::Work, proof};

pub(crate) fn start(
    gateway: &Gateway,
    scratch: &Scratch,
    work: Work,
    allocator: &str,
) -> Result<Process> {
    let file = scratch.write("kamailio.cfg", configuration(gateway, work))?;
    let mut command = gateway.edge.command("kamailio");
    command.current_dir(scratch.path());
    // In the foreground, telling errors there; -x is for shared memory, -X for each process's own.
    command.args(["-DD", "-E", "-m", "64", "-M", "16", "-x", allocator, "-X", allocator, "-f"]);
    command.arg(file).arg("-Y").arg(scratch.path());
    gateway.edge.spawn("kamailio", command)
}

fn configuration(gateway: &Gateway, work: Work) -> String {
    let proven = match work {
        Work::Relayed => format!(
            "if (!mf_process_maxfwd_header(\"10\")) exit;\n\
             consume_credentials();\n$du = \"sip:{}\";\nforward();",
            gateway.upstream()
        ),
        Work::Echo | Work::Register | Work::Invite | Work::Authenticated => {
            "sl_send_reply(\"200\", \"OK\");".to_owned()
        }
    };
    let inside = match work {
        Work::Relayed => format!("listen=udp:{}\n", Family::V4.sip_inside()),
        Work::Echo | Work::Register | Work::Invite | Work::Authenticated => String::new(),
    };
    let modules = ["sl", "pv", "textops", "maxfwd", "auth"];
    let modules: String = modules.map(|name| format!("loadmodule \"{name}.so\"\n")).concat();
    format!(
        "#!KAMAILIO\nlisten=udp:{}\n{inside}{modules}\
         children=1\ndisable_tcp=yes\ndebug=0\nlog_stderror=yes\nauto_aliases=no\n\
         dns=no\nrev_dns=no\nmhomed=1\n\
         request_route {{\n\
         if (is_method(\"REGISTER\")) {{\n\
         if (!pv_www_authenticate(\"$td\", \"{ha1}\", \"1\")) {{ www_challenge(\"$td\", \"1\"); exit; }}\n\
         {proven}\nexit;\n}}\n\
         if (!pv_proxy_authenticate(\"$fd\", \"{ha1}\", \"1\")) {{ proxy_challenge(\"$fd\", \"1\"); exit; }}\n\
         {proven}\n}}\n",
        Family::V4.sip(),
        ha1 = proof::ha1(),
    )
}
