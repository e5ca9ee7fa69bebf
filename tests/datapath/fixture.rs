use std::{fmt, mem};

use sbc_common::maps::Counter;
use sbc_common::{Action, Setting, SliceFrame, Verdict, carry_out, decide};
use sbc_user::border::Clock;
use sbc_user::kernel::{KernelTables, Object};

use crate::host_tables::HostTables;
use crate::policy::Policy;
use crate::surroundings::Surroundings;

/// The kernel refuses to run shorter frames (`bpf_prog_test_run_xdp`, `ETH_HLEN`).
pub(crate) const SHORTEST_FOR_KERNEL: usize = 14;

/// The shipped program in the kernel, and the same decision on the host with the same tables.
pub(crate) struct Datapath {
    pub(crate) object: Object,
    pub(crate) kernel: KernelTables,
    host: HostTables,
    policy: Policy,
    judged: u64,
    clock: Clock,
    _surroundings: Surroundings,
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
        let surroundings = Surroundings::make().unwrap();
        let (object, kernel) = load();
        let policy = Policy::empty();
        let host = HostTables::of(&policy);
        let mut datapath = Self {
            object,
            kernel,
            host,
            policy,
            judged: 0,
            clock: Clock::start(),
            _surroundings: surroundings,
        };
        datapath.expect(&Policy::empty());
        datapath
    }

    /// Fills the tables on both sides from `policy` alone. The kernel's unknown lane keeps what it
    /// has spent, so a policy with a tight budget wants a program of its own.
    pub(crate) fn apply(&mut self, policy: &Policy) {
        if self.policy == *policy {
            return;
        }
        self.counts_nothing_else();
        for (key, _) in self.kernel.sources() {
            self.kernel.distrust_source(&key).unwrap();
        }
        for (prefix, _) in self.kernel.prefixes() {
            self.kernel.distrust_prefix(prefix).unwrap();
        }
        self.kernel.apply_settings(&policy.settings).unwrap();
        self.kernel.set(Setting::Heartbeat, policy.heartbeat).unwrap();
        let longest = policy.silence_ends_enforcement;
        self.kernel.set(Setting::SilenceEndsEnforcement, longest).unwrap();
        self.kernel.keep_associations(&policy.associations).unwrap();
        self.kernel.set(Setting::AssociationsUntil, policy.associations_until).unwrap();
        if self.policy.services != policy.services {
            self.kernel.apply_services(&policy.services).unwrap();
        }
        for (key, entry) in &policy.sources {
            self.kernel.trust_source(key, entry).unwrap();
        }
        for (prefix, entry) in &policy.prefixes {
            self.kernel.trust_prefix(*prefix, entry).unwrap();
        }
        self.expect(policy);
    }

    /// Takes `policy` for what the kernel's tables hold already.
    pub(crate) fn expect(&mut self, policy: &Policy) {
        let seed = self.kernel.setting(Setting::Seed).unwrap();
        let others = mem::take(&mut self.host);
        self.host = HostTables::of(policy).following(others, seed);
        self.policy = policy.clone();
    }

    /// Judges `frame` on both sides and returns the verdict and the action on which they agree.
    pub(crate) fn judge(&mut self, frame: &[u8]) -> Result<(Verdict, Action), Disagreement> {
        self.host.now = self.clock.monotonic();
        let verdict = decide(&mut SliceFrame::new(frame), &mut self.host);
        let expected = carry_out(verdict, &self.host);
        if frame.len() < SHORTEST_FOR_KERNEL {
            return Ok((verdict, expected));
        }
        let before = self.kernel.counter(verdict).unwrap();
        let action = self.object.judge(frame).unwrap();
        self.judged += 1;
        let counted = growth(before, self.kernel.counter(verdict).unwrap());
        if counted != (1, frame.len() as u64) {
            return Err(Disagreement(format!(
                "{verdict:?} on the host, and in the kernel, when asked again, {:?}: {frame:02x?}",
                self.counted_for(frame)
            )));
        }
        if action != expected {
            return Err(Disagreement(format!("{verdict:?} led to {}", action.name())));
        }
        Ok((verdict, action))
    }

    /// Judges frames whose verdicts do not matter, but for what they leave behind.
    pub(crate) fn judge_all(&mut self, frames: &[Vec<u8>]) {
        for frame in frames {
            let _ = self.judge(frame).unwrap_or_else(|wrong| panic!("{wrong}"));
        }
    }

    /// Makes sure that every frame was counted once, and nowhere but where it was looked for.
    pub(crate) fn counts_nothing_else(&mut self) {
        let counted = self.kernel.readings().counters().unwrap();
        let packets: u64 = counted.iter().map(|row| row.counter.packets).sum();
        assert_eq!(packets, self.judged, "frames are counted twice or not at all");
    }

    /// Every verdict whose counter grows by `frame`.
    fn counted_for(&mut self, frame: &[u8]) -> Vec<(Verdict, (u64, u64))> {
        let counted = self.kernel.readings().counters().unwrap();
        let before = |verdict| {
            let row = counted.iter().find(|row| row.verdict == verdict);
            row.map(|row| row.counter).unwrap_or_default()
        };
        self.object.judge(frame).unwrap();
        self.judged += 1;
        let rows = self.kernel.readings().counters().unwrap().into_iter();
        rows.map(|row| (row.verdict, growth(before(row.verdict), row.counter)))
            .filter(|(_, (packets, _))| *packets > 0)
            .collect()
    }
}

fn growth(before: Counter, after: Counter) -> (u64, u64) {
    (after.packets - before.packets, after.bytes - before.bytes)
}
