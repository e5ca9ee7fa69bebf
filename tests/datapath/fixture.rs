use std::fmt;

use sbc_common::maps::Counter;
use sbc_common::{Action, Mode, Reason, SliceFrame, decide};
use sbc_user::kernel::{CounterRow, KernelTables, Object};

use crate::host_tables::HostTables;
use crate::policy::Policy;

/// The kernel refuses to run shorter frames (`bpf_prog_test_run_xdp`, `ETH_HLEN`).
pub(crate) const SHORTEST_FOR_KERNEL: usize = 14;

/// The shipped program in the kernel, and the same decision on the host with the same tables.
pub(crate) struct Datapath {
    object: Object,
    kernel: KernelTables,
    host: HostTables,
    policy: Policy,
    counted: Vec<CounterRow>,
}

/// In what the kernel differs from the host or from its own account.
#[derive(Debug)]
pub(crate) struct Disagreement(String);

impl fmt::Display for Disagreement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Loads the shipped object, or says what is missing.
pub(crate) fn load() -> (Object, KernelTables) {
    Object::load().unwrap_or_else(|error| {
        panic!(
            "the datapath tests run the XDP program in the kernel: run them as root (they need \
             CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and CAP_SYS_ADMIN). {error}"
        )
    })
}

impl Datapath {
    pub(crate) fn load() -> Self {
        let (object, kernel) = load();
        let policy = Policy::empty();
        let host = HostTables::of(&policy);
        let counted = kernel.counters().unwrap();
        Self { object, kernel, host, policy, counted }
    }

    /// Fills the tables on both sides from `policy` alone. The kernel's unknown lane keeps what it
    /// has spent, so a policy with a tight budget wants a program of its own.
    pub(crate) fn apply(&mut self, policy: &Policy) {
        if self.policy == *policy {
            return;
        }
        for (key, _) in self.kernel.sources() {
            self.kernel.distrust_source(&key).unwrap();
        }
        for (prefix, _) in self.kernel.prefixes() {
            self.kernel.distrust_prefix(prefix).unwrap();
        }
        self.kernel.apply_settings(&policy.settings).unwrap();
        if self.policy.services != policy.services {
            self.kernel.apply_services(&policy.services).unwrap();
        }
        for (key, entry) in &policy.sources {
            self.kernel.trust_source(key, entry).unwrap();
        }
        for (prefix, entry) in &policy.prefixes {
            self.kernel.trust_prefix(*prefix, entry).unwrap();
        }
        self.host = HostTables::of(policy);
        self.policy = policy.clone();
    }

    /// Judges `frame` on both sides and returns the reason and the action on which they agree.
    pub(crate) fn judge(&mut self, frame: &[u8]) -> Result<(Reason, Action), Disagreement> {
        let on_host = decide(&mut SliceFrame::new(frame), &mut self.host);
        let expected = match self.policy.settings.mode {
            Mode::Enforce => on_host.action(),
            Mode::Observe => Action::Pass,
        };
        if frame.len() < SHORTEST_FOR_KERNEL {
            return Ok((on_host, expected));
        }
        let action = self.object.judge(frame).unwrap();
        let in_kernel = self.newly_counted(frame)?;
        if in_kernel != on_host {
            return Err(Disagreement(format!(
                "{} in the kernel, {} on the host: {frame:02x?}",
                in_kernel.name(),
                on_host.name()
            )));
        }
        if action != expected {
            return Err(Disagreement(format!("{} led to {}", on_host.name(), action.name())));
        }
        Ok((on_host, action))
    }

    /// The one reason under which `frame` was counted since the last call.
    fn newly_counted(&mut self, frame: &[u8]) -> Result<Reason, Disagreement> {
        let counted = self.kernel.counters().unwrap();
        let before = std::mem::replace(&mut self.counted, counted);
        let grown: Vec<(Reason, Counter)> = before
            .iter()
            .zip(&self.counted)
            .filter(|(before, after)| before != after)
            .map(|(before, after)| (after.reason, growth(before.counter, after.counter)))
            .collect();
        match *grown {
            [(reason, Counter { packets: 1, bytes })] if bytes == frame.len() as u64 => Ok(reason),
            _ => Err(Disagreement(format!(
                "a frame of {} bytes is counted as {grown:?}: {frame:02x?}",
                frame.len()
            ))),
        }
    }
}

fn growth(before: Counter, after: Counter) -> Counter {
    Counter { packets: after.packets - before.packets, bytes: after.bytes - before.bytes }
}
