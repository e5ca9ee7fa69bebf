use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sbc_common::{Carrier, MonotonicNanos, Reason};

use super::loss::{Loss, Losses};
use super::table::{Account, Served, Service};
use crate::samples::Moment;

/// How long before and after something was served a packet from there is taken for part of it: about as long as a
/// phone rings.
pub(super) const WINDOW: Duration = Duration::from_mins(5);
/// Ports where something was served of late that are remembered; the oldest makes room.
pub(super) const MOST_FLOWS: usize = 8;
/// Drops that something may yet come of; the oldest makes room, and nothing came of it.
pub(super) const MOST_SUSPECTS: usize = 16;

/// A packet that was dropped, or would have been.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suspect {
    pub(super) port: u16,
    pub(super) carrier: Carrier,
    pub(super) reason: Reason,
    pub(super) at: Moment,
}

/// One address that was served.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) holder: Arc<str>,
    /// When the holder was looked up.
    pub(super) held_since: MonotonicNanos,
    pub(super) calls: u64,
    pub(super) registrations: u64,
    /// In seconds since 1970.
    pub(super) last_good: u64,
    /// The last call, by a hash: its answer may be repeated.
    last_call: Option<u64>,
    /// Where something was served of late, the oldest first.
    flows: VecDeque<(u16, Carrier, MonotonicNanos)>,
    /// The oldest first.
    suspects: VecDeque<Suspect>,
    pub(super) losses: Losses,
}

impl Suspect {
    fn loss(&self, is_served: bool) -> Loss {
        Loss {
            reason: self.reason,
            carrier: self.carrier,
            served: u64::from(is_served),
            unserved: u64::from(!is_served),
            last: self.at.wall / 1_000_000_000,
        }
    }
}

impl Source {
    pub(super) fn of(holder: Arc<str>, now: Moment) -> Self {
        Self {
            holder,
            held_since: now.monotonic,
            calls: 0,
            registrations: 0,
            last_good: 0,
            last_call: None,
            flows: VecDeque::new(),
            suspects: VecDeque::new(),
            losses: Losses::default(),
        }
    }

    /// Takes note of what was served; what was dropped before from the same place was of it.
    pub(super) fn served(&mut self, served: &Served, now: Moment) {
        match served.what {
            Service::Call(call) if self.last_call == Some(call) => {}
            Service::Call(call) => {
                self.last_call = Some(call);
                self.calls = self.calls.saturating_add(1);
            }
            Service::Registration => self.registrations = self.registrations.saturating_add(1),
            Service::Other => {}
        }
        self.last_good = now.wall / 1_000_000_000;
        let (port, carrier) = (served.remote.port(), served.carrier());
        self.flows.retain(|flow| (flow.0, flow.1) != (port, carrier));
        if self.flows.len() >= MOST_FLOWS {
            self.flows.pop_front();
        }
        self.flows.push_back((port, carrier, now.monotonic));
        let losses = &mut self.losses;
        self.suspects.retain(|suspect| {
            let is_of_it = (suspect.port, suspect.carrier) == (port, carrier)
                && is_near(suspect.at.monotonic, now.monotonic);
            if is_of_it {
                losses.add(suspect.loss(true));
            }
            !is_of_it
        });
    }

    /// Takes note of a packet that was dropped, or would have been.
    pub(super) fn dropped(&mut self, suspect: Suspect) {
        let is_served = self.flows.iter().any(|(port, carrier, at)| {
            (*port, *carrier) == (suspect.port, suspect.carrier)
                && is_near(*at, suspect.at.monotonic)
        });
        if is_served {
            return self.losses.add(suspect.loss(true));
        }
        if self.suspects.len() >= MOST_SUSPECTS
            && let Some(oldest) = self.suspects.pop_front()
        {
            self.losses.add(oldest.loss(false));
        }
        self.suspects.push_back(suspect);
    }

    /// Forgets what was dropped.
    pub(super) fn forget_losses(&mut self) {
        self.losses.clear();
        self.suspects.clear();
    }

    /// Says whether nothing of it was dropped.
    pub(super) fn lost_nothing(&self) -> bool {
        self.losses.all().is_empty() && self.suspects.is_empty()
    }

    /// What is known, with drops that nothing has come of up to now.
    pub(super) fn account(&self, address: IpAddr) -> Account {
        let mut losses = self.losses.clone();
        for suspect in &self.suspects {
            losses.add(suspect.loss(false));
        }
        Account {
            address,
            holder: Arc::clone(&self.holder),
            calls: self.calls,
            registrations: self.registrations,
            last_good: Some(self.last_good),
            losses: losses.all().to_vec(),
        }
    }
}

fn is_near(one: MonotonicNanos, other: MonotonicNanos) -> bool {
    u128::from(one.0.abs_diff(other.0)) <= WINDOW.as_nanos()
}
