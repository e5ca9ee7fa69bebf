//! The users that the configuration names, and how they are read anew.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;

use crate::border::{Border, Replaced};
use crate::config::{self, Config};
use crate::proof::digest::{Algorithm, HashFunction, OfferedAlgorithms};
use crate::proof::users::Users;
use crate::proof::users::store::{Snapshot, Store, StoreError, Version, store_at};
use crate::trust::TrustTable;

/// A store that cannot be read is asked again after twice as long each time, up to this, or the configured time
/// where that is longer.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How many warnings about users are told one by one.
const MOST_TOLD: usize = 20;

/// The users' store, and what was read of it.
pub(super) struct OpenStore {
    store: Box<dyn Store>,
    version: Option<Version>,
}

impl OpenStore {
    /// Reads all users, if the configuration names a store of any.
    pub(super) fn read(config: &Config) -> anyhow::Result<Option<(Arc<Users>, Self)>> {
        let Some(settings) = &config.users else { return Ok(None) };
        let Some(place) = settings.store.store() else { return Ok(None) };
        let store = store_at(place, &settings.postgres.clone().unwrap_or_default());
        let Snapshot { users, version } = store.read()?;
        Ok(Some((Arc::new(users), Self { store, version })))
    }

    /// Keeps the users in force up to date, from a thread of its own: nobody waits at the end for a store that does
    /// not answer.
    pub(super) fn keep_reading<T: TrustTable + Send + 'static>(
        self,
        config: Arc<Config>,
        border: Arc<Border<T>>,
    ) -> anyhow::Result<UsersRenewal> {
        border.users_are_current();
        let (ask, asked) = sync_channel(1);
        let keeper = UsersKeeper { config, border, store: self.store, version: self.version };
        thread::Builder::new()
            .name("sbc-users".to_owned())
            .spawn(move || keeper.keep_reading(&asked))
            .context("starting the thread that reads users")?;
        Ok(UsersRenewal(ask))
    }
}

/// Has the users read anew.
pub(super) struct UsersRenewal(SyncSender<()>);

impl UsersRenewal {
    /// At once, whether they have changed or not. Does not wait for it.
    pub(super) fn ask(&self) {
        match self.0.try_send(()) {
            // Who has not begun will see what there is now.
            Ok(()) | Err(TrySendError::Full(())) => {}
            Err(TrySendError::Disconnected(())) => {
                tracing::error!("the users stay as they were: nobody is there to read them");
            }
        }
    }
}

struct UsersKeeper<T> {
    config: Arc<Config>,
    border: Arc<Border<T>>,
    store: Box<dyn Store>,
    version: Option<Version>,
}

impl<T: TrustTable> UsersKeeper<T> {
    fn keep_reading(mut self, asked: &Receiver<()>) {
        let Some(refresh) = self.config.users.as_ref().map(config::Users::refresh) else { return };
        let mut failures = 0;
        loop {
            let is_asked = match asked.recv_timeout(pause(refresh, failures)) {
                Ok(()) => true,
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            failures = if self.look(is_asked) { 0 } else { failures.saturating_add(1) };
        }
    }

    /// All users of the store are in force when this returns, or if anything is wrong with one of them nothing has
    /// changed. Says in the log which, but not twice the same unless it was asked; returns whether the store could be
    /// read.
    fn look(&mut self, is_asked: bool) -> bool {
        match self.read(is_asked) {
            Ok(Some(Snapshot { users, version })) => {
                let users = Arc::new(users);
                let Replaced { disproved, shut } = self.border.replace_users(&users);
                for warning in without_hashes(&self.config, &users) {
                    tracing::warn!("{warning}");
                }
                self.version = version;
                tracing::info!(count = users.len(), disproved, shut, "the users were read anew");
                true
            }
            Ok(None) => {
                if self.border.is_missing_users() {
                    tracing::info!("the users can be read again, and are as they were");
                }
                self.border.users_are_current();
                true
            }
            Err(error) => {
                let error = anyhow::Error::from(error);
                if self.border.keep_users(format!("{error:#}")) || is_asked {
                    tracing::error!("the users stay as they were: {error:#}");
                }
                false
            }
        }
    }

    fn read(&self, is_asked: bool) -> Result<Option<Snapshot>, StoreError> {
        match &self.version {
            Some(known) if !is_asked => self.store.read_changed(known),
            Some(_) | None => self.store.read().map(Some),
        }
    }
}

/// How long to wait for the next look, after so many that failed.
fn pause(refresh: Duration, failures: u32) -> Duration {
    let longest = refresh.max(LONGEST_PAUSE);
    refresh.saturating_mul(2_u32.saturating_pow(failures)).min(longest)
}

/// The users who cannot answer a challenge that is offered.
pub(super) fn without_hashes(config: &Config, users: &Users) -> Vec<String> {
    let Some(settings) = &config.users else { return Vec::new() };
    let of_peers = config.peers.iter().filter_map(|peer| peer.algorithms.as_ref());
    let offered = of_peers.chain([&settings.algorithms]).flat_map(OfferedAlgorithms::iter);
    let functions: HashSet<_> = offered.map(Algorithm::function).collect();
    let functions = HashFunction::ALL.into_iter().filter(|it| functions.contains(it));
    let mut lacking = functions.flat_map(|function| {
        users.lacking(function).map(move |user| {
            let label = user.label();
            format!("user {label:?} has no hash for {function}: a phone that prefers it is refused")
        })
    });
    let mut told: Vec<String> = lacking.by_ref().take(MOST_TOLD).collect();
    let others = lacking.count();
    if others > 0 {
        told.push(format!("{others} more users lack a hash"));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_fails_is_asked_ever_less_often_and_at_least_every_minute() {
        let seconds = Duration::from_secs;
        for (refresh, failures, expected) in
            [(1, 0, 1), (1, 1, 2), (1, 5, 32), (1, 6, 60), (1, u32::MAX, 60), (300, 9, 300)]
        {
            assert_eq!(pause(seconds(refresh), failures), seconds(expected));
        }
    }
}
