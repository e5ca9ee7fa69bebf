//! Changes to the text of a users file, which leave every other byte of it as it was.

use std::ops::Range;

use thiserror::Error;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::stanza::{hash_key, stanza_in};
use super::{Username, Users, UsersMistake};
use crate::proof::digest::{Ha1, HashFunction, Realm};

/// Room for the hashes and quotes that a change may add.
const ROOM: usize = 512;

/// Why a users file is not changed. It never repeats a hash.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EditError {
    /// The text is wrong as it is.
    #[error(transparent)]
    Mistake(UsersMistake),
    /// The text would be wrong afterwards.
    #[error("this would make the file a wrong one: {}", .0.problem)]
    Unfit(UsersMistake),
    /// There is such a user.
    #[error("there is a user {0:?} in the realm {1:?} already")]
    Exists(String, String),
    /// There is no such user.
    #[error("there is no user {0:?} in the realm {1:?}")]
    Absent(String, String),
    /// The users are written as values of one array.
    #[error(
        "the users are in one array: write each as a table [[user]], or change the file by hand"
    )]
    Inline,
}

/// Adds a user at the end, with all hashes, to the default realm if none is named.
pub fn with_user(
    text: &str,
    name: &Username,
    realm: Option<&Realm>,
    password: &str,
    may_assert: &[String],
) -> Result<Zeroizing<String>, EditError> {
    let users = Users::parse(text).map_err(EditError::Mistake)?;
    let default = users.default_realm().realm();
    let realm = realm.unwrap_or(default);
    if users.iter().any(|user| user.name() == name.as_str() && user.realm() == realm) {
        return Err(EditError::Exists(name.to_string(), realm.to_string()));
    }
    if has_inline_users(text) {
        return Err(EditError::Inline);
    }
    let entry = stanza_in(name, realm, realm == default, password, &HashFunction::ALL, may_assert);
    let end = if text.is_empty() || text.ends_with('\n') { "\n" } else { "\n\n" };
    fit(joined(&[text, end, &entry]))
}

/// Removes a user: the lines of its table, with the comments in it, but not those above it.
pub fn without_user(
    text: &str,
    name: &Username,
    realm: Option<&Realm>,
) -> Result<Zeroizing<String>, EditError> {
    let lines = with_entry(text, name, realm, |header, table| {
        let end = table.values().map(|it| it.span().end).max().unwrap_or(header.end);
        header.start..end
    })?;
    let (before, after) = around(text, &lines);
    let before = before.rfind('\n').and_then(|at| before.get(..=at)).unwrap_or("");
    let after = after.find('\n').and_then(|at| after.get(at.saturating_add(1)..)).unwrap_or("");
    // Where a blank line was on both sides one is enough.
    let is_apart = before.is_empty() || before.ends_with("\n\n");
    let after = after.strip_prefix('\n').filter(|_| is_apart).unwrap_or(after);
    let before = if after.is_empty() { before.trim_end_matches('\n') } else { before };
    let end = if after.is_empty() && !before.is_empty() { "\n" } else { "" };
    fit(joined(&[before, end, after]))
}

/// Gives a user another password: every hash that it has is made anew.
pub fn with_password(
    text: &str,
    name: &Username,
    realm: Option<&Realm>,
    password: &str,
) -> Result<Zeroizing<String>, EditError> {
    let users = Users::parse(text).map_err(EditError::Mistake)?;
    let in_realm = realm.unwrap_or(users.default_realm().realm());
    let mut hashes = with_entry(text, name, realm, |_, table| {
        let place = |function| Some((table.get(hash_key(function))?.span(), function));
        HashFunction::ALL.into_iter().filter_map(place).collect::<Vec<_>>()
    })?;
    hashes.sort_by_key(|(span, _)| span.start);
    let mut changed = Zeroizing::new(String::with_capacity(text.len().saturating_add(ROOM)));
    let mut copied = 0;
    for (span, function) in hashes {
        let ha1 = Ha1::of(function, name.as_str(), in_realm.as_str(), password);
        changed.push_str(text.get(copied..span.start).unwrap_or_default());
        for part in ["\"", ha1.expose(), "\""] {
            changed.push_str(part);
        }
        copied = span.end;
    }
    changed.push_str(text.get(copied..).unwrap_or_default());
    fit(changed)
}

/// Nothing is written that the daemon would refuse.
fn fit(text: Zeroizing<String>) -> Result<Zeroizing<String>, EditError> {
    Users::parse(&text).map_err(EditError::Unfit)?;
    Ok(text)
}

/// What `found` says about the one table of a user: where its header is, and what is in it.
fn with_entry<T>(
    text: &str,
    name: &Username,
    realm: Option<&Realm>,
    found: impl Fn(Range<usize>, &DeTable<'_>) -> T,
) -> Result<T, EditError> {
    let users = Users::parse(text).map_err(EditError::Mistake)?;
    let default = users.default_realm().realm();
    let realm = realm.unwrap_or(default);
    let absent = || EditError::Absent(name.to_string(), realm.to_string());
    // It was read before: there is nothing wrong with it.
    let root = DeTable::parse(text).map_err(|_| absent())?;
    let entries = root.get_ref().get("user").and_then(|it| it.get_ref().as_array());
    let is_wanted = |table: &DeTable<'_>| {
        let value = |key: &str| table.get(key).and_then(|it| it.get_ref().as_str());
        value("name") == Some(name.as_str())
            && value("realm").unwrap_or(default.as_str()) == realm.as_str()
    };
    let mut tables = entries.into_iter().flat_map(|it| it.iter()).filter_map(table_of);
    let (header, table) = tables.find(|(_, table)| is_wanted(table)).ok_or_else(absent)?;
    if !is_header(text, &header) {
        return Err(EditError::Inline);
    }
    Ok(found(header, table))
}

fn table_of<'t, 'i>(value: &'t Spanned<DeValue<'i>>) -> Option<(Range<usize>, &'t DeTable<'i>)> {
    Some((value.span(), value.get_ref().as_table()?))
}

fn has_inline_users(text: &str) -> bool {
    let Ok(root) = DeTable::parse(text) else { return false };
    root.get_ref().get("user").is_some_and(|it| !is_header(text, &it.span()))
}

fn is_header(text: &str, span: &Range<usize>) -> bool {
    text.get(span.clone()).is_some_and(|it| it.starts_with("[["))
}

fn around<'t>(text: &'t str, span: &Range<usize>) -> (&'t str, &'t str) {
    let part = |range| text.get(range).unwrap_or_default();
    (part(0..span.start), part(span.end..text.len()))
}

/// A text that grew would leave copies of hashes that are not wiped.
fn joined(parts: &[&str]) -> Zeroizing<String> {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut text = Zeroizing::new(String::with_capacity(length));
    for part in parts {
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests;
