use std::sync::Arc;
use std::time::Duration;

use super::{Incarnation, NonceBinding, NonceKeys, NonceMint};
use crate::proof::users::{RealmUsers, Users};

/// What all nonces of a check have in common.
pub(super) struct Minting {
    pub(super) keys: NonceKeys,
    pub(super) incarnation: Incarnation,
    pub(super) binding: NonceBinding,
    pub(super) lifetime: Duration,
}

/// A snapshot of the users, and what mints nonces for the realms that they are in.
pub struct Realms {
    users: Arc<Users>,
    default: NonceMint,
    /// By the position of the realm among [`Users::others`].
    others: Vec<NonceMint>,
}

impl Realms {
    pub(super) fn new(users: Arc<Users>, minting: &Minting) -> Self {
        let Minting { keys, incarnation, binding, lifetime } = minting;
        let mint = |users: &RealmUsers| {
            NonceMint::new(keys, *incarnation, *binding, *lifetime, users.realm().clone())
        };
        Self {
            default: mint(users.default_realm()),
            others: users.others().iter().map(mint).collect(),
            users,
        }
    }

    /// The users.
    #[must_use]
    pub const fn users(&self) -> &Arc<Users> {
        &self.users
    }

    /// The realm of the first of these domains that is ours, or the default one.
    pub(super) fn realm_of<'a>(
        &self,
        domains: impl IntoIterator<Item = &'a [u8]>,
    ) -> (&NonceMint, &RealmUsers) {
        let found = || domains.into_iter().find_map(|domain| self.users.position_at(domain));
        // Where there is but one there is nothing to look for.
        let position = if self.others.is_empty() { None } else { found().flatten() };
        let other =
            position.and_then(|at| Some((self.others.get(at)?, self.users.others().get(at)?)));
        other.unwrap_or((&self.default, self.users.default_realm()))
    }
}
