use thiserror::Error;

use super::header::HeaderKind;

/// Why the bytes are not a SIP message that every parser reads the same way.
///
/// The peer is at fault in every case. Holds nothing of the message, so it may be logged and counted.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    /// More than [`MAX_MESSAGE`](super::MAX_MESSAGE) bytes.
    #[error("the message is longer than 65,535 bytes")]
    MessageTooLarge,
    /// On a stream: no blank line within [`MAX_STREAM_HEAD`](super::MAX_STREAM_HEAD) bytes.
    #[error("the header section is longer than 16 KiB")]
    HeadTooLarge,
    /// More than [`MAX_HEADERS`](super::MAX_HEADERS) header lines.
    #[error("there are more than 96 header lines")]
    TooManyHeaders,
    /// A CR without LF in the header section.
    #[error("a CR without LF")]
    BareCarriageReturn,
    /// An LF without CR in the header section.
    #[error("an LF without CR")]
    BareLineFeed,
    /// A NUL in the header section.
    #[error("a NUL in the header section")]
    NulByte,
    /// The header section does not end.
    #[error("no blank line after the headers")]
    MissingBlankLine,
    /// Neither `METHOD SP URI SP SIP/2.0` nor `SIP/2.0 SP 3DIGIT SP [reason]`.
    #[error("neither a request line nor a status line")]
    StartLine,
    /// A SIP version other than 2.0.
    #[error("not SIP/2.0")]
    UnsupportedVersion,
    /// White space before the first header name: a fold of the start line, or nothing.
    #[error("white space before the first header name")]
    LeadingWhitespace,
    /// A folded line without content, which some read as the end of the headers.
    #[error("a folded line without content")]
    BlankFold,
    /// A header line that does not begin with a token and a colon.
    #[error("a header line does not begin with a name and a colon")]
    HeaderName,
    /// A header that may be there once is there twice, in whichever form.
    #[error("{} is there more than once", .0.name())]
    DuplicateHeader(HeaderKind),
    /// A header that every message has (RFC 3261 §8.1.1), or that every stream needs, is not there.
    #[error("{} is missing", .0.name())]
    MissingHeader(HeaderKind),
    /// `CSeq` is not a number and a method.
    #[error("CSeq is not a number and a method")]
    CSeq,
    /// The number in `CSeq` is 2^31 or more (RFC 3261 §8.1.1.5).
    #[error("the number in CSeq is too large")]
    CSeqTooLarge,
    /// The method in `CSeq` is not that of the request.
    #[error("the method in CSeq is not that of the request")]
    CSeqMethod,
    /// `Call-ID` is empty, or holds white space or bytes that are not visible ASCII.
    #[error("Call-ID is not one word")]
    CallId,
    /// `Max-Forwards` is not a number from 0 to 255 (RFC 3261 §20.22).
    #[error("Max-Forwards is not a number from 0 to 255")]
    MaxForwards,
    /// `Content-Length` is not a number.
    #[error("Content-Length is not a number")]
    ContentLength,
    /// `Content-Length` is more than what is there.
    #[error("Content-Length is more than what is there")]
    BodyTooShort,
    /// The top `Via` cannot be read, or names a parameter twice that routes the response.
    #[error("the top Via cannot be read")]
    Via,
    /// A quoted string is not closed.
    #[error("a quoted string is not closed")]
    UnbalancedQuotes,
    /// `<` and `>` do not come in pairs.
    #[error("angle brackets do not come in pairs")]
    UnbalancedAngleBrackets,
    /// Neither `[display-name] <URI>;params` nor `URI;params`.
    #[error("an address is neither a URI nor a name with a URI")]
    NameAddr,
    /// A header parameter is not `name` or `name=value`.
    #[error("a header parameter cannot be read")]
    Parameter,
    /// A `tag` is empty, or there are two.
    #[error("a tag is empty or there are two")]
    Tag,
    /// `Contact: *` next to another contact.
    #[error("Contact: * next to another contact")]
    WildcardContact,
    /// No scheme, or one that is not a name.
    #[error("a URI without scheme")]
    UriScheme,
    /// White space, a control character, a quote or an angle bracket in a URI.
    #[error("a character that no URI has")]
    UriCharacter,
    /// A second `@` in a SIP URI.
    #[error("a second @ in a URI")]
    UriSecondAt,
    /// The user part is empty or holds what RFC 3261 §25.1 does not allow there.
    #[error("the user part of a URI cannot be read")]
    UriUser,
    /// The host is not a name, an IPv4 address or a bracketed IPv6 address.
    #[error("the host of a URI cannot be read")]
    UriHost,
    /// The port is not a number up to 65,535.
    #[error("the port of a URI is not a number up to 65,535")]
    UriPort,
    /// A URI parameter cannot be read, or one that decides routing is there twice.
    #[error("a parameter of a URI cannot be read")]
    UriParameter,
    /// The headers part of a URI cannot be read.
    #[error("the headers of a URI cannot be read")]
    UriHeaders,
    /// A Request-URI with a headers part (RFC 3261 §19.1.1 forbids it): the next hop could take
    /// headers from it that were never screened.
    #[error("the Request-URI brings headers")]
    RequestUriHeaders,
}

impl Malformed {
    /// The stable kebab-case name under which it is counted.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MessageTooLarge => "message-too-large",
            Self::HeadTooLarge => "head-too-large",
            Self::TooManyHeaders => "too-many-headers",
            Self::BareCarriageReturn => "bare-carriage-return",
            Self::BareLineFeed => "bare-line-feed",
            Self::NulByte => "nul-byte",
            Self::MissingBlankLine => "missing-blank-line",
            Self::StartLine => "start-line",
            Self::UnsupportedVersion => "unsupported-version",
            Self::LeadingWhitespace => "leading-whitespace",
            Self::BlankFold => "blank-fold",
            Self::HeaderName => "header-name",
            Self::DuplicateHeader(_) => "duplicate-header",
            Self::MissingHeader(_) => "missing-header",
            Self::CSeq => "cseq",
            Self::CSeqTooLarge => "cseq-too-large",
            Self::CSeqMethod => "cseq-method",
            Self::CallId => "call-id",
            Self::MaxForwards => "max-forwards",
            Self::ContentLength => "content-length",
            Self::BodyTooShort => "body-too-short",
            Self::Via => "via",
            Self::UnbalancedQuotes => "unbalanced-quotes",
            Self::UnbalancedAngleBrackets => "unbalanced-angle-brackets",
            Self::NameAddr => "name-addr",
            Self::Parameter => "parameter",
            Self::Tag => "tag",
            Self::WildcardContact => "wildcard-contact",
            Self::UriScheme => "uri-scheme",
            Self::UriCharacter => "uri-character",
            Self::UriSecondAt => "uri-second-at",
            Self::UriUser => "uri-user",
            Self::UriHost => "uri-host",
            Self::UriPort => "uri-port",
            Self::UriParameter => "uri-parameter",
            Self::UriHeaders => "uri-headers",
            Self::RequestUriHeaders => "request-uri-headers",
        }
    }
}
