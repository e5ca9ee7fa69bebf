use std::ops::Range;

use super::grammar::{Class, decimal, is_lws, is_token, slice, take_while, trim_start};
use super::head::{Head, MAX_MESSAGE};
use super::header::{Header, HeaderKind};
use super::malformed::Malformed;
use super::method::Method;
use super::name_addr::NameAddr;
use super::start_line::StartLine;
use super::value::{Split, Value, check_balance};
use super::via::Via;

/// A whole message that every parser reads the same way, borrowed from the bytes it came in.
///
/// What decides identity and routing has been read and checked, so the accessors cannot fail.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    head: Head,
    start_line: StartLine<'a>,
    from: NameAddr<'a>,
    to: NameAddr<'a>,
    call_id: &'a [u8],
    cseq: CSeq<'a>,
    top_via: Via<'a>,
    max_forwards: Option<u32>,
}

/// The `CSeq` header (RFC 3261 §20.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// Below 2^31.
    pub number: u32,
    /// In a request, the method of the request.
    pub method: Method<'a>,
}

impl<'a> Message<'a> {
    /// Reads one whole message: a datagram, or a frame of [`StreamFramer`](super::StreamFramer).
    ///
    /// Takes linear time and no heap. The body is cut to `Content-Length`; without that header it is
    /// the rest (RFC 3261 §18.3).
    pub fn scan(datagram: &'a [u8]) -> Result<Self, Malformed> {
        if datagram.len() > MAX_MESSAGE {
            return Err(Malformed::MessageTooLarge);
        }
        let mut head = Head::new();
        head.scan(datagram)?;
        let start_line = StartLine::parse(slice(datagram, 0..head.start_line_end()))?;
        let bytes = match head.content_length(datagram)? {
            Some(length) => head
                .body_start()
                .checked_add(length)
                .and_then(|end| datagram.get(..end))
                .ok_or(Malformed::BodyTooShort)?,
            None => datagram,
        };
        let required = |kind| {
            let line = head.first(kind).ok_or(Malformed::MissingHeader(kind))?;
            Ok(line.value(bytes))
        };
        let mut vias = Split::new(required(HeaderKind::Via)?, 0);
        let top_via = Via::parse(vias.next().ok_or(Malformed::Via)?.bytes)?;
        let from = NameAddr::parse(required(HeaderKind::From)?)?;
        let to = NameAddr::parse(required(HeaderKind::To)?)?;
        let call_id = checked_call_id(required(HeaderKind::CallId)?)?;
        let cseq = CSeq::parse(required(HeaderKind::CSeq)?)?;
        let max_forwards = checked_max_forwards(&head, bytes)?;
        check_cseq_method(&start_line, &cseq)?;
        check_lists(&head, bytes, vias.is_at_end())?;
        // Made where it is returned: it is too large to be moved for nothing.
        Ok(Self { bytes, head, start_line, from, to, call_id, cseq, top_via, max_forwards })
    }

    /// The whole message, its body cut to `Content-Length`.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What kind of message it is.
    #[must_use]
    pub const fn start_line(&self) -> StartLine<'a> {
        self.start_line
    }

    /// Who it claims to be from.
    #[must_use]
    pub const fn from(&self) -> NameAddr<'a> {
        self.from
    }

    /// Who it is for.
    #[must_use]
    pub const fn to(&self) -> NameAddr<'a> {
        self.to
    }

    /// The call's name, compared with case (RFC 3261 §8.1.1.4).
    #[must_use]
    pub const fn call_id(&self) -> &'a [u8] {
        self.call_id
    }

    /// The place of the request in its dialog, and the method that a response answers.
    #[must_use]
    pub const fn cseq(&self) -> CSeq<'a> {
        self.cseq
    }

    /// The first `Via` value: who handed the request on.
    #[must_use]
    pub const fn top_via(&self) -> Via<'a> {
        self.top_via
    }

    /// How many more hops the request may take, from 0 to 255.
    #[must_use]
    pub const fn max_forwards(&self) -> Option<u32> {
        self.max_forwards
    }

    /// What follows the blank line, cut to `Content-Length`.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        slice(self.bytes, self.head.body_start()..self.bytes.len())
    }

    /// The first header of that kind.
    #[must_use]
    pub fn header(&self, kind: HeaderKind) -> Option<Header<'a>> {
        self.head.first(kind).map(|line| line.header(self.bytes))
    }

    /// All headers, in their order.
    pub fn headers(&self) -> impl Iterator<Item = Header<'a>> {
        self.head.lines().iter().map(|line| line.header(self.bytes))
    }

    /// The headers of that kind, in their order.
    pub fn headers_of(&self, kind: HeaderKind) -> impl Iterator<Item = Header<'a>> {
        self.head.lines_of(kind).map(|line| line.header(self.bytes))
    }

    /// The comma-separated values of all headers of that kind, in their order, without empty ones.
    ///
    /// Only for headers that are lists: the parameters of a challenge or of credentials are separated
    /// by commas too.
    pub fn values(&self, kind: HeaderKind) -> impl Iterator<Item = Value<'a>> {
        self.all_values(kind).filter(|value| !value.bytes.is_empty())
    }

    /// The addresses in `Route`, the next hop first.
    pub fn routes(&self) -> impl Iterator<Item = NameAddr<'a>> {
        self.addresses(HeaderKind::Route)
    }

    /// The addresses in `Contact`; none for `Contact: *`.
    pub fn contacts(&self) -> impl Iterator<Item = NameAddr<'a>> {
        self.addresses(HeaderKind::Contact)
    }

    /// The addresses in the headers of that kind; what is no address is left out.
    ///
    /// Everything in `Contact`, `Route`, `Record-Route`, `Path`, `Service-Route`,
    /// `P-Asserted-Identity`, `P-Preferred-Identity`, `Remote-Party-ID` and `Diversion` is one.
    pub fn addresses(&self, kind: HeaderKind) -> impl Iterator<Item = NameAddr<'a>> {
        self.values(kind).filter_map(|value| NameAddr::parse(value.bytes).ok())
    }

    /// Where a part of this message, as an accessor gave it, is in the message.
    ///
    /// `None` for bytes from elsewhere.
    #[must_use]
    pub fn range_of(&self, part: &[u8]) -> Option<Range<usize>> {
        let start = part.as_ptr().addr().checked_sub(self.bytes.as_ptr().addr())?;
        let end = start.checked_add(part.len())?;
        (end <= self.bytes.len()).then_some(start..end)
    }

    pub(super) const fn head(&self) -> &Head {
        &self.head
    }

    /// Like [`values`](Self::values), with empty ones.
    pub(super) fn all_values(&self, kind: HeaderKind) -> impl Iterator<Item = Value<'a>> {
        let lines = self.head.lines_of(kind);
        lines
            .flat_map(|line| Split::new(line.value(self.bytes), line.value_range(self.bytes).start))
    }
}

