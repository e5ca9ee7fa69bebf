use std::borrow::Cow;

use super::MalformedCredentials;
use super::parameter::{Parameter, Reader, Text};

const LONGEST_VALUE: usize = 4096;
const MOST: usize = 32;
/// Written once, so that nobody's own reading of a repeated one counts.
const OPAQUE: &[u8] = b"opaque";
const STALE: &[u8] = b"stale";

/// The parameters of a Digest challenge or of its answer, which somebody else judges: of them no more is read
/// here than which challenge it is, and whose answer.
#[derive(Clone)]
pub struct AuthParams<'a> {
    params: [Option<Parameter<'a>>; MOST],
}

impl<'a> AuthParams<'a> {
    /// Reads the value of a header that holds one of the Digest scheme.
    pub fn read(value: &'a [u8]) -> Result<Self, MalformedCredentials> {
        if value.len() > LONGEST_VALUE {
            return Err(MalformedCredentials::TooLong);
        }
        let mut reader = Reader::new(value);
        if !reader.scheme()?.eq_ignore_ascii_case(b"Digest") {
            return Err(MalformedCredentials::OtherScheme);
        }
        let mut read = Self { params: [None; MOST] };
        for at in 0..MOST {
            let parameter = reader.parameter()?;
            if read.find(parameter.name).is_some() {
                return Err(MalformedCredentials::Duplicate);
            }
            if let Some(slot) = read.params.get_mut(at) {
                *slot = Some(parameter);
            }
            if !reader.has_another()? {
                return Ok(read);
            }
        }
        Err(MalformedCredentials::TooManyParameters)
    }

    /// A parameter, escapes resolved.
    #[must_use]
    pub fn value(&self, name: &[u8]) -> Option<Cow<'a, [u8]>> {
        self.find(name).map(Text::unescaped)
    }

    /// What is to be returned unchanged, as it was written.
    #[must_use]
    pub fn opaque(&self) -> Option<&'a [u8]> {
        self.find(OPAQUE).map(Text::raw)
    }

    /// Whether a challenge says that the answer before was right, but too late.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.value(STALE).is_some_and(|value| value.eq_ignore_ascii_case(b"true"))
    }

    /// The same with another `opaque` or none.
    #[must_use]
    pub fn with_opaque(&self, opaque: Option<&[u8]>) -> Vec<u8> {
        self.written(&[OPAQUE], opaque, "")
    }

    /// The same with another `opaque`, asked for because the answer before was too late.
    #[must_use]
    pub fn with_opaque_and_stale(&self, opaque: &[u8]) -> Vec<u8> {
        self.written(&[OPAQUE, STALE], Some(opaque), ",stale=true")
    }

    fn written(&self, without: &[&[u8]], opaque: Option<&[u8]>, more: &str) -> Vec<u8> {
        let is_left = |param: &&Parameter<'_>| {
            !without.iter().any(|name| param.name.eq_ignore_ascii_case(name))
        };
        let opaque = opaque.map(|opaque| [&b"opaque=\""[..], opaque, b"\""].concat());
        let left = self.params.iter().flatten().filter(is_left).map(|it| it.whole);
        let left: Vec<_> = left.chain(opaque.as_deref()).collect();
        let mut text = [&b"Digest "[..], &left.join(&b", "[..])].concat();
        // Folds around a `=`, which are the only ones here: one line is the same text.
        text.iter_mut().filter(|it| matches!(it, b'\r' | b'\n')).for_each(|it| *it = b' ');
        text.extend_from_slice(more.as_bytes());
        text
    }

    fn find(&self, name: &[u8]) -> Option<Text<'a>> {
        let mut found =
            self.params.iter().flatten().filter(|it| it.name.eq_ignore_ascii_case(name));
        found.next().map(|it| it.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn opaque_is_exchanged_and_the_rest_stays_as_it_was() {
        let value = b"Digest realm=\"a, b\",opaque=\"x\\\"y\" , nonce = \"n\",qop=\"auth\"";
        let params = AuthParams::read(value).unwrap();
        assert_eq!(params.opaque(), Some(&b"x\\\"y"[..]));
        assert_eq!(
            text(&params.with_opaque(Some(b"T"))),
            "Digest realm=\"a, b\", nonce = \"n\", qop=\"auth\", opaque=\"T\""
        );
        assert_eq!(
            text(&params.with_opaque(None)),
            "Digest realm=\"a, b\", nonce = \"n\", qop=\"auth\""
        );
    }

    #[test]
    fn what_was_returned_reads_as_before_it_was_exchanged() {
        let value =
            b"Digest username=\"a\", realm=\"r\", nonce=\"n\", response=\"0\", opaque=\"z\"";
        let exchanged = AuthParams::read(value).unwrap().with_opaque(Some(b"T"));
        let restored = AuthParams::read(&exchanged).unwrap().with_opaque(Some(b"z"));
        assert_eq!(restored, value);
    }

    #[test]
    fn what_is_folded_goes_on_in_one_line() {
        let params = AuthParams::read(b"Digest realm=\r\n \"r\",\r\n\tnonce\r\n =n").unwrap();
        assert_eq!(text(&params.with_opaque(None)), "Digest realm=   \"r\", nonce   =n");
    }

    #[test]
    fn a_challenge_is_made_stale_once() {
        for value in [&b"Digest realm=\"r\", stale=FALSE"[..], b"Digest realm=\"r\", Stale=true"] {
            let made = AuthParams::read(value).unwrap().with_opaque_and_stale(b"T");
            assert_eq!(text(&made), "Digest realm=\"r\", opaque=\"T\",stale=true");
            assert!(AuthParams::read(&made).unwrap().is_stale());
        }
        assert!(!AuthParams::read(b"Digest stale=false").unwrap().is_stale());
    }

    #[test]
    fn what_two_readers_could_understand_differently_is_refused() {
        for value in [
            &b"Basic realm=\"r\""[..],
            b"Digest opaque=\"a\", OPAQUE=\"b\"",
            b"Digest realm=\"r\", Digest realm=\"s\"",
            b"Digest realm=\"r",
            b"Digest realm=\"r\r\n x\"",
            b"Digest",
        ] {
            assert!(AuthParams::read(value).is_err(), "{value:?}");
        }
        let many: Vec<_> = (0..33).map(|number| format!("p{number}=1")).collect();
        assert!(AuthParams::read(format!("Digest {}", many.join(",")).as_bytes()).is_err());
    }
}
