//! The users that the configuration names, and how they are read anew.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
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
        let (end, ended) = sync_channel(0);
        let keeper = UsersKeeper { config, border, store: self.store, version: self.version };
        thread::Builder::new()
            .name("sbc-users".to_owned())
            .spawn(move || keeper.keep_reading(&ended))
            .context("starting the thread that reads users")?;
        Ok(UsersRenewal { _end: end })
    }
}

/// Ends the reading of users when it is dropped.
pub(super) struct UsersRenewal {
    _end: SyncSender<Infallible>,
}

struct UsersKeeper<T> {
    config: Arc<Config>,
    border: Arc<Border<T>>,
    store: Box<dyn Store>,
    version: Option<Version>,
}

impl<T: TrustTable> UsersKeeper<T> {
    fn keep_reading(mut self, ended: &Receiver<Infallible>) {
        let Some(refresh) = self.config.users.as_ref().map(config::Users::refresh) else { return };
        let mut failures = 0;
        loop {
            match ended.recv_timeout(pause(refresh, failures)) {
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            failures = if self.look() { 0 } else { failures.saturating_add(1) };
        }
    }

    /// All users of the store are in force when this returns, or if anything is wrong with one of them nothing has
    /// changed. Says in the log which, but not twice the same; returns whether the store could be read.
    fn look(&mut self) -> bool {
        match self.read() {
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
                if self.border.keep_users(format!("{error:#}")) {
                    tracing::error!("the users stay as they were: {error:#}");
                }
                false
            }
        }
    }

    fn read(&self) -> Result<Option<Snapshot>, StoreError> {
        match &self.version {
            Some(known) => self.store.read_changed(known),
            None => self.store.read().map(Some),
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
    // Without names, which may be numbers of subscribers: the log gets this too.
    let lacking = functions.filter_map(|function| {
        let count = users.lacking(function).count();
        (count > 0).then(|| {
            format!(
                "users without a hash for {function}: {count}, whose phones are refused if they prefer it; \
                 `sbc user list` shows who has which"
            )
        })
    });
    lacking.collect()
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
