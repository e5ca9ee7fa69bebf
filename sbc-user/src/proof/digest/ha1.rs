use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{HashFunction, HashValue};

/// What a user is verified against: H(username ":" realm ":" password) as lower-case hexadecimal
/// digits (RFC 7616 §3.4.2).
///
/// It is as good as the password within its realm: it is wiped from memory when dropped, and `Debug`
/// does not show it.
#[derive(Clone)]
pub struct Ha1 {
    function: HashFunction,
    digits: Zeroizing<String>,
}

impl Ha1 {
    /// Derives the value from a password; done once, by the tool that writes the users file.
    #[must_use]
    pub fn of(function: HashFunction, username: &str, realm: &str, password: &str) -> Self {
        let parts = [username, ":", realm, ":", password].map(str::as_bytes);
        Self::from_value(function, HashValue::of(function, &parts))
    }

    /// Reads exactly the number of hexadecimal digits that the function has, in either case.
    #[must_use]
    pub fn from_hex(function: HashFunction, digits: &str) -> Option<Self> {
        let value = HashValue::from_hex(function, digits.as_bytes())?;
        Some(Self::from_value(function, value))
    }

    /// The hash function that made it.
    #[must_use]
    pub fn function(&self) -> HashFunction {
        self.function
    }

    /// The secret digits, to be hashed or to be written to the users file.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.digits
    }

    fn from_value(function: HashFunction, value: HashValue) -> Self {
        let hex = value.to_hex();
        let mut digits = Zeroizing::new(String::with_capacity(hex.as_bytes().len()));
        digits.extend(hex.as_bytes().iter().copied().map(char::from));
        Self { function, digits }
    }
}

impl PartialEq for Ha1 {
    fn eq(&self, other: &Self) -> bool {
        let is_same = self.digits.as_bytes().ct_eq(other.digits.as_bytes());
        self.function == other.function && bool::from(is_same)
    }
}

impl Eq for Ha1 {}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ha1({}, ..)", self.function)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_hash_of_name_realm_and_password() {
        // RFC 2617 §3.5.
        let ha1 = Ha1::of(HashFunction::Md5, "Mufasa", "testrealm@host.com", "Circle Of Life");
        assert_eq!(ha1.expose(), "939e7578ed9e3c518a452acee763bce9");
    }

    #[test]
    fn is_kept_in_lower_case_because_it_is_hashed_again() {
        let ha1 = Ha1::from_hex(HashFunction::Md5, "939E7578ED9E3C518A452ACEE763BCE9").unwrap();
        assert_eq!(ha1.expose(), "939e7578ed9e3c518a452acee763bce9");
        assert_eq!(ha1.function(), HashFunction::Md5);
    }

    #[test]
    fn debug_does_not_show_the_digits() {
        let ha1 = Ha1::of(HashFunction::Sha256, "alice", "example.com", "secret");
        assert_eq!(format!("{ha1:?}"), "Ha1(SHA-256, ..)");
    }
}
