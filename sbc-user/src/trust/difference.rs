use std::cmp::Reverse;
use std::collections::HashMap;

use sbc_common::{Lane, MonotonicNanos, TrustEntry};

use super::TrustTable;
use super::row::Row;
use crate::kernel::KernelError;

/// How the tables of one policy become those of another while packets are judged by them.
///
/// The kernel asks the narrowest row first, and the first that has an opinion about a transport
/// decides. No packet gets a verdict that neither policy has for it, at no step, if
///
/// 1. what is new is entered from the narrowest row to the widest: a new row then finds every new row
///    that takes precedence over it in place, so where it decides it says what the new policy says;
///    where an old one decides, the old rows that take precedence over that are all there still;
/// 2. only then what is stale is removed, from the widest row to the narrowest: where a stale row
///    decides, the old rows that take precedence over it have not been touched.
///
/// A row of both policies gets its new value in the first half as far as that leaves no transport
/// without an opinion that had one: what the old value opens stays open until the second half, and a
/// source that was denied stays so. Otherwise the kernel would go on to a wider row, whose turn had
/// not come.
#[derive(Debug)]
pub(super) struct Difference {
    entered: Vec<(Row, TrustEntry)>,
    stale: Stale,
}

/// What the old policy's tables have and the new one's do not: to be removed when everything else that
/// the new policy says is in force.
#[derive(Debug)]
#[must_use = "what the new policy no longer trusts is trusted until it is removed"]
pub struct Stale(Vec<(Row, Option<TrustEntry>)>);

impl Difference {
    /// The steps from `held` to `wanted`.
    pub(super) fn between(
        held: &HashMap<Row, TrustEntry>,
        wanted: &HashMap<Row, TrustEntry>,
        now: MonotonicNanos,
    ) -> Self {
        let (mut entered, mut stale) = (Vec::new(), Vec::new());
        for (row, entry) in wanted {
            let held = held.get(row);
            let first = match held {
                None => *entry,
                Some(held) if held.is_expired(now) => bound_by_both(held, entry),
                Some(held) => both(held, entry),
            };
            if held != Some(&first) {
                entered.push((*row, first));
            }
            if first != *entry {
                stale.push((*row, Some(*entry)));
            }
        }
        let gone = held.keys().filter(|row| !wanted.contains_key(row));
        stale.extend(gone.map(|row| (*row, None)));
        entered.sort_by_key(|(row, _)| Reverse(row.narrowness()));
        stale.sort_by_key(|(row, _)| row.narrowness());
        Self { entered, stale: Stale(stale) }
    }

    /// Enters what is new, and returns what is stale.
    pub(super) fn enter<T: TrustTable>(self, table: &mut T) -> Result<Stale, KernelError> {
        self.entered.iter().try_for_each(|(row, entry)| row.write(table, entry))?;
        Ok(self.stale)
    }

    /// Enters what is new; what cannot all be entered is not.
    pub(super) fn enter_or_undo<T: TrustTable>(
        &self,
        held: &HashMap<Row, TrustEntry>,
        table: &mut T,
    ) -> Result<(), KernelError> {
        let entered = self.entered.iter().try_for_each(|(row, entry)| row.write(table, entry));
        entered.inspect_err(|_| self.undo(held, table))
    }

    /// Puts what was `held` in the place of what was entered, from the widest row to the narrowest. What fails is
    /// found out when it is written next.
    pub(super) fn undo<T: TrustTable>(&self, held: &HashMap<Row, TrustEntry>, table: &mut T) {
        for (row, _) in self.entered.iter().rev() {
            let _ = match held.get(row) {
                Some(entry) => row.write(table, entry),
                None => row.remove(table),
            };
        }
    }

    /// What is left to be removed once it was entered.
    pub(super) fn into_stale(self) -> Stale {
        self.stale
    }
}

impl Stale {
    /// Removes it.
    pub fn remove<T: TrustTable>(self, table: &mut T) -> Result<(), KernelError> {
        self.0.iter().try_for_each(|(row, entry)| match entry {
            Some(entry) => row.write(table, entry),
            None => row.remove(table),
        })
    }
}

/// An entry with the opinions of both.
fn both(old: &TrustEntry, new: &TrustEntry) -> TrustEntry {
    match (old.lane(), new.lane()) {
        (None, _) | (_, None | Some(Lane::Denied)) => *new,
        (Some(Lane::Denied), Some(_)) => *old,
        (Some(Lane::Probation), Some(_)) => bound_by_both(old, new),
        (Some(_), Some(Lane::Probation)) => bound_by_both(new, old),
        (Some(_), Some(_)) => {
            let mut both = bound_by_both(old, new);
            both.transports = old.transports.union(new.transports);
            both
        }
    }
}

