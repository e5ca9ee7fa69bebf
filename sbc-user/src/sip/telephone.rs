use super::uri::{Scheme, Uri};

/// E.164 has 15 digits; what is dialled inside a company, with its prefixes and feature codes, is not
/// much longer.
const LONGEST: usize = 32;

/// A telephone number as it is compared: without visual separators and parameters, in one case
/// (RFC 3966 §4, §5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneNumber {
    characters: [u8; LONGEST],
    length: usize,
}

impl TelephoneNumber {
    /// What every global number begins with. No number by itself.
    pub const GLOBAL: Self = {
        let mut characters = [0; LONGEST];
        characters[0] = b'+';
        Self { characters, length: 1 }
    };

    /// The number of a `tel` URI, or of a SIP URI that says to hold one (RFC 3261 §19.1.6).
    #[must_use]
    pub fn of(uri: &Uri<'_>) -> Option<Self> {
        let is_telephone = match uri.scheme {
            Scheme::Tel => true,
            Scheme::Sip | Scheme::Sips => {
                uri.param(b"user").is_some_and(|user| user.eq_ignore_ascii_case(b"phone"))
            }
            Scheme::Other(_) => false,
        };
        is_telephone.then(|| Self::in_user_part(uri)).flatten()
    }

    /// The number that stands where the user does, whether or not the URI says that it is one.
    #[must_use]
    pub fn in_user_part(uri: &Uri<'_>) -> Option<Self> {
        let number = uri.user?.split(|byte| *byte == b';').next()?;
        Self::read(Uri { user: Some(number), ..*uri }.user_octets())
    }

    /// Reads a number. `None` if it has another character than digits, `+` in front, the letters and marks of
    /// local numbers and visual separators, or more than 32 of them.
    pub fn read(text: impl IntoIterator<Item = u8>) -> Option<Self> {
        let mut number = Self { characters: [0; LONGEST], length: 0 };
        for character in text {
            let is_kept = match character {
                b'-' | b'.' | b'(' | b')' => false,
                b'+' if number.length > 0 => return None,
                b'+' | b'*' | b'#' => true,
                character if character.is_ascii_hexdigit() => true,
                _ => return None,
            };
            if is_kept {
                *number.characters.get_mut(number.length)? = character.to_ascii_uppercase();
                number.length += 1;
            }
        }
        let has_digit = number.as_bytes().iter().any(|character| *character != b'+');
        has_digit.then_some(number)
    }

    /// The number, with `+` in front if it is a global one.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.characters.get(..self.length).unwrap_or_default()
    }

    /// The number as it is signed (RFC 8224 §8.3): without the `+`.
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        let number = self.as_bytes();
        number.strip_prefix(b"+").unwrap_or(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uri: &str) -> Option<String> {
        let number = TelephoneNumber::of(&Uri::parse(uri.as_bytes()).unwrap())?;
        Some(String::from_utf8(number.as_bytes().to_vec()).unwrap())
    }

    #[test]
    fn a_number_is_read_without_what_is_for_the_eye_and_without_parameters() {
        for (uri, expected) in [
            ("tel:+1-212-555.1234", Some("+12125551234")),
            ("TEL:+1(212)5551234;ext=7", Some("+12125551234")),
            ("tel:a*b#;phone-context=example.com", Some("A*B#")),
            ("sip:+12125551234@carrier.example;user=phone", Some("+12125551234")),
            ("sip:+1-212;isub=9@carrier.example;user=PHONE", Some("+1212")),
            ("sips:%2b1212@carrier.example;user=phone", Some("+1212")),
            ("sip:+12125551234@carrier.example", None),
            ("sip:carrier.example;user=phone", None),
            ("sip:alice@carrier.example;user=phone", None),
            ("sip:1212%3b5@carrier.example;user=phone", None),
            ("tel:+-", None),
            ("tel:1+2", None),
            ("urn:service:sos", None),
        ] {
            assert_eq!(of(uri).as_deref(), expected, "{uri}");
        }
        assert!(of(&format!("tel:{}", "1".repeat(LONGEST))).is_some());
        assert_eq!(of(&format!("tel:{}", "1".repeat(LONGEST + 1))), None);
    }

    #[test]
    fn what_is_signed_has_no_plus() {
        let number = |text: &str| TelephoneNumber::read(text.bytes()).unwrap();
        assert_eq!(number("+1-212").canonical(), b"1212");
        assert_eq!(number("212").canonical(), b"212");
    }
}
