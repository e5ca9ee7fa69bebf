use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sbc_common::{Action, Carrier};

use super::loss::{Loss, Losses, is_harmless};
use super::source::{Source, Suspect};
use crate::samples::{Moment, Sample};
use crate::transport::Transport;

/// For how long the holder of a source is not asked for again.
const HOLDER_HOLDS: Duration = Duration::from_mins(1);
/// Who is told for a source that no entry speaks for, or none any more.
const NAMELESS: &str = "no entry";
const DAY: u64 = 24 * 60 * 60;
/// How long losses are told, in seconds.
const LOSSES_LAST: u64 = 7 * DAY;
/// How long a source is known without being served, in seconds.
const SOURCES_LAST: u64 = 30 * DAY;

/// What was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// A call was answered, in either direction; told from others by a hash of its Call-ID.
    Call(u64),
    /// A registration was accepted.
    Registration,
    /// Another request was accepted.
    Other,
}

/// Something that was served to whoever is at an address and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// Where he is.
    pub remote: SocketAddr,
    /// What it went over.
    pub transport: Transport,
    /// What it was.
    pub what: Service,
}

impl Served {
    pub(super) const fn carrier(&self) -> Carrier {
        match self.transport {
            Transport::Udp => Carrier::Udp,
            Transport::Tcp => Carrier::Tcp,
            Transport::Tls => Carrier::Tls,
        }
    }
}

/// What is known of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The address; of a peer from which nothing was served, the last one that was dropped.
    pub address: IpAddr,
    /// Who it is, as in "peer NAME".
    pub holder: Arc<str>,
    /// Calls that were answered.
    pub calls: u64,
    /// Registrations that were accepted, renewals too.
    pub registrations: u64,
    /// When something was last served, in seconds since 1970; `None` if never.
    pub last_good: Option<u64>,
    /// What was dropped of it, or would have been.
    pub losses: Vec<Loss>,
}

impl Account {
    /// Says whether packets of something that was served were dropped, or would have been.
    #[must_use]
    pub fn is_hurt(&self) -> bool {
        self.losses.iter().any(|loss| loss.served > 0)
    }
}

/// Packets in the name of a configured peer, from addresses of it where nothing was served.
#[derive(Clone, Debug)]
struct Unserved {
    last_address: IpAddr,
    losses: Losses,
}

/// The known-good sources.
///
/// **When full**, the one that was served longest ago makes room: of its holder, who has a share, or of all.
#[derive(Debug, Default)]
pub struct KnownGood {
    sources: HashMap<IpAddr, Source>,
    of_holder: HashMap<Arc<str>, usize>,
    /// By the peer's name, of which there are as many as are configured.
    peers: HashMap<Arc<str>, Unserved>,
}

impl KnownGood {
    /// How many addresses are known at most.
    pub const CAPACITY: usize = 16_384;
    /// And of one holder: whoever may call from many addresses leaves room for others.
    pub const MOST_OF_A_HOLDER: usize = 256;

    /// Takes note of something that was served. A source that is new is asked for its holder, and for samples of its
    /// address and port; one that is known for its holder from time to time. `None` is a holder that cannot be told.
    pub fn served(
        &mut self,
        served: &Served,
        now: Moment,
        holder: impl FnOnce() -> Option<Arc<str>>,
        earlier: impl FnOnce() -> Vec<Arc<Sample>>,
    ) {
        let address = served.remote.ip();
        match self.sources.get_mut(&address) {
            Some(source) => {
                let age = now.monotonic.0.saturating_sub(source.held_since.0);
                let is_asked_for =
                    &*source.holder == NAMELESS || u128::from(age) > HOLDER_HOLDS.as_nanos();
                if is_asked_for && let Some(holder) = holder() {
                    source.held_since = now.monotonic;
                    if holder != source.holder {
                        let former = std::mem::replace(&mut source.holder, Arc::clone(&holder));
                        self.uncount(&former);
                        self.make_room_beside(&holder, address);
                        self.count(&holder);
                    }
                }
            }
            None if served.what == Service::Other => return,
            None => {
                let holder = holder().unwrap_or_else(|| NAMELESS.into());
                self.insert(address, Source::of(holder, now));
            }
        }
        let Some(source) = self.sources.get_mut(&address) else { return };
        if source.last_good == 0 {
            let suspects = earlier();
            for suspect in suspects.iter().rev().filter_map(|sample| suspect(sample)) {
                source.dropped(suspect.1);
            }
        }
        source.served(served, now);
    }

    /// Takes note of a frame that the filter judged, if it was dropped, or would have been: that of a known-good
    /// source, or of the peer that `peer` says an address is of.
    pub fn sampled(&mut self, sample: &Sample, peer: impl FnOnce(IpAddr) -> Option<Arc<str>>) {
        let Some((address, suspect)) = suspect(sample) else { return };
        if let Some(source) = self.sources.get_mut(&address) {
            return source.dropped(suspect);
        }
        let Some(name) = peer(address) else { return };
        let unserved = self.peers.entry(name);
        let unserved = unserved
            .or_insert_with(|| Unserved { last_address: address, losses: Losses::default() });
        unserved.last_address = address;
        unserved.losses.add(Loss {
            reason: suspect.reason,
            carrier: suspect.carrier,
            served: 0,
            unserved: 1,
            last: suspect.at.wall / 1_000_000_000,
        });
    }

