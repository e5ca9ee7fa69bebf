use thiserror::Error;
use x509_parser::asn1_rs::{Any, Class, FromDer};

/// As many as a large carrier has ranges.
const MOST_ENTRIES: usize = 10_000;
/// E.164.
const LONGEST_NUMBER: usize = 15;

/// For which numbers a certificate may sign (RFC 8226 §9).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TnAuthorization {
    /// Whether it names a service provider, whose numbers are his to know.
    is_of_provider: bool,
    /// The digits of the first number, and how many there are from it on.
    ranges: Vec<(String, u64)>,
}

/// Why the authorization in a certificate cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("its TNAuthList is not one of RFC 8226")]
pub struct BadAuthorization;

impl TnAuthorization {
    /// Reads the value of the extension 1.3.6.1.5.5.7.1.26, in linear time.
    pub fn read(der: &[u8]) -> Result<Self, BadAuthorization> {
        let mut entries = contents(der, Class::Universal, 16).and_then(whole)?;
        let mut authorization = Self::default();
        let mut count = 0_usize;
        while !entries.is_empty() {
            count += 1;
            if count > MOST_ENTRIES {
                return Err(BadAuthorization);
            }
            let (rest, entry) = Any::from_der(entries).map_err(|_| BadAuthorization)?;
            entries = rest;
            if entry.class() != Class::ContextSpecific {
                return Err(BadAuthorization);
            }
            match entry.tag().0 {
                0 => {
                    let (code, _) = whole_text(entry.data)?;
                    if code.is_empty() {
                        return Err(BadAuthorization);
                    }
                    authorization.is_of_provider = true;
                }
                1 => authorization.ranges.push(range(entry.data)?),
                2 => {
                    let (number, rest) = text(entry.data)?;
                    if !rest.is_empty() {
                        return Err(BadAuthorization);
                    }
                    authorization.ranges.push((checked(number)?, 1));
                }
                _ => return Err(BadAuthorization),
            }
        }
        if count == 0 { Err(BadAuthorization) } else { Ok(authorization) }
    }

    /// Says whether it is for a number, which is given without `+`.
    #[must_use]
    pub fn covers(&self, number: &[u8]) -> bool {
        self.is_of_provider
            || self.ranges.iter().any(|(first, count)| {
                let distance = value(number).zip(value(first.as_bytes()));
                let distance = distance.and_then(|(number, first)| number.checked_sub(first));
                number.len() == first.len() && distance.is_some_and(|distance| distance < *count)
            })
    }
}

fn range(der: &[u8]) -> Result<(String, u64), BadAuthorization> {
    let inner = contents(der, Class::Universal, 16).and_then(whole)?;
    let (start, rest) = text(inner)?;
    let count = contents(rest, Class::Universal, 2).and_then(whole)?;
    let is_positive = count.first().is_some_and(|first| first & 0x80 == 0);
    if !is_positive || count.len() > 8 {
        return Err(BadAuthorization);
    }
    let count = count.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    if count < 2 {
        return Err(BadAuthorization);
    }
    Ok((checked(start)?, count))
}

/// The contents of an element of this class and tag, and what follows it.
fn contents(der: &[u8], class: Class, tag: u32) -> Result<(&[u8], &[u8]), BadAuthorization> {
    let (rest, element) = Any::from_der(der).map_err(|_| BadAuthorization)?;
    let is_it = element.class() == class && element.tag().0 == tag;
    is_it.then_some((element.data, rest)).ok_or(BadAuthorization)
}

fn whole<'a>((contents, rest): (&'a [u8], &[u8])) -> Result<&'a [u8], BadAuthorization> {
    if rest.is_empty() { Ok(contents) } else { Err(BadAuthorization) }
}

/// An `IA5String`, and what follows it.
fn text(der: &[u8]) -> Result<(&[u8], &[u8]), BadAuthorization> {
    contents(der, Class::Universal, 22)
}

fn whole_text(der: &[u8]) -> Result<(&[u8], &[u8]), BadAuthorization> {
    let found = text(der)?;
    if found.1.is_empty() { Ok(found) } else { Err(BadAuthorization) }
}

/// `FROM ("0123456789#*")`, of which ranges are made of digits.
fn checked(number: &[u8]) -> Result<String, BadAuthorization> {
    let is_number = (1..=LONGEST_NUMBER).contains(&number.len());
    let is_number = is_number && number.iter().all(u8::is_ascii_digit);
    let text = String::from_utf8(number.to_vec()).map_err(|_| BadAuthorization)?;
    is_number.then_some(text).ok_or(BadAuthorization)
}

fn value(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > LONGEST_NUMBER {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8226 §9: EXPLICIT tags.
    fn list(entries: &[&[u8]]) -> Vec<u8> {
        element(0x30, &entries.concat())
    }

    fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
        let length = u8::try_from(contents.len()).unwrap();
        [&[tag, length], contents].concat()
    }

    #[test]
    fn a_provider_may_sign_for_any_number_and_who_has_a_range_for_that() {
        let provider = list(&[&element(0xa0, &element(0x16, b"709J"))]);
        assert!(TnAuthorization::read(&provider).unwrap().covers(b"12125551234"));

        let range = [element(0x16, b"12125551000"), element(0x02, &[0x03, 0xe8])].concat();
        let ranged = list(&[
            &element(0xa1, &element(0x30, &range)),
            &element(0xa2, &element(0x16, b"442079460000")),
        ]);
        let ranged = TnAuthorization::read(&ranged).unwrap();
        for (number, expected) in [
            ("12125551000", true),
            ("12125551999", true),
            ("12125552000", false),
            ("12125550999", false),
            ("012125551000", false),
            ("442079460000", true),
            ("442079460001", false),
            ("", false),
            ("*123", false),
        ] {
            assert_eq!(ranged.covers(number.as_bytes()), expected, "{number}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        let code = element(0xa0, &element(0x16, b"709J"));
        for der in [
            vec![],
            list(&[]),
            code.clone(),
            list(&[&element(0xa3, &element(0x16, b"1"))]),
            list(&[&element(0xa0, &element(0x0c, b"709J"))]),
            list(&[&element(0xa2, &element(0x16, b"12a"))]),
            list(&[&element(0xa2, &element(0x16, b"1234567890123456"))]),
            [list(&[&code]), vec![0]].concat(),
            list(&[&code])[..7].to_vec(),
        ] {
            assert_eq!(TnAuthorization::read(&der), Err(BadAuthorization), "{der:02x?}");
        }
    }
}
