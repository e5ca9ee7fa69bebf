//! What SIGHUP has read anew.

use std::sync::Arc;

use tokio::signal::unix::Signal;
use tokio::sync::Notify;

use super::certificates::{Certificates, hardly_meant};
use super::users::UsersRenewal;
use crate::border::Border;
use crate::config::Config;
use crate::kernel::KernelTables;

/// What is read anew when the operator says so.
pub(super) struct Renewed {
    pub(super) certificates: Certificates,
    pub(super) users: Option<UsersRenewal>,
    /// Has the directory asked.
    pub(super) people: Option<Arc<Notify>>,
}

impl Renewed {
    /// Reads the certificates and the users anew, asks the directory, and ends all bans, whenever we are told to, by
    /// SIGHUP. What is wrong with one of them is no reason to go on with the others as they were.
    pub(super) async fn renew_at(
        self,
        mut hang_up: Signal,
        config: Arc<Config>,
        border: Arc<Border<KernelTables>>,
    ) {
        let Self { certificates, users, people } = self;
        let certificates = Arc::new(certificates);
        while hang_up.recv().await.is_some() {
            let (certificates, border) = (Arc::clone(&certificates), Arc::clone(&border));
            let config = Arc::clone(&config);
            let renewed = tokio::task::spawn_blocking(move || {
                border.lift_bans(None);
                match renew_certificates(&certificates, &config, &border) {
                    Ok(()) => tracing::info!("the certificates were read anew"),
                    Err(error) => tracing::error!("{error:#}"),
                }
            });
            if let Some(users) = &users {
                users.ask();
            }
            if let Some(people) = &people {
                people.notify_one();
            }
            if let Err(error) = renewed.await {
                tracing::error!(%error, "reading the files anew failed");
            }
        }
    }
}

fn renew_certificates(
    certificates: &Certificates,
    config: &Config,
    border: &Border<KernelTables>,
) -> anyhow::Result<()> {
    certificates.renew(border)?;
    for warning in hardly_meant(config)? {
        tracing::warn!("{warning}");
    }
    Ok(())
}
