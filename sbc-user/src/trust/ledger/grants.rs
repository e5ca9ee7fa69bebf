use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use super::{Grant, Place};
use crate::trust::Acquaintances;

/// All grants by their place, and the counts by which strangers are told from those who have one.
pub(super) struct Grants {
    by_place: HashMap<Place, Grant>,
    acquaintances: Arc<Acquaintances>,
}

impl Grants {
    pub(super) fn new() -> Self {
        Self { by_place: HashMap::new(), acquaintances: Arc::new(Acquaintances::new()) }
    }

    pub(super) const fn acquaintances(&self) -> &Arc<Acquaintances> {
        &self.acquaintances
    }

    pub(super) fn insert(&mut self, place: Place, grant: Grant) -> Option<Grant> {
        let displaced = self.by_place.insert(place, grant);
        if displaced.is_none() {
            self.acquaintances.add(&place);
        }
        displaced
    }

    pub(super) fn remove(&mut self, place: &Place) -> Option<Grant> {
        let removed = self.by_place.remove(place)?;
        self.acquaintances.remove(place);
        Some(removed)
    }

    pub(super) fn get_mut(&mut self, place: &Place) -> Option<&mut Grant> {
        self.by_place.get_mut(place)
    }
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
