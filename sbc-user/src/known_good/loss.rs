use sbc_common::{Carrier, Reason};

/// How often the filter dropped packets of a source for one reason, or would have, as far as it sampled them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Why.
    pub reason: Reason,
    /// What was carried.
    pub carrier: Carrier,
    /// Packets from where something was served, shortly before or after.
    pub served: u64,
    /// Packets that nothing came of: they may be forged.
    pub unserved: u64,
    /// The last of them, in seconds since 1970.
    pub last: u64,
}

/// The losses of one source, each reason and carrier once. When full, the one that was longest ago makes room.
#[derive(Clone, Debug, Default)]
pub(super) struct Losses(Vec<Loss>);

impl Losses {
    /// Reasons and carriers that are told apart.
    pub(super) const MOST: usize = 16;

    /// Adds what has happened up to `last`.
    pub(super) fn add(&mut self, more: Loss) {
        let is_same = |held: &&mut Loss| (held.reason, held.carrier) == (more.reason, more.carrier);
        if let Some(held) = self.0.iter_mut().find(is_same) {
            held.served = held.served.saturating_add(more.served);
            held.unserved = held.unserved.saturating_add(more.unserved);
            held.last = held.last.max(more.last);
            return;
        }
        if self.0.len() >= Self::MOST {
            let oldest = self.0.iter().enumerate().min_by_key(|(_, held)| held.last);
            if let Some((oldest, _)) = oldest {
                self.0.swap_remove(oldest);
            }
        }
        self.0.push(more);
    }

    /// Forgets what was before a time.
    pub(super) fn forget_before(&mut self, time: u64) {
        self.0.retain(|held| held.last >= time);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn all(&self) -> &[Loss] {
        &self.0
    }
}

/// Says whether a drop for this reason takes nothing away that would have been served.
pub(super) const fn is_harmless(reason: Reason) -> bool {
    // A segment of no connection gets a reset at best, and what does not begin like a request is a keepalive.
    matches!(reason, Reason::NoConnection | Reason::NotASipRequest)
}
