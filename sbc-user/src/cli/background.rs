//! What goes on in the background under one configuration, and ends with it.

use std::sync::Arc;

use tokio::task::AbortHandle;

use super::directory::Inquirer;
use super::names::NameWatch;
use super::users::{OpenStore, UsersRenewal};
use crate::border::Border;
use crate::directory::Source;
use crate::kernel::KernelTables;
use crate::upstream::{Directory, Dns};

/// Whoever keeps up to date what a configuration names; dropped, they end.
pub(super) struct Background {
    /// Ends when it is dropped.
    _users: Option<UsersRenewal>,
    others: Vec<AbortHandle>,
    /// The targets that they look after.
    pub(super) targets: Arc<Directory>,
}

impl Background {
    /// Begins to look names and users up, to ask the directory, whose first answer is believed if the operator knows
    /// it, and to look after the targets.
    pub(super) async fn start(
        border: &Arc<Border<KernelTables>>,
        (names, users): (Option<NameWatch>, Option<OpenStore>),
        (directory, is_believed): (Option<Source>, bool),
        (targets, dns): (Directory, Option<Dns>),
    ) -> anyhow::Result<Self> {
        let mut others = Vec::new();
        others.extend(names.map(|names| names.start(Arc::clone(border))));
        let users = users.map(|store| {
            store.keep_reading(Arc::clone(border.shared_config()), Arc::clone(border))
        });
        let users = users.transpose()?;
        others.extend(Inquirer::start(directory, Arc::clone(border), is_believed).await);
        let targets = Arc::new(targets);
        let looked_after = Arc::clone(&targets);
        let looking = tokio::spawn(async move {
            let resolving = async {
                if let Some(dns) = &dns {
                    looked_after.keep_resolving(dns).await;
                }
            };
            tokio::join!(looked_after.keep_asking(), resolving);
        });
        others.push(looking.abort_handle());
        Ok(Self { _users: users, others, targets })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.others.iter().for_each(AbortHandle::abort);
    }
}
