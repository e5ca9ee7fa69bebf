use std::time::Duration;

use sbc_common::{Lane, MonotonicNanos, Pace, Transports};

use super::{Ledger, after};
use crate::config::{Config, Peer, Proof, Users};
use crate::kernel::KernelError;
use crate::trust::pace::Paces;
use crate::trust::{Grant, Holder, Place, TrustTable};

impl<T: TrustTable> Ledger<T> {
    /// Takes over what a previous run left and this policy would grant: proofs by digest, and proofs by
    /// TLS of a peer that still stands where it stood and vouches for the network. Everything else is
    /// removed, except what is about to be replaced.
    pub(super) fn adopt(
        &mut self,
        config: &Config,
        lasting: &[(Place, Grant)],
        now: MonotonicNanos,
    ) -> Result<(), KernelError> {
        for (key, entry) in self.table.sources() {
            let place = Place::of_key(&key);
            let lifetime = config.users.as_ref().map(Users::lifetime).filter(|_| {
                entry.lane() == Some(Lane::Digest)
                    && matches!(place, Place::Port(_))
                    && !self.is_denied(place)
                    && !entry.is_expired(now)
            });
            match lifetime {
                Some(lifetime) => {
                    let expires_at = after(now, lifetime).0.min(entry.expires_at);
                    let grant =
                        earlier(Holder::Earlier, Lane::Digest, entry.transports, expires_at);
                    let budget = self.paces.of_source(place);
                    self.enter(place, Grant { pace: budget, ..grant })?;
                }
                None => self.table.distrust_source(&key)?,
            }
        }
        for (prefix, entry) in self.table.prefixes() {
            let place = Place::Network(prefix);
            let vouches = |(position, peer): &(usize, &Peer)| {
                peer.requires(Proof::Tls)
                    && Holder::Peer(*position).number() == entry.peer
                    && peer.sources.iter().any(|network| network.prefix() == prefix)
            };
            let owner = config
                .peers
                .iter()
                .enumerate()
                .find(vouches)
                .filter(|_| entry.lane() == Some(Lane::Tls) && !entry.is_expired(now));
            if let Some((position, peer)) = owner {
                let expires_at = after(now, peer.lifetime()).0.min(entry.expires_at);
                let transports = entry.transports.intersection(peer.opens());
                let grant = earlier(Holder::Peer(position), Lane::Tls, transports, expires_at);
                let budget = Paces::of_peer(position, peer);
                self.enter(place, Grant { pace: budget, ..grant })?;
            } else if lasting.iter().all(|(lasting, _)| *lasting != place) {
                self.table.distrust_prefix(prefix)?;
            }
        }
        Ok(())
    }
}

fn earlier(holder: Holder, lane: Lane, transports: Transports, expires_at: u64) -> Grant {
    Grant {
        holder,
        lane,
        transports,
        expires_at: MonotonicNanos(expires_at),
        connections: 0,
        lifetime: Duration::ZERO,
        pace: Pace::UNLIMITED,
    }
}