    /// Forgets what was dropped, because another policy decides about it from now on.
    pub fn forget_losses(&mut self) {
        self.sources.values_mut().for_each(Source::forget_losses);
        self.peers.clear();
    }

    /// Forgets what is long ago. `now` is in seconds since 1970.
    pub fn forget_old(&mut self, now: u64) {
        let oldest = now.saturating_sub(LOSSES_LAST);
        for source in self.sources.values_mut() {
            source.losses.forget_before(oldest);
        }
        self.peers.retain(|_, peer| {
            peer.losses.forget_before(oldest);
            !peer.losses.all().is_empty()
        });
        let oldest = now.saturating_sub(SOURCES_LAST);
        let old = self.sources.iter().filter(|(_, source)| source.last_good < oldest);
        for address in old.map(|(address, _)| *address).collect::<Vec<_>>() {
            self.remove(address);
        }
    }

    /// How many sources are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Says whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Every source that was served.
    pub fn accounts(&self) -> impl Iterator<Item = Account> {
        self.sources.iter().map(|(address, source)| source.account(*address))
    }

    /// Those of whom anything was dropped, or would have been: who is hurt first, and of them the latest.
    #[must_use]
    pub fn losers(&self) -> Vec<Account> {
        let unserved = self.peers.iter().map(|(name, peer)| Account {
            address: peer.last_address,
            holder: Arc::clone(name),
            calls: 0,
            registrations: 0,
            last_good: None,
            losses: peer.losses.all().to_vec(),
        });
        let losers = self.sources.iter().filter(|(_, source)| !source.lost_nothing());
        let losers = losers.map(|(address, source)| source.account(*address));
        let mut losers: Vec<_> = losers.chain(unserved).collect();
        losers.sort_by_key(|account| {
            let last = account.losses.iter().map(|loss| loss.last).max().unwrap_or(0);
            (!account.is_hurt(), u64::MAX - last, account.address)
        });
        losers
    }

    /// Enters what was known before.
    pub fn remember(&mut self, account: Account, now: Moment) {
        let Some(last_good) = account.last_good.filter(|last| *last > 0) else { return };
        let mut source = Source::of(account.holder, now);
        (source.calls, source.registrations) = (account.calls, account.registrations);
        source.last_good = last_good;
        for loss in account.losses {
            source.losses.add(loss);
        }
        self.insert(account.address, source);
    }

    fn insert(&mut self, address: IpAddr, source: Source) {
        self.remove(address);
        self.make_room_beside(&source.holder, address);
        if self.sources.len() >= Self::CAPACITY {
            let all = self.sources.iter();
            if let Some(oldest) = oldest(all) {
                self.remove(oldest);
            }
        }
        self.count(&source.holder);
        self.sources.insert(address, source);
    }

    /// Has the holder forget one of his addresses other than this one if he has as many as may be.
    fn make_room_beside(&mut self, holder: &Arc<str>, address: IpAddr) {
        if self.of_holder.get(holder).is_none_or(|count| *count < Self::MOST_OF_A_HOLDER) {
            return;
        }
        let of_holder = self
            .sources
            .iter()
            .filter(|(other, source)| source.holder == *holder && **other != address);
        if let Some(oldest) = oldest(of_holder) {
            self.remove(oldest);
        }
    }

    fn remove(&mut self, address: IpAddr) {
        if let Some(removed) = self.sources.remove(&address) {
            self.uncount(&removed.holder);
        }
    }

    fn count(&mut self, holder: &Arc<str>) {
        let count = self.of_holder.entry(Arc::clone(holder)).or_default();
        *count = count.saturating_add(1);
    }

    fn uncount(&mut self, holder: &Arc<str>) {
        if let Some(count) = self.of_holder.get_mut(holder) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.of_holder.remove(holder);
            }
        }
    }
}

fn oldest<'a>(sources: impl Iterator<Item = (&'a IpAddr, &'a Source)>) -> Option<IpAddr> {
    sources.min_by_key(|(_, source)| source.last_good).map(|(address, _)| *address)
}

/// What a sample says of its source, if it was dropped or would have been, and may have been missed.
fn suspect(sample: &Sample) -> Option<(IpAddr, Suspect)> {
    let verdict = sample.verdict;
    if verdict.action() == Action::Pass || is_harmless(verdict.reason) {
        return None;
    }
    let source = sample.source()?;
    let at = Moment { wall: sample.at, monotonic: sample.monotonic };
    let (reason, carrier) = (verdict.reason, verdict.carrier);
    Some((source.ip().to_canonical(), Suspect { port: source.port(), carrier, reason, at }))
}
