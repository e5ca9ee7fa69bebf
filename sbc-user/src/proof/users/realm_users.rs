use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::Arc,
};

use super::User;
use crate::proof::digest::{HashFunction, HashValue, Realm};

/// The users of one realm.
pub struct RealmUsers {
    realm: Realm,
    domains: Vec<String>,
    /// The standard hasher is seeded at random: names to look up come from strangers.
    by_name: HashMap<Box<[u8]>, Arc<User>>,
    /// By what a client may send instead of the name.
    by_hash: HashMap<(HashFunction, [u8; 32]), Arc<User>>,
}

impl RealmUsers {
    pub(super) fn new(realm: Realm) -> Self {
        let domains = vec![realm.as_str().to_ascii_lowercase()];
        Self { realm, domains, by_name: HashMap::new(), by_hash: HashMap::new() }
    }

    /// The realm that every HA1 was made for.
    #[must_use]
    pub const fn realm(&self) -> &Realm {
        &self.realm
    }

    /// Its domains in lower case; the first is its own name.
    #[must_use]
    pub fn domains(&self) -> &[String] {
        &self.domains
    }

    /// The user with exactly this name.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<&Arc<User>> {
        self.by_name.get(name)
    }

    /// The user whose name and realm have this hash (RFC 7616 §3.4.4), in hexadecimal digits.
    #[must_use]
    pub fn find_hashed(&self, function: HashFunction, digits: &[u8]) -> Option<&Arc<User>> {
        let hash = HashValue::from_hex(function, digits)?;
        self.by_hash.get(&(function, *hash.bytes()))
    }

    /// All of them, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<User>> {
        self.by_name.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The same realm with another in the place of each user, who has the same name.
    pub(super) fn map(&self, other: impl Fn(&Arc<User>) -> Arc<User>) -> Self {
        let by_name: HashMap<_, _> =
            self.by_name.iter().map(|(name, user)| (name.clone(), other(user))).collect();
        let named = |user: &User| by_name.get(user.name.as_str().as_bytes()).cloned();
        let by_hash = self.by_hash.iter();
        let by_hash = by_hash.filter_map(|(hash, user)| Some((*hash, named(user)?))).collect();
        Self { realm: self.realm.clone(), domains: self.domains.clone(), by_name, by_hash }
    }

    pub(super) fn add_domain(&mut self, domain: &str) {
        self.domains.push(domain.to_ascii_lowercase());
    }

    /// Adds a user unless there is one of that name; says whether it did.
    pub(super) fn add(&mut self, user: User) -> bool {
        let name = user.name.as_str().as_bytes();
        let Entry::Vacant(place) = self.by_name.entry(name.into()) else { return false };
        let hashes = HashFunction::ALL
            .map(|function| (function, *HashValue::of_user(function, name, &self.realm).bytes()));
        let user = place.insert(Arc::new(user));
        self.by_hash.extend(hashes.map(|hash| (hash, Arc::clone(user))));
        true
    }
}

impl fmt::Debug for RealmUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RealmUsers")
            .field("realm", &self.realm)
            .field("domains", &self.domains)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
