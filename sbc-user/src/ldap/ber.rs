//! The Basic Encoding Rules as LDAP restricts them (RFC 4511 §5.1): one byte of tag, definite lengths.

use zeroize::Zeroizing;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The most bytes that a length takes after its first one: enough for 4 GiB.
pub(super) const LENGTH_BYTES: usize = 4;

/// Not BER, or not what stands there in LDAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// One value of these parts. Since any of them may be a password, all are wiped.
pub(super) fn value(tag: u8, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    // A buffer that grows would leave copies that are not wiped.
    let mut value =
        Zeroizing::new(Vec::with_capacity(length.saturating_add(2 + size_of::<usize>())));
    value.push(tag);
    if let Ok(short @ ..0x80) = u8::try_from(length) {
        value.push(short);
    } else {
        let bytes = length.to_be_bytes();
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let bytes = bytes.get(zeros..).unwrap_or_default();
        value.push(0x80 | u8::try_from(bytes.len()).unwrap_or(0));
        value.extend_from_slice(bytes);
    }
    for part in parts {
        value.extend_from_slice(part);
    }
    value
}

/// One number.
pub(super) fn number(tag: u8, number: i32) -> Zeroizing<Vec<u8>> {
    let bytes = number.to_be_bytes();
    // The shortest form: a leading byte that only repeats the sign is left out.
    let repeats_sign = |at: &usize| {
        let (Some(byte), Some(next)) = (bytes.get(*at), bytes.get(at + 1)) else { return false };
        let is_negative = next & 0x80 != 0;
        *byte == if is_negative { 0xff } else { 0 }
    };
    let start = (0..bytes.len() - 1).take_while(repeats_sign).count();
    value(tag, &[bytes.get(start..).unwrap_or_default()])
}

/// The bytes of a length beyond its first one.
pub(super) fn further_length_bytes(first: u8) -> Result<usize, Malformed> {
    match first {
        ..0x80 => Ok(0),
        0x80 => Err(Malformed),
        _ => Some(usize::from(first & 0x7f)).filter(|it| *it <= LENGTH_BYTES).ok_or(Malformed),
    }
}

/// A length of these bytes, the first and the further ones.
pub(super) fn length(first: u8, further: &[u8]) -> usize {
    if further.is_empty() {
        return usize::from(first);
    }
    let shift = |length: usize, byte: &u8| length.wrapping_shl(8) | usize::from(*byte);
    further.iter().fold(0, shift)
}

/// Values one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a>(pub(super) &'a [u8]);

impl<'a> Values<'a> {
    pub(super) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next value, whatever its tag.
    pub(super) fn next(&mut self) -> Result<(u8, &'a [u8]), Malformed> {
        let [tag, first, rest @ ..] = self.0 else { return Err(Malformed) };
        let (further, rest) =
            rest.split_at_checked(further_length_bytes(*first)?).ok_or(Malformed)?;
        let (content, rest) = rest.split_at_checked(length(*first, further)).ok_or(Malformed)?;
        self.0 = rest;
        Ok((*tag, content))
    }

    /// The next value, which has this tag.
    pub(super) fn take(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        let (found, content) = self.next()?;
        (found == tag).then_some(content).ok_or(Malformed)
    }

    /// The next value, a number of at most four bytes with this tag.
    pub(super) fn take_number(&mut self, tag: u8) -> Result<i32, Malformed> {
        let bytes = self.take(tag)?;
        let [first, ..] = bytes else { return Err(Malformed) };
        if bytes.len() > 4 {
            return Err(Malformed);
        }
        let sign = if first & 0x80 == 0 { 0 } else { -1 };
        Ok(bytes.iter().fold(sign, |number: i32, byte| number << 8 | i32::from(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_are_as_short_as_they_can_be() {
        for (length, header) in [
            (0, &[4, 0][..]),
            (127, &[4, 127]),
            (128, &[4, 0x81, 128]),
            (256, &[4, 0x82, 1, 0]),
            (65_536, &[4, 0x83, 1, 0, 0]),
        ] {
            let content = vec![7; length];
            let value = value(OCTETS, &[&content]);
            assert_eq!(&value[..value.len() - length], header);
            assert_eq!(Values(&value).take(OCTETS), Ok(&content[..]));
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for bytes in [
            &[][..],
            &[4],
            &[4, 1],
            &[4, 0x80, 0, 0],
            &[4, 0x85, 0, 0, 0, 0, 0],
            &[4, 0x84, 0xff, 0xff, 0xff, 0xff, 0],
            &[2, 1, 0],
        ] {
            assert_eq!(Values(bytes).take(OCTETS), Err(Malformed), "{bytes:?}");
        }
        assert_eq!(Values(&[2, 0]).take_number(INTEGER), Err(Malformed));
        assert_eq!(Values(&[2, 5, 0, 0, 0, 0, 1]).take_number(INTEGER), Err(Malformed));
    }

    proptest! {
        #[test]
        fn a_number_is_read_as_it_was_written(number: i32) {
            let bytes = super::number(INTEGER, number);
            prop_assert_eq!(Values(&bytes).take_number(INTEGER), Ok(number));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let mut values = Values(&bytes);
            while let Ok((_, content)) = values.next() {
                prop_assert!(content.len() < bytes.len());
            }
        }
    }
}