/// The second entry; where one of the two asks for IPsec, also an expired one, what is in clear has to come
/// out of it until the end.
fn bound_by_both(one: &TrustEntry, other: &TrustEntry) -> TrustEntry {
    other.only_in_ipsec(one.is_only_in_ipsec() || other.is_only_in_ipsec())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};
    use std::net::IpAddr;

    use proptest::prelude::*;
    use sbc_common::{
        Address, AssociationKey, Budget, Datagram, FirstSeen, Gate, Meter, Packet, Prefix, Reason,
        Service, ServiceKey, Setting, SourceKey, Standing, StandingKind, Tables, Transports,
        look_up,
    };

    use super::*;

    const NOW: MonotonicNanos = MonotonicNanos(1000);
    const SOURCES: [&str; 3] = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"];
    const NETWORKS: [(&str, u8); 4] =
        [("2001:db8::", 32), ("2001:db8::", 64), ("2001:db8::", 127), ("2001:db8:0:1::1", 128)];
    const PORTS: [u16; 2] = [5060, 5070];

    /// Rows as the kernel's side of the contract asks for them.
    struct Rows(HashMap<Row, TrustEntry>);

    impl Tables for Rows {
        fn trusted_source(&self, source: &SourceKey) -> Option<TrustEntry> {
            self.0.get(&Row::Source(*source)).copied()
        }

        fn trusted_prefix(&self, source: &Address) -> Option<TrustEntry> {
            let around = self.0.iter().filter_map(|(row, entry)| match row {
                Row::Prefix(prefix) if prefix.contains(source) => Some((prefix.length, entry)),
                Row::Prefix(_) | Row::Source(_) => None,
            });
            around.max_by_key(|(length, _)| *length).map(|(_, entry)| *entry)
        }

        fn now(&self) -> MonotonicNanos {
            NOW
        }

        fn service(&self, _: &ServiceKey) -> Option<Service> {
            unreachable!()
        }
        fn protects(&self, _: &Address) -> bool {
            unreachable!()
        }
        fn association(&self, _: &AssociationKey) -> Option<Address> {
            unreachable!()
        }
        fn coarse(&self, _: u32) -> u64 {
            unreachable!()
        }
        fn filter(&self, _: u32) -> u64 {
            unreachable!()
        }
        fn setting(&self, _: Setting) -> u64 {
            unreachable!()
        }
        fn spend(&mut self, _: Meter, _: Budget) -> bool {
            unreachable!()
        }
        fn first_seen(&self, _: Datagram) -> FirstSeen {
            unreachable!()
        }
        fn remember(&mut self, _: Datagram, _: FirstSeen) {
            unreachable!()
        }
        fn returns_the_same_way(&self, _: &Packet) -> bool {
            unreachable!()
        }
        fn is_of_connection(&self, _: &Packet) -> bool {
            unreachable!()
        }
    }

    impl TrustTable for Rows {
        fn trust_source(&mut self, key: &SourceKey, entry: &TrustEntry) -> Result<(), KernelError> {
            self.0.insert(Row::Source(*key), *entry);
            Ok(())
        }
        fn distrust_source(&mut self, key: &SourceKey) -> Result<(), KernelError> {
            self.0.remove(&Row::Source(*key));
            Ok(())
        }
        fn sources(&self) -> Vec<(SourceKey, TrustEntry)> {
            unreachable!()
        }
        fn trust_prefix(&mut self, prefix: Prefix, entry: &TrustEntry) -> Result<(), KernelError> {
            self.0.insert(Row::Prefix(prefix), *entry);
            Ok(())
        }
        fn distrust_prefix(&mut self, prefix: Prefix) -> Result<(), KernelError> {
            self.0.remove(&Row::Prefix(prefix));
            Ok(())
        }
        fn prefixes(&self) -> Vec<(Prefix, TrustEntry)> {
            unreachable!()
        }
    }

    fn address(text: &str) -> Address {
        text.parse::<IpAddr>().unwrap().into()
    }

    fn every_row() -> Vec<Row> {
        let keys = SOURCES.iter().map(|source| address(source)).flat_map(|source| {
            let ports = PORTS.map(|port| SourceKey::new(source, port));
            ports.into_iter().chain([SourceKey::every_port(source), SourceKey::subnet(source)])
        });
        let networks = NETWORKS.iter().map(|(network, length)| {
            Row::Prefix(Prefix::new(network.parse().unwrap(), *length).unwrap())
        });
        let keys: HashSet<_> = keys.map(Row::Source).collect();
        let mut rows: Vec<_> = keys.into_iter().chain(networks).collect();
        rows.sort_by_key(|row| (row.narrowness(), format!("{row:?}")));
        rows
    }

    /// What becomes of a packet in clear on the wire.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum InClear {
        Passes,
        /// As a stranger's: perhaps it is challenged.
        Unknown,
        /// For good: its source is denied, or has to speak through IPsec.
        Dropped,
    }

    impl InClear {
        fn of(standing: &Standing) -> Self {
            match standing.kind {
                StandingKind::Trusted if standing.entry.is_only_in_ipsec() => Self::Dropped,
                StandingKind::Trusted => Self::Passes,
                StandingKind::Denied => Self::Dropped,
                StandingKind::Stranger | StandingKind::Unknown | StandingKind::Probation
                    if standing.refusal == Reason::ClearOutsideIpsec =>
                {
                    Self::Dropped
                }
                StandingKind::Stranger | StandingKind::Unknown | StandingKind::Probation => {
                    Self::Unknown
                }
            }
        }
    }

    /// Which of all packets pass, and which are those of a denied source.
    fn verdicts(rows: &Rows) -> BTreeMap<(usize, u16, u8), InClear> {
        let mut verdicts = BTreeMap::new();
        for (index, source) in SOURCES.iter().enumerate() {
            for port in [PORTS[0], PORTS[1], 1024] {
                for transport in [Transports::UDP, Transports::TCP] {
                    let gate = Gate { source: true, prefix: true };
                    let standing = look_up(rows, gate, address(source), port, transport);
                    verdicts.insert((index, port, transport.bits()), InClear::of(&standing));
                }
            }
        }
        verdicts
    }

    fn policy() -> impl Strategy<Value = HashMap<Row, TrustEntry>> {
        let entry = (0..5_u8, 0..4_u8, any::<bool>()).prop_map(|(kind, transports, expired)| {
            let expires_at = if expired { NOW.0 } else { TrustEntry::NEVER };
            let transports = Transports::from_bits(transports);
            match kind {
                0 => Some(TrustEntry::new(Lane::Denied, Transports::NONE, TrustEntry::NEVER, 0)),
                1 => Some(TrustEntry::new(Lane::Static, transports, TrustEntry::NEVER, 1)),
                2 => Some(TrustEntry::new(Lane::Tls, transports, expires_at, 2)),
                _ => None,
            }
        });
        let rows = every_row();
        let entries = prop::collection::vec(entry, rows.len());
        (entries, any::<bool>()).prop_map(move |(entries, is_guarded)| {
            let rows = rows.iter().copied().zip(entries);
            let rows = rows.filter_map(|(row, entry)| Some((row, entry?)));
            if is_guarded { rows.filter_map(guarded).collect() } else { rows.collect() }
        })
    }

    /// What stands in the row where the last of the sources has to speak through IPsec: nobody else has a
    /// network around it.
    fn guarded((row, entry): (Row, TrustEntry)) -> Option<(Row, TrustEntry)> {
        let guarded = address(SOURCES[2]);
        match row {
            Row::Source(key) if key.is_subnet() && key.address == guarded.subnet() => None,
            Row::Source(key) if key.address != guarded => Some((row, entry)),
            Row::Prefix(prefix) if !prefix.contains(&guarded) => Some((row, entry)),
            Row::Prefix(prefix) if prefix.length < 128 => None,
            Row::Source(_) | Row::Prefix(_) => Some((row, entry.only_in_ipsec(true))),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2048, ..ProptestConfig::default() })]

        #[test]
        fn at_every_step_every_packet_has_the_verdict_of_one_of_the_two_policies(
            old in policy(),
            new in policy(),
        ) {
            // What the new policy wants to be expired it does not want.
            let new: HashMap<_, _> =
                new.into_iter().filter(|(_, entry)| !entry.is_expired(NOW)).collect();
            let (before, after) = (verdicts(&Rows(old.clone())), verdicts(&Rows(new.clone())));
            let difference = Difference::between(&old, &new, NOW);
            let entered = difference.entered.iter().map(|(row, entry)| (*row, Some(*entry)));
            let steps: Vec<_> = entered.chain(difference.stale.0.iter().copied()).collect();
            let mut table = Rows(old.clone());
            for (row, entry) in steps {
                match entry {
                    Some(entry) => row.write(&mut table, &entry).unwrap(),
                    None => row.remove(&mut table).unwrap(),
                }
                for (packet, verdict) in verdicts(&table) {
                    let either = [before[&packet], after[&packet]];
                    prop_assert!(
                        either.contains(&verdict),
                        "{packet:?} is {verdict:?} after {row:?}, not {either:?}"
                    );
                }
            }
            prop_assert_eq!(&table.0, &new);
            let nothing = Difference::between(&new, &new, NOW);
            prop_assert!(nothing.entered.is_empty() && nothing.stale.0.is_empty());
        }
    }
}
