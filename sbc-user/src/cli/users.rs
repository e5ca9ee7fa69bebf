//! The users that the configuration names, and how they are read anew.

use std::collections::HashSet;
use std::sync::Arc;

use crate::border::{Border, Replaced};
use crate::config::Config;
use crate::proof::digest::{Algorithm, HashFunction, OfferedAlgorithms};
use crate::proof::users::Users;
use crate::trust::TrustTable;

/// Reads the users anew: all of them are in force when this returns, or if anything is wrong with one of them nothing
/// has changed. Says in the log which.
pub(super) fn renew_users<T: TrustTable>(config: &Config, border: &Border<T>) {
    let Some(settings) = &config.users else { return };
    match Users::load(&settings.store.path) {
        Ok(users) => {
            let users = Arc::new(users);
            let Replaced { disproved, shut } = border.replace_users(&users);
            for warning in without_hashes(config, &users) {
                tracing::warn!("{warning}");
            }
            tracing::info!(count = users.len(), disproved, shut, "the users were read anew");
        }
        Err(error) => {
            let error = anyhow::Error::from(error);
            border.keep_users(format!("{error:#}"));
            tracing::error!("the users stay as they were: {error:#}");
        }
    }
}

/// The users who cannot answer a challenge that is offered.
pub(super) fn without_hashes(config: &Config, users: &Users) -> Vec<String> {
    let Some(settings) = &config.users else { return Vec::new() };
    let of_peers = config.peers.iter().filter_map(|peer| peer.algorithms.as_ref());
    let offered = of_peers.chain([&settings.algorithms]).flat_map(OfferedAlgorithms::iter);
    let functions: HashSet<_> = offered.map(Algorithm::function).collect();
    let functions = HashFunction::ALL.into_iter().filter(|it| functions.contains(it));
    let lacking = functions.flat_map(|function| {
        users.lacking(function).map(move |user| {
            let label = user.label();
            format!("user {label:?} has no hash for {function}: a phone that prefers it is refused")
        })
    });
    lacking.collect()
}
