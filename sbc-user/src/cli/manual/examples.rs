//! What one types, command by command.

/// A purpose, and what serves it.
pub(super) struct Example {
    /// The command below `sbc`, or `sbc` itself.
    pub(super) topic: &'static str,
    pub(super) purpose: &'static str,
    pub(super) lines: &'static [&'static str],
}

pub(super) const EXAMPLES: &[Example] = &[
    Example {
        topic: "sbc",
        purpose: "Look whether the configuration is right, begin with a filter that only counts, and see what it would \
                  drop:",
        lines: &["sbc check", "systemctl enable --now sbc", "sbc status"],
    },
    Example {
        topic: "run",
        purpose: "As root, for a first try: load the filter and serve. The units of systemd do the same in two steps.",
        lines: &["sbc run --config sbc.toml"],
    },
    Example {
        topic: "load",
        purpose: "Have the filter hold before the daemon runs, and after it was changed:",
        lines: &["sbc load"],
    },
    Example {
        topic: "check",
        purpose: "Read a configuration, and all that it names, before it is used:",
        lines: &["sbc check --config new.toml"],
    },
    Example {
        topic: "doctor",
        purpose: "What is wrong with the machine, the configuration or the daemon, and what to do about it:",
        lines: &["sbc doctor"],
    },
    Example {
        topic: "reload",
        purpose: "Put in force what stands in the file now, all of it or nothing:",
        lines: &["sbc check", "sbc reload"],
    },
    Example {
        topic: "enforce",
        purpose: "Drop for ten minutes what was only counted, and then for good if nobody calls:",
        lines: &["sbc enforce --for 10m", "sbc enforce --confirm"],
    },
    Example {
        topic: "observe",
        purpose: "Let everything pass again, at once:",
        lines: &["sbc observe"],
    },
    Example {
        topic: "status",
        purpose: "How many packets were dropped because nothing is known of their source:",
        lines: &["sbc status --json | jq .packets"],
    },
    Example {
        topic: "top",
        purpose: "What happens now; Enter explains the chosen line, and q ends it:",
        lines: &["sbc top"],
    },
    Example {
        topic: "explain",
        purpose: "Why somebody does not get through:",
        lines: &["sbc explain 198.51.100.7:5060"],
    },
    Example {
        topic: "capture",
        purpose: "What strangers send, in five minutes, for Wireshark:",
        lines: &["sbc capture --reason unknown-source --for 5m -w drops.pcapng"],
    },
    Example {
        topic: "replay",
        purpose: "What a configuration would do with packets that were captured:",
        lines: &["sbc replay drops.pcapng"],
    },
    Example { topic: "unload", purpose: "Let everything pass, at once:", lines: &["sbc unload"] },
    Example {
        topic: "trust",
        purpose: "Who is let in, and the end of a ban before its time:",
        lines: &["sbc trust list", "sbc trust lift 198.51.100.7"],
    },
    Example {
        topic: "user",
        purpose: "The first user, whose file the daemon has to read, and the next ones:",
        lines: &[
            "sbc user add alice --realm example.com",
            "chown sbc: /etc/sbc/users.toml",
            "sbc user add bob",
            "sbc user list",
        ],
    },
    Example {
        topic: "ha1",
        purpose: "The hashes of a password, for a users file or a database:",
        lines: &["sbc ha1 --realm example.com alice < password"],
    },
    Example {
        topic: "pki",
        purpose: "An authority, a certificate for our listeners, and one for a carrier:",
        lines: &[
            "sbc pki init --dir /etc/sbc/pki",
            "sbc pki server --dir /etc/sbc/pki sip.example.com 203.0.113.10",
            "sbc pki peer --dir /etc/sbc/pki sip.carrier-a.example",
        ],
    },
    Example {
        topic: "completions",
        purpose: "Where the package is not installed, which brings them:",
        lines: &["sbc completions bash > /etc/bash_completion.d/sbc"],
    },
];
