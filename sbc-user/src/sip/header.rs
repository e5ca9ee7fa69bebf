use std::ops::Range;

/// One header as it stands in a message, its folded lines included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// What the name means, in whichever form and case it was written.
    pub kind: HeaderKind,
    /// The name as it was written.
    pub name: &'a [u8],
    /// The value without white space around it; a fold inside is still CRLF and white space.
    pub value: &'a [u8],
    /// Where the whole line is in the message, with its CRLF.
    pub line: Range<usize>,
}

macro_rules! header_kinds {
    ($($kind:ident $name:literal),+ $(,)?) => {
        /// The headers that a proxy touches; every other one is `Other` and passes untouched.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum HeaderKind {
            $(#[doc = concat!("`", $name, "`")] $kind,)+
            /// A header without meaning for us.
            Other,
        }

        impl HeaderKind {
            /// Every kind but `Other`.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// How many there are, with `Other`.
            pub(super) const COUNT: usize = Self::ALL.len() + 1;

            /// The full name as the RFCs write it; `other` for `Other`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                    Self::Other => "other",
                }
            }
        }
    };
}

header_kinds! {
    Via "Via",
    From "From",
    To "To",
    CallId "Call-ID",
    CSeq "CSeq",
    Contact "Contact",
    Route "Route",
    RecordRoute "Record-Route",
    Path "Path",
    ServiceRoute "Service-Route",
    MaxForwards "Max-Forwards",
    ContentLength "Content-Length",
    ContentType "Content-Type",
    ContentEncoding "Content-Encoding",
    Authorization "Authorization",
    ProxyAuthorization "Proxy-Authorization",
    WwwAuthenticate "WWW-Authenticate",
    ProxyAuthenticate "Proxy-Authenticate",
    AuthenticationInfo "Authentication-Info",
    ProxyRequire "Proxy-Require",
    Require "Require",
    Supported "Supported",
    Unsupported "Unsupported",
    Allow "Allow",
    Expires "Expires",
    MinExpires "Min-Expires",
    SessionExpires "Session-Expires",
    RetryAfter "Retry-After",
    Timestamp "Timestamp",
    PAssertedIdentity "P-Asserted-Identity",
    PPreferredIdentity "P-Preferred-Identity",
    RemotePartyId "Remote-Party-ID",
    Diversion "Diversion",
    HistoryInfo "History-Info",
    Privacy "Privacy",
    Identity "Identity",
    ReferTo "Refer-To",
    ReferredBy "Referred-By",
    ReplyTo "Reply-To",
    Event "Event",
    AllowEvents "Allow-Events",
    Subject "Subject",
    UserAgent "User-Agent",
    Server "Server",
    Warning "Warning",
    CallInfo "Call-Info",
    Organization "Organization",
    InReplyTo "In-Reply-To",
    AttestationInfo "Attestation-Info",
    OriginationId "Origination-Id",
}

impl HeaderKind {
    /// Names a header, without regard to case, in its full or compact form.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        if name.len() == 1 {
            return Self::of_compact(name);
        }
        let kind = BY_SHAPE.get(shape(name)).copied().unwrap_or(Self::Other);
        let full = kind.name().as_bytes();
        if is_same(name, full) || name.eq_ignore_ascii_case(full) { kind } else { Self::Other }
    }

    /// The compact forms registered with IANA for the kinds we know.
    fn of_compact(name: &[u8]) -> Self {
        match name {
            b"v" | b"V" => Self::Via,
            b"f" | b"F" => Self::From,
            b"t" | b"T" => Self::To,
            b"i" | b"I" => Self::CallId,
            b"m" | b"M" => Self::Contact,
            b"l" | b"L" => Self::ContentLength,
            b"c" | b"C" => Self::ContentType,
            b"e" | b"E" => Self::ContentEncoding,
            b"k" | b"K" => Self::Supported,
            b"s" | b"S" => Self::Subject,
            b"o" | b"O" => Self::Event,
            b"u" | b"U" => Self::AllowEvents,
            b"r" | b"R" => Self::ReferTo,
            b"b" | b"B" => Self::ReferredBy,
            b"x" | b"X" => Self::SessionExpires,
            b"y" | b"Y" => Self::Identity,
            _ => Self::Other,
        }
    }

    /// Whether a message may have it only once, so that a second one is another identity.
    pub(super) const fn is_single(self) -> bool {
        matches!(
            self,
            Self::From
                | Self::To
                | Self::CallId
                | Self::CSeq
                | Self::MaxForwards
                | Self::ContentLength
        )
    }

    /// Whether its values are addresses that decide identity or routing, and so have to be readable.
    pub(super) const fn is_address_list(self) -> bool {
        matches!(
            self,
            Self::Contact
                | Self::Route
                | Self::RecordRoute
                | Self::Path
                | Self::ServiceRoute
                | Self::PAssertedIdentity
                | Self::PPreferredIdentity
                | Self::RemotePartyId
                | Self::Diversion
        )
    }

    /// Whether its quotes and angle brackets have to balance, though we do not read its addresses.
    pub(super) const fn is_balanced(self) -> bool {
        matches!(
            self,
            Self::Via | Self::ReferTo | Self::ReferredBy | Self::ReplyTo | Self::HistoryInfo
        )
    }
}

/// Compares two texts without the call that comparing slices is: by their two ends, which overlap.
#[inline]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    match one.len() {
        length if length != other.len() => false,
        2..4 => {
            one.first_chunk::<2>() == other.first_chunk()
                && one.last_chunk::<2>() == other.last_chunk()
        }
        4..8 => {
            one.first_chunk::<4>() == other.first_chunk()
                && one.last_chunk::<4>() == other.last_chunk()
        }
        8..=16 => {
            one.first_chunk::<8>() == other.first_chunk()
                && one.last_chunk::<8>() == other.last_chunk()
        }
        _ => one == other,
    }
}

const SHAPES: usize = 1 << 10;

/// Length and third letter, in whichever case: no two of our names share both.
const fn shape(name: &[u8]) -> usize {
    let third = if let [_, _, third, ..] = name { *third & 0x1f } else { 0 };
    (name.len() << 5 | third as usize) % SHAPES
}

/// The only kind that a name can have by its shape.
static BY_SHAPE: [HeaderKind; SHAPES] = {
    let mut kinds = [HeaderKind::Other; SHAPES];
    let mut rest = HeaderKind::ALL;
    while let [kind, after @ ..] = rest {
        let shape = shape(kind.name().as_bytes());
        #[expect(clippy::indexing_slicing, reason = "checked when this is compiled")]
        {
            assert!(matches!(kinds[shape], HeaderKind::Other), "two names have the same shape");
            kinds[shape] = *kind;
        }
        rest = after;
    }
    kinds
};
