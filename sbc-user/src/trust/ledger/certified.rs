use std::collections::HashMap;
use std::sync::Arc;

use sbc_common::{Lane, MonotonicNanos};

use super::Ledger;
use crate::kernel::KernelError;
use crate::proof::tls::ShownCertificate;
use crate::transport::Dialed;
use crate::trust::{Place, TrustTable};

/// A certificate that was shown in a handshake.
#[derive(Clone, Debug)]
pub struct CertificateProof {
    /// The certificate.
    pub shown: Arc<ShownCertificate>,
    /// When its time is over.
    pub until: MonotonicNanos,
    /// Whom we had connected to, by whose rule it is judged; `None` for who had connected to us.
    pub dialed: Option<Dialed>,
}

/// What keeps the grants of TLS peers alive.
#[derive(Default)]
pub(super) struct Certified {
    connections: HashMap<u64, (CertificateProof, Vec<Place>)>,
    /// The last moment of the connected certificates of each place; no less than that.
    until: HashMap<Place, MonotonicNanos>,
    /// The proof of whom a place was open for last, who is no longer connected.
    pub(super) departed: HashMap<Place, CertificateProof>,
}

impl Certified {
    pub(super) fn connected(&mut self, connection: u64, place: Place, proof: &CertificateProof) {
        let (_, places) =
            self.connections.entry(connection).or_insert_with(|| (proof.clone(), Vec::new()));
        places.push(place);
        let until = self.until.entry(place).or_insert(proof.until);
        *until = proof.until.max(*until);
        self.departed.remove(&place);
    }

    /// Forgets a connection; returns what it showed and what it kept alive.
    pub(super) fn disconnected(
        &mut self,
        connection: u64,
    ) -> Option<(CertificateProof, Vec<Place>)> {
        self.connections.remove(&connection)
    }

    pub(super) fn departed(&mut self, place: Place, proof: &CertificateProof) {
        self.until.remove(&place);
        self.departed.insert(place, proof.clone());
    }

    /// When the last of the connected certificates of a place is over.
    pub(super) fn until(&self, place: &Place) -> MonotonicNanos {
        self.until.get(place).copied().unwrap_or(MonotonicNanos(0))
    }

    /// No connection keeps `place` alive any more.
    pub(super) fn give_up(&mut self, place: Place) {
        for (_, places) in self.connections.values_mut() {
            places.retain(|held| *held != place);
        }
    }

    fn review(&mut self) {
        self.until.clear();
        for (proof, places) in self.connections.values() {
            for place in places {
                let until = self.until.entry(*place).or_insert(proof.until);
                *until = proof.until.max(*until);
            }
        }
    }
}

impl<T: TrustTable> Ledger<T> {
    /// The certificate of the TLS connection of that number is no longer good: what it alone kept open is shut
    /// at once, whatever becomes of the connections that end by themselves.
    pub fn tls_disproved(
        &mut self,
        connection: u64,
        now: MonotonicNanos,
    ) -> Result<(), KernelError> {
        let mut done = Ok(());
        let Some((_, places)) = self.certified.disconnected(connection) else { return done };
        self.certified.review();
        for place in places {
            let Some(grant) = self.grants.get_mut(&place) else { continue };
            grant.connections = grant.connections.saturating_sub(1);
            let mut grant = grant.clone();
            grant.expires_at = grant.expires_at.min(self.certified.until(&place));
            done = done.and(match grant.connections {
                0 => self.end(place, now),
                _ => self.enter(place, grant, now),
            });
        }
        done
    }

    /// Forgets certificates that keep nothing open any more.
    pub(super) fn review_proofs(&mut self) {
        self.certified.review();
        let Self { certified, grants, .. } = self;
        certified.departed.retain(|place, _| {
            grants.get(place).is_some_and(|it| it.lane == Lane::Tls && it.connections == 0)
        });
    }
}
