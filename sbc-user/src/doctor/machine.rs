use super::{Check, Facts, Finding, Pinned};
use crate::kernel::{OLDEST, version};

/// Since then memory of filters is accounted to control groups, not locked.
const NOT_LOCKED_SINCE: (u32, u32) = (5, 11);
/// Since then drivers tell whether they run XDP programs.
const TELLS_DRIVERS_SINCE: (u32, u32) = (6, 3);
/// What a listener's queue is made as long as, where the system lets it.
const QUEUE: u64 = 4 << 20;

pub(super) fn examine(facts: &Facts, told: &mut Vec<Finding>) {
    configuration(facts, told);
    told.push(release(facts));
    told.push(if facts.kernel.has_type_information {
        Finding::ok(Check::TypeInformation, "/sys/kernel/btf/vmlinux is there")
    } else {
        Finding::warning(
            Check::TypeInformation,
            "the kernel has no BTF: bpftool and bpftrace cannot name what the filter holds",
            "nothing, or boot a kernel with CONFIG_DEBUG_INFO_BTF=y",
        )
    });
    told.push(compiler(facts.kernel.jit));
    told.push(privileges(facts));
    told.push(locked_memory(facts));
    told.push(open_files(facts));
    network_stack(facts, told);
}

fn configuration(facts: &Facts, told: &mut Vec<Finding>) {
    let configuration = &facts.configuration;
    let path = configuration.path.display();
    if let Some(problem) = &configuration.problem {
        told.push(Finding::failure(
            Check::Configuration,
            problem.clone(),
            format!("mend it, and ask `sbc check --config {path}`"),
        ));
    } else if configuration.warnings.is_empty() {
        told.push(Finding::ok(Check::Configuration, format!("{path} and what it names")));
    }
    let warnings = configuration.warnings.iter();
    told.extend(warnings.map(|warning| {
        Finding::warning(Check::Configuration, warning.clone(), format!("change {path}"))
    }));
}

fn release(facts: &Facts) -> Finding {
    let release = &facts.kernel.release;
    match version(release) {
        None => Finding::unseen(
            Check::Kernel,
            "the kernel's release is not known",
            "see that /proc is mounted",
        ),
        Some(found) if found < OLDEST => Finding::failure(
            Check::Kernel,
            format!("Linux {release} is too old for the filter"),
            "install Linux 6.1 or later (Debian 12 has it) and reboot",
        ),
        Some(found) if found < TELLS_DRIVERS_SINCE => Finding::ok(
            Check::Kernel,
            format!("Linux {release}; it does not tell which drivers run XDP programs (6.3 does)"),
        ),
        Some(_) => Finding::ok(Check::Kernel, format!("Linux {release}")),
    }
}

fn compiler(jit: Option<u32>) -> Finding {
    match jit {
        Some(0) => Finding::warning(
            Check::Compiler,
            "the filter is interpreted, not compiled: each packet costs several times as much",
            "sysctl -w net.core.bpf_jit_enable=1",
        ),
        Some(_) => Finding::ok(Check::Compiler, "the kernel compiles the filter"),
        None => Finding::unseen(
            Check::Compiler,
            "net.core.bpf_jit_enable cannot be read",
            "ask as root, on the machine itself and not in a container",
        ),
    }
}

fn privileges(facts: &Facts) -> Finding {
    let is_loaded = facts.filter.as_ref().is_some_and(|filter| match &filter.pinned {
        Pinned::Here(_) => true,
        Pinned::Nothing | Pinned::Unseen => false,
    });
    match &facts.kernel.missing_capabilities {
        Some(missing) if missing.is_empty() => {
            Finding::ok(Check::Privileges, "enough to load the filter")
        }
        Some(_) if is_loaded => Finding::ok(
            Check::Privileges,
            "`sbc load` has loaded the filter; running it takes none",
        ),
        Some(missing) => Finding::unseen(
            Check::Privileges,
            format!(
                "without {} not all of this can be seen, nor the filter loaded",
                missing.join(", ")
            ),
            "ask as root: `sudo sbc doctor`; and `sbc load` as root loads the filter for a daemon without privilege",
        ),
        None => Finding::unseen(
            Check::Privileges,
            "what this process may do is not known",
            "see that /proc is mounted",
        ),
    }
}

fn locked_memory(facts: &Facts) -> Finding {
    match version(&facts.kernel.release) {
        Some(found) if found < NOT_LOCKED_SINCE => Finding::warning(
            Check::LockedMemory,
            "this kernel counts the filter's tables as locked memory",
            "LimitMEMLOCK=infinity in the service unit, or `ulimit -l unlimited`",
        ),
        Some(_) => Finding::ok(Check::LockedMemory, "not counted for filters by this kernel"),
        None => Finding::unseen(
            Check::LockedMemory,
            "the kernel's release is not known",
            "see that /proc is mounted",
        ),
    }
}

fn open_files(facts: &Facts) -> Finding {
    let limits = &facts.limits;
    let whose = if limits.is_of_the_daemon { "the daemon" } else { "who asks, and starts it," };
    match limits.open_files {
        None => Finding::unseen(
            Check::OpenFiles,
            "how many files can be open is not known",
            "see that /proc is mounted",
        ),
        Some(allowed) if allowed < limits.wanted_files => Finding::warning(
            Check::OpenFiles,
            format!(
                "{whose} may have {allowed} files open, and {} connections should be: strangers could \
                 use up the upstream's",
                limits.wanted_files
            ),
            "LimitNOFILE=65536 in the service unit, or `ulimit -Hn 65536`",
        ),
        Some(allowed) => Finding::ok(Check::OpenFiles, format!("{whose} may have {allowed} open")),
    }
}

fn network_stack(facts: &Facts, told: &mut Vec<Finding>) {
    let network = &facts.network;
    let before = told.len();
    if network.has_sip_helper {
        told.push(Finding::warning(
            Check::NetworkStack,
            "nf_conntrack_sip is loaded: it may rewrite SIP that this machine forwards, and opens ports \
             for what it reads there",
            "modprobe -r nf_nat_sip nf_conntrack_sip, and see that no firewall rule asks for the helper",
        ));
    }
    if let Some(longest) = network.longest_queue.filter(|longest| *longest < QUEUE) {
        told.push(Finding::warning(
            Check::NetworkStack,
            format!(
                "net.core.rmem_max is {longest}: while the daemon is busy for a moment, datagrams that \
                 would have had room are dropped"
            ),
            format!("sysctl -w net.core.rmem_max={QUEUE}, and the same in /etc/sysctl.d/sbc.conf"),
        ));
    }
    told.extend(network.warnings.iter().map(|warning| {
        Finding::warning(
            Check::NetworkStack,
            warning.clone(),
            "set it back, and look who changed it",
        )
    }));
    if told.len() == before {
        told.push(Finding::ok(Check::NetworkStack, "set as it should be"));
    }
}
