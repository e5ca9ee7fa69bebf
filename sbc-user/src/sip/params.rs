use super::grammar::{Class, take_quoted, take_while, trim_start};
use super::malformed::Malformed;

/// One `name[=value]` of a header value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    /// The name as it was written; compared without regard to case.
    pub name: &'a [u8],
    /// The value; a quoted string keeps its quotes and escapes.
    pub value: Option<&'a [u8]>,
}

/// The parameters of a header value: `*(";" name ["=" value])`, white space around the marks included.
#[derive(Clone, Copy, Debug)]
pub struct Params<'a> {
    text: &'a [u8],
}

/// Reads parameters from left to right, and ends after the first error.
#[derive(Clone, Debug)]
pub(super) struct Reading<'a> {
    rest: &'a [u8],
}

impl<'a> Params<'a> {
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self { text }
    }

    /// The parameters in their order, each readable: an unreadable one was an error before.
    pub fn all(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        self.read().flatten()
    }

    pub(super) const fn read(&self) -> Reading<'a> {
        Reading { rest: self.text }
    }

    /// The value of the first parameter of that name, empty if it has none; `None` if there is no
    /// such parameter.
    pub(super) fn value_of(self, name: &[u8]) -> Option<&'a [u8]> {
        self.all()
            .find(|param| param.name.eq_ignore_ascii_case(name))
            .map(|param| param.value.unwrap_or_default())
    }
}

impl<'a> Reading<'a> {
    fn take(text: &'a [u8]) -> Option<(Param<'a>, &'a [u8])> {
        let (name, rest) = take_while(trim_start(text.strip_prefix(b";")?), Class::TOKEN);
        if name.is_empty() {
            return None;
        }
        let rest = trim_start(rest);
        let Some(after_equal) = rest.strip_prefix(b"=") else {
            return Some((Param { name, value: None }, rest));
        };
        let text = trim_start(after_equal);
        let (value, rest) = match text.first()? {
            b'"' => take_quoted(text)?,
            _ => take_while(text, Class::PARAM_VALUE),
        };
        if value.is_empty() {
            return None;
        }
        Some((Param { name, value: Some(value) }, rest))
    }
}

impl<'a> Iterator for Reading<'a> {
    type Item = Result<Param<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = trim_start(self.rest);
        self.rest = b"";
        if text.is_empty() {
            return None;
        }
        let Some((param, rest)) = Self::take(text) else {
            return Some(Err(Malformed::Parameter));
        };
        self.rest = rest;
        Some(Ok(param))
    }
}
