use zeroize::Zeroizing;

use super::Username;
use crate::proof::digest::{Ha1, HashFunction, Realm};

/// Longer than all keys, quotes and hashes of a stanza together.
const ROOM: usize = 384;

/// The `[[user]]` table to append to a users file, with one HA1 for each of `functions`.
///
/// The text is as good as the password; it is wiped when dropped.
#[must_use]
pub fn stanza(
    name: &Username,
    realm: &Realm,
    password: &str,
    functions: &[HashFunction],
    may_assert: &[String],
) -> Zeroizing<String> {
    stanza_in(name, realm, true, password, functions, may_assert)
}

/// The same, for a file whose default realm that of the user is or is not.
pub(super) fn stanza_in(
    name: &Username,
    realm: &Realm,
    is_default: bool,
    password: &str,
    functions: &[HashFunction],
    may_assert: &[String],
) -> Zeroizing<String> {
    let realm_line =
        if is_default { String::new() } else { format!("realm = {}\n", quoted(realm.as_str())) };
    let quoted_name = quoted(name.as_str());
    let assertions: Vec<String> = may_assert.iter().map(|pattern| quoted(pattern)).collect();
    let assertions = assertions.join(", ");

    // A text that grows would leave copies of the hashes that are not wiped.
    let room = quoted_name.len().saturating_add(realm_line.len());
    let room = room.saturating_add(assertions.len()).saturating_add(ROOM);
    let mut text = Zeroizing::new(String::with_capacity(room));
    let mut append = |parts: &[&str]| parts.iter().for_each(|part| text.push_str(part));

    append(&["[[user]]\nname = ", &quoted_name, "\n", &realm_line]);
    for function in HashFunction::ALL {
        if functions.contains(&function) {
            let ha1 = Ha1::of(function, name.as_str(), realm.as_str(), password);
            append(&[hash_key(function), " = \"", ha1.expose(), "\"\n"]);
        }
    }
    if !may_assert.is_empty() {
        append(&["may-assert = [", &assertions, "]\n"]);
    }
    text
}

/// The key of a user's hash.
#[must_use]
pub const fn hash_key(function: HashFunction) -> &'static str {
    match function {
        HashFunction::Sha512_256 => "sha-512-256",
        HashFunction::Sha256 => "sha-256",
        HashFunction::Md5 => "md5",
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
