//! What cannot change while the daemon runs.

use std::fmt::Debug;

use super::homer::HomerPassword;
use super::{Config, HomerExport, Listen, Users};

/// A key that counts at the start alone.
struct Fixed {
    key: &'static str,
    /// Its value, to be compared with another.
    value: fn(&Config) -> String,
}

/// All of them. What the kernel's tables and the sockets are made by cannot be another while they are used, and to
/// change the peers and the user of the daemon takes privileges that it has at the start alone, if at all.
const FIXED: [Fixed; 20] = [
    Fixed { key: "state-directory", value: |it| text(&it.state_directory) },
    Fixed { key: "interface.outside.name", value: |it| text(&it.interface.outside.name) },
    Fixed { key: "interface.outside.xdp", value: |it| text(&it.interface.outside.xdp) },
    Fixed {
        key: "interface.inside.name",
        value: |it| text(&it.interface.inside.as_ref().map(|inside| &inside.name)),
    },
    Fixed { key: "kernel.bpf-file-system", value: |it| text(&it.kernel.bpf_file_system) },
    Fixed { key: "kernel.trust-entries", value: |it| text(&it.kernel.trust_entries) },
    Fixed { key: "kernel.user", value: |it| text(&it.kernel.user) },
    Fixed { key: "kernel.socket-filter", value: |it| text(&it.kernel.socket_filter) },
    Fixed { key: "kernel.cgroup", value: |it| text(&it.kernel.cgroup) },
    Fixed { key: "admin", value: |it| text(&it.admin) },
    Fixed { key: "log", value: |it| text(&it.log) },
    Fixed { key: "homer", value: |it| it.homer.as_ref().map_or_else(String::new, written) },
    Fixed { key: "control.socket", value: |it| text(&it.control.socket) },
    Fixed { key: "control.group", value: |it| text(&it.control.group) },
    Fixed {
        key: "listen.transport",
        value: |it| each_listener(it, |listen| text(&listen.transport)),
    },
    Fixed { key: "listen.address", value: |it| each_listener(it, |listen| text(&listen.address)) },
    Fixed { key: "upstream.address", value: |it| text(&it.upstream.address) },
    Fixed {
        key: "upstream.tls-port",
        value: |it| text(&it.upstream.tls.as_ref().map(|_| it.upstream.tls_port)),
    },
    Fixed { key: "upstream.tls", value: |it| text(&it.upstream.tls.is_some()) },
    Fixed { key: "users.remembered-nonces", value: |it| text(&it.users.as_ref().map(nonces)) },
];

/// The keys whose change takes a restart.
pub fn fixed_keys() -> impl Iterator<Item = &'static str> {
    FIXED.iter().map(|fixed| fixed.key)
}

/// The keys in which two configurations differ although neither can take the other's place without a restart.
#[must_use]
pub fn needing_restart(before: &Config, next: &Config) -> Vec<&'static str> {
    let are_users = before.users.is_some() && next.users.is_some();
    let differ = |fixed: &&Fixed| (fixed.value)(before) != (fixed.value)(next);
    let differing = FIXED.iter().filter(differ).map(|fixed| fixed.key);
    // Users may come and go.
    differing.filter(|key| are_users || *key != "users.remembered-nonces").collect()
}

fn text(value: &impl Debug) -> String {
    format!("{value:?}")
}

fn each_listener(config: &Config, value: fn(&Listen) -> String) -> String {
    config.listen.iter().map(value).collect::<Vec<_>>().join(" ")
}

fn nonces(users: &Users) -> usize {
    users.remembered_nonces.get()
}

/// With the password, which is left out where others may read it.
fn written(homer: &HomerExport) -> String {
    let password = homer.password.as_ref().map(HomerPassword::as_bytes);
    format!("{homer:?} {password:?}")
}
