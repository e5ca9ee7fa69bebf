use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use tokio::sync::mpsc;

use super::{Moment, Sample, SampleFilter};

/// The last samples, and who watches for the next ones.
#[derive(Debug, Default)]
pub struct SampleLog {
    kept: Mutex<Kept>,
    read: AtomicU64,
    unreadable: AtomicU64,
    missed: AtomicU64,
}

#[derive(Debug, Default)]
struct Kept {
    /// The oldest first.
    recent: VecDeque<Arc<Sample>>,
    watchers: Vec<Watcher>,
}

#[derive(Debug)]
struct Watcher {
    filter: SampleFilter,
    queue: mpsc::Sender<Arc<Sample>>,
    missed: Arc<AtomicU64>,
}

/// Somebody's view of the samples, until it is dropped.
#[derive(Debug)]
pub struct Watch {
    /// Those that were there before, the oldest first.
    pub recent: Vec<Arc<Sample>>,
    /// Those that come. One that finds [`SampleLog::WAITING`] others waiting is missed.
    pub queue: mpsc::Receiver<Arc<Sample>>,
    missed: Arc<AtomicU64>,
}

/// As many as may watch do so already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{} captures run already, which is as many as may", SampleLog::MOST_WATCHERS)]
pub struct TooManyWatchers;

impl SampleLog {
    /// How many samples are kept. The oldest makes room.
    pub const KEPT: usize = 4096;
    /// How many may watch at a time.
    pub const MOST_WATCHERS: usize = 4;
    /// How many samples wait for one who watches.
    pub const WAITING: usize = 256;

    /// Takes a record of the kernel's ring: keeps it and shows it to those who watch, without waiting for
    /// any of them. A question that was put to the filter is no sample.
    pub fn record(&self, record: &[u8], now: Moment) -> Option<Arc<Sample>> {
        let sample = match Sample::read(record, now) {
            Ok(sample) if sample.is_question() => return None,
            Ok(sample) => Arc::new(sample),
            Err(error) => {
                self.unreadable.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%error, "a sample cannot be read");
                return None;
            }
        };
        self.read.fetch_add(1, Ordering::Relaxed);
        let mut kept = self.kept();
        kept.watchers.retain(|watcher| {
            if !watcher.filter.wants(&sample) {
                return !watcher.queue.is_closed();
            }
            match watcher.queue.try_send(Arc::clone(&sample)) {
                Ok(()) => true,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    watcher.missed.fetch_add(1, Ordering::Relaxed);
                    self.missed.fetch_add(1, Ordering::Relaxed);
                    true
                }
                Err(mpsc::error::TrySendError::Closed(_)) => false,
            }
        });
        if kept.recent.len() >= Self::KEPT {
            kept.recent.pop_front();
        }
        kept.recent.push_back(Arc::clone(&sample));
        Some(sample)
    }

    /// Shows the samples that `filter` wants from now on, and with `recent` those that are kept. None is
    /// left out in between.
    pub fn watch(&self, filter: SampleFilter, recent: bool) -> Result<Watch, TooManyWatchers> {
        let mut kept = self.kept();
        kept.watchers.retain(|watcher| !watcher.queue.is_closed());
        if kept.watchers.len() >= Self::MOST_WATCHERS {
            return Err(TooManyWatchers);
        }
        let wanted = kept.recent.iter().filter(|sample| recent && filter.wants(sample));
        let recent = wanted.cloned().collect();
        let (sender, queue) = mpsc::channel(Self::WAITING);
        let missed = Arc::default();
        kept.watchers.push(Watcher { filter, queue: sender, missed: Arc::clone(&missed) });
        Ok(Watch { recent, queue, missed })
    }

    /// Ends what everybody watches: there will be no more samples.
    pub fn dismiss_watchers(&self) {
        self.kept().watchers.clear();
    }

    /// The last samples from an address, and a port of it if one is named: the latest first, at most
    /// `most`.
    #[must_use]
    pub fn last_of(&self, address: IpAddr, port: Option<u16>, most: usize) -> Vec<Arc<Sample>> {
        let is_of = |sample: &&Arc<Sample>| {
            sample.source().is_some_and(|source| {
                source.ip() == address && port.is_none_or(|port| source.port() == port)
            })
        };
        self.kept().recent.iter().rev().filter(is_of).take(most).cloned().collect()
    }

    /// The last samples: the latest first, at most `most`.
    #[must_use]
    pub fn last(&self, most: usize) -> Vec<Arc<Sample>> {
        self.kept().recent.iter().rev().take(most).cloned().collect()
    }

    /// How many samples were read.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// How many records of the kernel's ring were none.
    #[must_use]
    pub fn unreadable(&self) -> u64 {
        self.unreadable.load(Ordering::Relaxed)
    }

    /// How many samples those who watch were too slow for, all of them together.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// How many samples came while too many were waiting.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}
