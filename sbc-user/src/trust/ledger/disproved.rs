use sbc_common::{Lane, MonotonicNanos};

use super::Ledger;
use crate::kernel::KernelError;
use crate::trust::{Grant, Holder, Place, TrustTable};

impl<T: TrustTable> Ledger<T> {
    /// What these users have proved is no proof any more: what they hold is shut at once. So is what users
    /// proved before this process began, since nobody knows which of them did.
    ///
    /// Returns how many places were open for them.
    pub fn users_disproved(
        &mut self,
        is_gone: impl Fn(&str) -> bool,
        now: MonotonicNanos,
    ) -> (usize, Result<(), KernelError>) {
        let is_shut = |grant: &Grant| match &grant.holder {
            Holder::User(label) | Holder::Returning(label) => is_gone(label),
            Holder::Earlier => matches!(grant.lane, Lane::Digest | Lane::Probation),
            Holder::Peer(_) | Holder::Operator | Holder::Offender => false,
        };
        let shut = self.grants.iter().filter(|(_, grant)| is_shut(grant));
        let shut: Vec<Place> = shut.map(|(place, _)| *place).collect();
        // Every place, whatever fails.
        let mut done = Ok(());
        for place in &shut {
            done = done.and(self.end(*place, now));
        }
        (shut.len(), done)
    }
}
