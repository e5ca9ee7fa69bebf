use std::time::Duration;

use sbc_common::{MonotonicNanos, Transports};

use super::Border;
use super::parts::locked;
use crate::kernel::KernelTables;
use crate::proof::ipsec::{IpsecAccount, IpsecProof};
use crate::trust::{IPSEC_LIFETIME, Place, opened};

impl Border<KernelTables> {
    /// Takes note of how IPsec is. Said again before it is [`IPSEC_LIFETIME`] old, or nothing is known of it
    /// any more: neither here nor in the kernel.
    pub fn ipsec_is(&self, account: IpsecAccount) {
        let now = self.now();
        {
            let Some(mut ledger) = self.ledger_in_force() else { return };
            let tables = ledger.table_mut();
            // Before anybody is expected to come out of them.
            match tables.keep_associations(&account.associations) {
                Ok(0) => {}
                Ok(without_room) => tracing::warn!(
                    without_room,
                    "the filter has no room for all associations: ESP of some is dropped"
                ),
                Err(error) => self.report(Err(error)),
            }
            self.report(tables.know_associations_until(after(now, IPSEC_LIFETIME)));
            let written = ledger.ipsec_proven(&account.proofs, &self.config.peers, now);
            drop(ledger);
            self.report(written);
        }
        let mut before = locked(&self.ipsec);
        for proof in &account.proofs {
            let known = before.proofs.iter().find(|it| it.network == proof.network);
            if !known.is_some_and(|known| says_the_same(known, proof)) {
                self.tell_of(proof);
            }
        }
        *before = account;
    }

    /// Nothing is known of IPsec any more, so that it proves nothing, and the filter takes ESP of peers as
    /// it comes.
    pub fn ipsec_is_unknown(&self) {
        let written = {
            let Some(mut ledger) = self.ledger_in_force() else { return };
            let known = ledger.table_mut().know_associations_until(MonotonicNanos(0));
            known.and(ledger.ipsec_proven(&[], &self.config.peers, self.now()))
        };
        self.report(written);
        *locked(&self.ipsec) = IpsecAccount::default();
    }

    fn tell_of(&self, proof: &IpsecProof) {
        let peer = self.config.peers.get(proof.peer).map_or("?", |peer| &peer.name);
        let network = Place::Network(proof.network);
        if proof.transports != Transports::NONE {
            let over: Vec<_> = opened(proof.transports).collect();
            tracing::info!(peer, %network, ?over, "IPsec guards what comes from a peer");
        }
        if let Some(problem) = &proof.problem {
            tracing::warn!(peer, %network, "IPsec does not guard a peer: {problem}");
        }
    }
}

/// Associations come and go with every change of keys.
fn says_the_same(one: &IpsecProof, other: &IpsecProof) -> bool {
    (one.transports, &one.problem) == (other.transports, &other.problem)
}

fn after(now: MonotonicNanos, lifetime: Duration) -> MonotonicNanos {
    MonotonicNanos(now.0.saturating_add(u64::try_from(lifetime.as_nanos()).unwrap_or(u64::MAX)))
}
