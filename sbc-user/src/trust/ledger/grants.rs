use std::collections::{HashMap, HashSet};
use std::ops::Deref;
use std::sync::Arc;

use sbc_common::Lane;

use super::{Grant, Place};
use crate::trust::{Acquaintances, Holder};

/// All grants by their place, and the counts by which strangers are told from those who have one.
pub(super) struct Grants {
    by_place: HashMap<Place, Grant>,
    on_probation: usize,
    banned: HashSet<Place>,
    acquaintances: Arc<Acquaintances>,
}

impl Grants {
    pub(super) fn new() -> Self {
        Self {
            by_place: HashMap::new(),
            on_probation: 0,
            banned: HashSet::new(),
            acquaintances: Arc::new(Acquaintances::new()),
        }
    }

    pub(super) const fn acquaintances(&self) -> &Arc<Acquaintances> {
        &self.acquaintances
    }

    pub(super) fn insert(&mut self, place: Place, grant: Grant) -> Option<Grant> {
        self.on_probation += usize::from(is_on_probation(&grant));
        // Who is denied is nobody whom we know.
        let is_ban = is_ban(&grant);
        if !is_ban {
            self.acquaintances.add(&place);
        }
        let displaced = self.by_place.insert(place, grant);
        if let Some(displaced) = &displaced {
            self.uncount(&place, displaced);
        }
        if is_ban {
            self.banned.insert(place);
        }
        displaced
    }

    pub(super) fn remove(&mut self, place: &Place) -> Option<Grant> {
        let removed = self.by_place.remove(place)?;
        self.uncount(place, &removed);
        Some(removed)
    }

    fn uncount(&mut self, place: &Place, gone: &Grant) {
        self.on_probation -= usize::from(is_on_probation(gone));
        if !self.banned.remove(place) {
            self.acquaintances.remove(place);
        }
    }

    /// The places that are banned.
    pub(super) const fn banned(&self) -> &HashSet<Place> {
        &self.banned
    }

    /// How many there are whose lane is that of probation.
    pub(super) const fn on_probation(&self) -> usize {
        self.on_probation
    }

    /// The lane of a grant is not to be changed by this.
    pub(super) fn get_mut(&mut self, place: &Place) -> Option<&mut Grant> {
        self.by_place.get_mut(place)
    }
}

fn is_ban(grant: &Grant) -> bool {
    grant.holder == Holder::Offender
}

fn is_on_probation(grant: &Grant) -> bool {
    grant.lane == Lane::Probation
}

impl Deref for Grants {
    type Target = HashMap<Place, Grant>;

    fn deref(&self) -> &HashMap<Place, Grant> {
        &self.by_place
    }
}

impl Extend<(Place, Grant)> for Grants {
    fn extend<I: IntoIterator<Item = (Place, Grant)>>(&mut self, grants: I) {
        for (place, grant) in grants {
            self.insert(place, grant);
        }
    }
}
