use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use std::sync::Arc;

use super::Claim;
use crate::ldap::{Entry, LdapError};

/// A directory with more of them is not read: the filter lets in more than users.
const MOST_PEOPLE: usize = 250_000;
/// Further values of one are not looked at.
const MOST_CLAIMS: usize = 64;
/// What all names and claims may take, in bytes of what the directory said.
const MOST_BYTES: usize = 64 << 20;
const LONGEST_NAME: usize = 255;

/// What of an entry tells who it is.
#[derive(Clone, Copy, Debug)]
pub struct WhatToRead<'a> {
    /// The attribute of names that users answer challenges with.
    pub names: &'a str,
    /// Those of who somebody may say to be.
    pub claims: &'a [String],
}

/// All who are in a directory and may be users.
#[derive(Debug, Default)]
pub struct People {
    /// By the name in lower case: names in a directory have no case.
    by_name: HashMap<Box<str>, Known>,
    bytes: usize,
}

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It is somebody's.
    As(Arc<[Claim]>),
    /// It stands in more than one entry: nobody can say whose it is.
    Ambiguous,
}

impl People {
    /// Adds whom an entry tells of.
    pub fn add(&mut self, entry: &Entry<'_>, what: WhatToRead<'_>) -> Result<(), LdapError> {
        let mut names: Vec<Box<str>> = Vec::new();
        for name in entry.values(what.names).filter(|name| name.len() <= LONGEST_NAME) {
            let Some(name) = str::from_utf8(name).ok().map(folded) else { continue };
            if !name.is_empty() && !names.contains(&name) && names.len() < MOST_CLAIMS {
                names.push(name);
            }
        }
        if names.is_empty() {
            return Ok(());
        }
        let values = what.claims.iter().flat_map(|attribute| entry.values(attribute));
        let mut bytes = 0;
        let claims =
            values.filter_map(|value| Claim::read(value).inspect(|_| bytes += value.len()));
        let claims: Arc<[Claim]> = claims.take(MOST_CLAIMS).collect();
        bytes += names.iter().map(|name| name.len()).sum::<usize>();
        self.bytes = self.bytes.saturating_add(bytes);
        for name in names {
            match self.by_name.entry(name) {
                Place::Vacant(place) => {
                    place.insert(Known::As(Arc::clone(&claims)));
                }
                Place::Occupied(mut place) => {
                    place.insert(Known::Ambiguous);
                }
            }
        }
        if self.by_name.len() > MOST_PEOPLE || self.bytes > MOST_BYTES {
            return Err(LdapError::TooMuch(format!(
                "more than {MOST_PEOPLE} users, or {MOST_BYTES} bytes about them: narrow the filter"
            )));
        }
        Ok(())
    }

    /// What is known of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Known> {
        self.by_name.get(&folded(name))
    }

    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether nobody is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

fn folded(name: &str) -> Box<str> {
    name.to_lowercase().into()
}

#[cfg(test)]
impl People {
    /// These names, each with one value of who it may say to be, if that is not empty.
    pub(crate) fn of(listed: &[(&str, &str)]) -> Self {
        let mut people = Self::default();
        let what = WhatToRead { names: "uid", claims: &["mail".to_owned()] };
        for (name, claim) in listed {
            people.add(&Entry::of(&[("uid", name), ("mail", claim)]), what).unwrap();
        }
        people
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims_of(people: &People, name: &str) -> usize {
        match people.find(name) {
            Some(Known::As(claims)) => claims.len(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_name_has_no_case_and_leads_to_all_that_its_entry_claims() {
        let mut people = People::default();
        let claims = ["mail".to_owned(), "telephoneNumber".to_owned()];
        let what = WhatToRead { names: "uid", claims: &claims };
        let entry = Entry::of(&[
            ("UID", "Alice"),
            ("mail", "alice@example.com"),
            ("mail", "smtp:alice@example.com"),
            ("telephonenumber", "+1 212"),
            ("mobile", "+1 213"),
        ]);
        people.add(&entry, what).unwrap();
        people.add(&Entry::of(&[("mail", "nobody@example.com")]), what).unwrap();
        people.add(&Entry::of(&[("uid", "")]), what).unwrap();
        assert_eq!((people.len(), claims_of(&people, "aLICE")), (1, 2));
        assert_eq!(people.find("bob"), None);
    }

    #[test]
    fn a_name_of_two_entries_is_nobodys_and_one_that_an_entry_repeats_is_its_own() {
        let people = People::of(&[("alice", ""), ("bob", ""), ("ALICE", ""), ("alice", "")]);
        assert_eq!(people.find("alice"), Some(&Known::Ambiguous));
        assert_eq!(claims_of(&people, "bob"), 0);
        let mut people = People::default();
        let what = WhatToRead { names: "uid", claims: &[] };
        people.add(&Entry::of(&[("uid", "alice"), ("uid", "Alice")]), what).unwrap();
        assert_eq!(claims_of(&people, "alice"), 0);
    }

    #[test]
    fn what_is_kept_of_one_and_of_all_has_bounds() {
        let mut people = People::default();
        let what = WhatToRead { names: "uid", claims: &["mail".to_owned()] };
        let many = vec![("mail", "a@example.com"); 500];
        people.add(&Entry::of(&[vec![("uid", "alice")], many].concat()), what).unwrap();
        assert_eq!(claims_of(&people, "alice"), MOST_CLAIMS);
        people.bytes = MOST_BYTES;
        let error = people.add(&Entry::of(&[("uid", "bob")]), what).unwrap_err();
        assert!(error.to_string().contains("narrow the filter"));
    }
}
