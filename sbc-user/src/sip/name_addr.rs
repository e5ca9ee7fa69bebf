use super::grammar::{Class, is_lws, split_before, split_once, take_quoted, trim, trim_start};
use super::malformed::Malformed;
use super::params::Params;
use super::uri::Uri;
use super::value::check_balance;

/// An address in a header: `[display-name] <URI>;params`, or a URI alone whose `;params` are then
/// the header's (RFC 3261 §20).
#[derive(Clone, Copy, Debug)]
pub struct NameAddr<'a> {
    /// The whole value, without white space around it.
    pub raw: &'a [u8],
    /// The display name; a quoted one keeps its quotes and escapes.
    pub display_name: Option<&'a [u8]>,
    /// The address.
    pub uri: Uri<'a>,
    /// The `tag` parameter of the header (RFC 3261 §19.3).
    pub tag: Option<&'a [u8]>,
    params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one value of a header; a list has to be split before.
    pub fn parse(value: &'a [u8]) -> Result<Self, Malformed> {
        // All that can be read is balanced, but what is not is better told so.
        Self::read(value).map_err(|error| check_balance(value).err().unwrap_or(error))
    }

    /// The same; whether quotes and angle brackets balance is for the caller to find out where it fails.
    pub(super) fn read(value: &'a [u8]) -> Result<Self, Malformed> {
        let raw = trim(value);
        let Parts { display_name, uri, params } = Parts::split(raw)?;
        let uri = Uri::parse(uri)?;
        let params = Params::new(params);
        Ok(Self { raw, display_name, uri, tag: checked_tag(params)?, params })
    }

    /// The parameters of the header, not those of the URI.
    #[must_use]
    pub const fn params(&self) -> Params<'a> {
        self.params
    }

    /// The value of a header parameter, empty if it has none; `None` if it is not there.
    #[must_use]
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.params.value_of(name)
    }
}

/// What a value consists of, none of it read yet.
struct Parts<'a> {
    display_name: Option<&'a [u8]>,
    uri: &'a [u8],
    params: &'a [u8],
}

impl<'a> Parts<'a> {
    #[inline]
    fn split(raw: &'a [u8]) -> Result<Self, Malformed> {
        match raw {
            [b'<', ..] => return Self::bracketed(None, raw),
            [b'"', ..] => {
                let (name, rest) = take_quoted(raw).ok_or(Malformed::UnbalancedQuotes)?;
                return Self::bracketed(Some(name), trim_start(rest));
            }
            [..] => {}
        }
        // A `<` after a `;` or a quote belongs to a parameter of a bare URI.
        let (before, rest) = split_before(raw, |byte| matches!(byte, b'<' | b'"' | b';'));
        if rest.first() != Some(&b'<') {
            return Self::bare(raw);
        }
        let name = trim(before);
        if !Class::UNQUOTED_NAME.has_all(name) {
            return Err(Malformed::NameAddr);
        }
        Self::bracketed(Some(name).filter(|name| !name.is_empty()), rest)
    }

    #[inline]
    fn bracketed(display_name: Option<&'a [u8]>, text: &'a [u8]) -> Result<Self, Malformed> {
        let inner = text.strip_prefix(b"<").ok_or(Malformed::NameAddr)?;
        let (uri, params) = split_once(inner, b'>').ok_or(Malformed::UnbalancedAngleBrackets)?;
        Ok(Self { display_name, uri, params })
    }

    /// A URI without brackets ends at its first `;` and holds neither comma nor question mark: with
    /// any of them it would have to be in brackets (RFC 3261 §20).
    fn bare(raw: &'a [u8]) -> Result<Self, Malformed> {
        let (uri, params) = split_before(raw, |byte| byte == b';' || is_lws(byte));
        if uri.is_empty() || uri.iter().any(|byte| matches!(byte, b',' | b'?')) {
            return Err(Malformed::NameAddr);
        }
        Ok(Self { display_name: None, uri, params })
    }
}

/// Reads all parameters, so that none of them is left unread, and yields the only `tag`.
fn checked_tag(params: Params<'_>) -> Result<Option<&[u8]>, Malformed> {
    let mut tag = None;
    for param in params.read() {
        let param = param?;
        if !param.name.eq_ignore_ascii_case(b"tag") {
            continue;
        }
        let value = param.value.filter(|value| value.first() != Some(&b'"'));
        if tag.replace(value.ok_or(Malformed::Tag)?).is_some() {
            return Err(Malformed::Tag);
        }
    }
    Ok(tag)
}
