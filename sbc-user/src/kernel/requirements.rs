use std::fs;

use super::KernelError;

/// The oldest supported release: the first long-term one whose verifier and helpers carry all of the
/// datapath tests.
pub const OLDEST: (u32, u32) = (6, 1);

const CAP_NET_ADMIN: (u32, &str) = (12, "CAP_NET_ADMIN");
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: (u32, &str) = (38, "CAP_PERFMON");
const CAP_BPF: (u32, &str) = (39, "CAP_BPF");

/// Checks what can be checked before the kernel is asked to load anything, because what it answers
/// then (`EPERM`, or pages of verifier log) helps nobody.
pub(super) fn check() -> Result<(), KernelError> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    if version(release).is_some_and(|version| version < OLDEST) {
        return Err(KernelError::KernelTooOld { found: release.to_owned(), needed: "6.1" });
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    match effective_capabilities(&status).map(missing) {
        Some(missing) if !missing.is_empty() => Err(KernelError::MissingCapabilities(missing)),
        Some(_) | None => Ok(()),
    }
}

/// The first two numbers of a kernel's release.
#[must_use]
pub fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// What this process lacks to load the filter; `None` if the kernel does not say what it has.
#[must_use]
pub fn missing_capabilities() -> Option<Vec<&'static str>> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    effective_capabilities(&status).map(missing)
}

fn effective_capabilities(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// `CAP_PERFMON` too: without it the verifier refuses the arithmetic on packet pointers.
fn missing(effective: u64) -> Vec<&'static str> {
    let has = |bit: u32| effective >> bit & 1 != 0;
    [CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON]
        .into_iter()
        .filter(|(bit, _)| !has(*bit) && (*bit == CAP_NET_ADMIN.0 || !has(CAP_SYS_ADMIN)))
        .map(|(_, name)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_compared_by_number() {
        assert_eq!(version("6.18.44-fc-v669"), Some((6, 18)));
        assert_eq!(version("5.15.0"), Some((5, 15)));
        assert!(version("6.1.192").unwrap() >= OLDEST);
        assert!(version("5.15.0").unwrap() < OLDEST);
    }

    #[test]
    fn the_missing_capabilities_are_named() {
        let status = "Name:\tsbc\nCapEff:\t0000000000001000\n";
        assert_eq!(
            effective_capabilities(status).map(missing).unwrap(),
            ["CAP_BPF", "CAP_PERFMON"]
        );
    }

    #[test]
    fn cap_sys_admin_stands_for_bpf_and_perfmon_but_not_for_net_admin() {
        assert_eq!(missing(1 << CAP_SYS_ADMIN), ["CAP_NET_ADMIN"]);
        assert!(missing(1 << CAP_SYS_ADMIN | 1 << CAP_NET_ADMIN.0).is_empty());
    }
}
