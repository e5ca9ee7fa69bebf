use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use sbc_common::MonotonicNanos;

use super::{Heard, HeldBack, Terms, Trouble, after};
use crate::config::PeerName;

/// How many addresses that are held back a name remembers.
pub(super) const MOST_HELD: usize = 32;
/// Between two looks at a name, whatever the DNS says.
const SHORTEST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_hours(1);
/// After a look that brought nothing.
const PAUSE: Duration = Duration::from_secs(10);
/// The least before a new address is looked at again.
const SOON: Duration = Duration::from_secs(1);

/// A name, and what the DNS has said of it.
pub(super) struct Name {
    /// The position of its peer.
    pub(super) peer: usize,
    pub(super) host: PeerName,
    pub(super) known: BTreeMap<IpAddr, Known>,
    pub(super) held: BTreeMap<IpAddr, Held>,
    /// When it is looked up again.
    pub(super) due: MonotonicNanos,
    pub(super) trouble: Option<Trouble>,
}

/// An address that is believed to be the peer's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// Since when.
    pub(super) since: MonotonicNanos,
    /// When the DNS gave it last.
    pub(super) seen: MonotonicNanos,
    /// When the DNS first did not, if it has not since.
    pub(super) left: Option<MonotonicNanos>,
}

/// An address that is not, or not yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) why: HeldBack,
    /// When it was given the first of these times.
    pub(super) since: MonotonicNanos,
    pub(super) seen: MonotonicNanos,
    /// How often it was given since an answer did not have it.
    looks: u32,
}

impl Known {
    pub(super) fn until(&self, terms: &Terms) -> MonotonicNanos {
        let left = self.left.map(|left| after(left, terms.grace));
        let unheard = after(self.seen, terms.longest_silence);
        left.map_or(unheard, |left| left.min(unheard))
    }
}

impl Held {
    fn is_confirmed(&self, terms: &Terms, now: MonotonicNanos) -> bool {
        is_confirmed(self.looks, self.since, terms, now)
    }
}

/// Says whether so many looks, the first of them then, are enough to believe an address.
fn is_confirmed(looks: u32, since: MonotonicNanos, terms: &Terms, now: MonotonicNanos) -> bool {
    looks >= 2 && after(since, terms.confirm) <= now
}

impl Name {
    pub(super) fn new(peer: usize, name: PeerName) -> Self {
        Self {
            peer,
            host: name,
            known: BTreeMap::new(),
            held: BTreeMap::new(),
            due: MonotonicNanos(0),
            trouble: None,
        }
    }

    /// Takes note of one address of an answer. `objection` says what speaks against it, whatever was before;
    /// `is_first` that the peer has no other address that a new one could take the place of. Returns whether it
    /// is believed from now on, or is held back from now on for this reason.
    pub(super) fn note(
        &mut self,
        address: IpAddr,
        objection: Option<HeldBack>,
        is_first: bool,
        terms: &Terms,
        now: MonotonicNanos,
    ) -> Noted {
        if let Some(known) = self.known.get_mut(&address) {
            known.seen = now;
            known.left = None;
            return Noted::AsBefore;
        }
        let before = self.held.get(&address).copied();
        let looks = before.map_or(0, |held| held.looks).saturating_add(1);
        let since = before.filter(|held| held.looks > 0).map_or(now, |held| held.since);
        let is_confirmed = is_confirmed(looks, since, terms, now);
        let why = if let Some(objection) = objection {
            objection
        } else if self.known.len() >= terms.most_addresses {
            HeldBack::TooMany
        } else if is_first || is_confirmed {
            self.held.remove(&address);
            self.known.insert(address, Known { since: now, seen: now, left: None });
            return Noted::Believed;
        } else {
            HeldBack::New
        };
        if before.is_none() && self.held.len() >= MOST_HELD {
            return Noted::AsBefore;
        }
        self.held.insert(address, Held { why, since, seen: now, looks });
        if before.is_some_and(|held| held.why == why) { Noted::AsBefore } else { Noted::Held(why) }
    }

    /// Takes note of what an answer does not have. One that says nothing that is believed takes nothing away:
    /// neither that there is no such name, nor who lies about all of it.
    pub(super) fn miss(&mut self, heard: &Heard, terms: &Terms, now: MonotonicNanos) {
        // What would be believed if those that are gone had left it room says something as well.
        let lacks_room =
            |held: &Held| held.why == HeldBack::TooMany && held.is_confirmed(terms, now);
        let is_believed = |address: &IpAddr| {
            self.known.contains_key(address) || self.held.get(address).is_some_and(lacks_room)
        };
        if !heard.addresses.iter().any(is_believed) {
            self.trouble = Some(if heard.addresses.is_empty() {
                Trouble::NoAddress
            } else {
                Trouble::NothingBelieved
            });
            return;
        }
        self.trouble = (!heard.is_whole).then_some(Trouble::InPart);
        if heard.is_whole {
            // Of two servers one may be cheated: what the other does not give has to be given twice anew.
            for (address, held) in &mut self.held {
                if !heard.addresses.contains(address) {
                    held.looks = 0;
                }
            }
            for (address, known) in &mut self.known {
                if !heard.addresses.contains(address) {
                    known.left.get_or_insert(now);
                }
            }
        }
    }

    /// Sets when it is looked up again: as the DNS says, and sooner if an address waits to be seen again.
    pub(super) fn plan(&mut self, lasts: Option<Duration>, terms: &Terms, now: MonotonicNanos) {
        let is_good = matches!(self.trouble, None | Some(Trouble::InPart));
        let lasts = lasts.filter(|_| is_good).unwrap_or(PAUSE);
        let longest = LONGEST.min(terms.longest_silence / 2).max(SHORTEST);
        let due = after(now, lasts.clamp(SHORTEST, longest));
        let waiting = self.held.values().filter(|it| it.why == HeldBack::New && it.looks > 0);
        // For what could have been given again by now, and was not, nobody looks sooner.
        let confirmed = waiting.map(|held| after(held.since, terms.confirm)).filter(|at| *at > now);
        let is_full = self.held.values().any(|held| held.why == HeldBack::TooMany);
        let leaving = self.known.values().filter(|known| is_full && known.left.is_some());
        let next = confirmed.chain(leaving.map(|known| known.until(terms))).min();
        self.due = next.map_or(due, |next| due.min(next.max(after(now, SOON))));
    }

    /// Forgets what is over; returns the addresses that are not the peer's by this name any more.
    pub(super) fn forget(&mut self, terms: &Terms, now: MonotonicNanos) -> Vec<IpAddr> {
        self.held.retain(|_, held| after(held.seen, terms.grace) > now);
        let over = self.known.iter().filter(|(_, known)| known.until(terms) <= now);
        let over: Vec<_> = over.map(|(address, _)| *address).collect();
        for address in &over {
            self.known.remove(address);
        }
        over
    }
}

/// What became of one address of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    AsBefore,
    Believed,
    Held(HeldBack),
}