impl<'a> CSeq<'a> {
    fn parse(value: &'a [u8]) -> Result<Self, Malformed> {
        let (digits, rest) = take_while(value, Class::DIGIT);
        let method = trim_start(rest);
        if digits.is_empty() || !rest.first().is_some_and(|byte| is_lws(*byte)) || !is_token(method)
        {
            return Err(Malformed::CSeq);
        }
        let number = decimal(digits).filter(|number| *number < 1 << 31);
        Ok(Self { number: number.ok_or(Malformed::CSeqTooLarge)?, method: Method::of(method) })
    }
}

fn checked_call_id(value: &[u8]) -> Result<&[u8], Malformed> {
    let is_word = !value.is_empty() && Class::VISIBLE.has_all(value);
    is_word.then_some(value).ok_or(Malformed::CallId)
}

fn checked_max_forwards(head: &Head, bytes: &[u8]) -> Result<Option<u32>, Malformed> {
    let Some(line) = head.first(HeaderKind::MaxForwards) else {
        return Ok(None);
    };
    let hops = decimal(line.value(bytes)).filter(|hops| *hops <= 255);
    hops.map(Some).ok_or(Malformed::MaxForwards)
}

fn check_cseq_method(start_line: &StartLine<'_>, cseq: &CSeq<'_>) -> Result<(), Malformed> {
    match start_line {
        StartLine::Request { method, .. } if *method != cseq.method => Err(Malformed::CSeqMethod),
        StartLine::Request { .. } | StartLine::Response { .. } => Ok(()),
    }
}

/// Checks the headers that hold lists of addresses. `is_read` says whether the first Via line holds
/// nothing but the one value that was read.
fn check_lists(head: &Head, bytes: &[u8], mut is_read: bool) -> Result<(), Malformed> {
    let mut contacts = 0_usize;
    let mut has_wildcard = false;
    for line in head.lines() {
        if line.kind == HeaderKind::Via {
            if !std::mem::take(&mut is_read) {
                check_vias(line.value(bytes))?;
            }
            continue;
        }
        if line.kind.is_balanced() {
            check_balance(line.value(bytes))?;
        }
        if !line.kind.is_address_list() {
            continue;
        }
        let value = line.value(bytes);
        let is_contact = line.kind == HeaderKind::Contact;
        for address in Split::new(value, 0) {
            contacts += usize::from(is_contact);
            if is_contact && address.bytes == b"*" {
                has_wildcard = true;
            } else if let Err(error) = NameAddr::read(address.bytes) {
                // First the whole line: a quote that is never closed hides the commas after it.
                return Err(check_balance(value).err().unwrap_or(error));
            }
        }
    }
    if has_wildcard && contacts > 1 {
        return Err(Malformed::WildcardContact);
    }
    Ok(())
}

fn check_vias(value: &[u8]) -> Result<(), Malformed> {
    check_balance(value)?;
    // Once the top value is removed, an empty one would be the top.
    if Split::new(value, 0).any(|value| value.bytes.is_empty()) {
        return Err(Malformed::Via);
    }
    Ok(())
}
