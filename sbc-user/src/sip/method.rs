use rsip::Method as KnownMethod;

/// A request method, compared with case (RFC 3261 §7.1): `invite` is an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method<'a> {
    /// A method of the standard vocabulary.
    Known(KnownMethod),
    /// Any other token, as it was on the wire.
    Extension(&'a [u8]),
}

impl<'a> Method<'a> {
    /// Names a token; the caller knows that it is one.
    pub(super) fn of(token: &'a [u8]) -> Self {
        let known = match token {
            b"ACK" => KnownMethod::Ack,
            b"BYE" => KnownMethod::Bye,
            b"CANCEL" => KnownMethod::Cancel,
            b"INFO" => KnownMethod::Info,
            b"INVITE" => KnownMethod::Invite,
            b"MESSAGE" => KnownMethod::Message,
            b"NOTIFY" => KnownMethod::Notify,
            b"OPTIONS" => KnownMethod::Options,
            b"PRACK" => KnownMethod::PRack,
            b"PUBLISH" => KnownMethod::Publish,
            b"REFER" => KnownMethod::Refer,
            b"REGISTER" => KnownMethod::Register,
            b"SUBSCRIBE" => KnownMethod::Subscribe,
            b"UPDATE" => KnownMethod::Update,
            _ => return Self::Extension(token),
        };
        Self::Known(known)
    }

    /// The method as it is on the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        match self {
            Self::Known(KnownMethod::Ack) => b"ACK",
            Self::Known(KnownMethod::Bye) => b"BYE",
            Self::Known(KnownMethod::Cancel) => b"CANCEL",
            Self::Known(KnownMethod::Info) => b"INFO",
            Self::Known(KnownMethod::Invite) => b"INVITE",
            Self::Known(KnownMethod::Message) => b"MESSAGE",
            Self::Known(KnownMethod::Notify) => b"NOTIFY",
            Self::Known(KnownMethod::Options) => b"OPTIONS",
            Self::Known(KnownMethod::PRack) => b"PRACK",
            Self::Known(KnownMethod::Publish) => b"PUBLISH",
            Self::Known(KnownMethod::Refer) => b"REFER",
            Self::Known(KnownMethod::Register) => b"REGISTER",
            Self::Known(KnownMethod::Subscribe) => b"SUBSCRIBE",
            Self::Known(KnownMethod::Update) => b"UPDATE",
            Self::Extension(token) => token,
        }
    }

    /// Whether it is this method of the standard vocabulary.
    #[must_use]
    pub fn is(&self, known: KnownMethod) -> bool {
        *self == Self::Known(known)
    }
}
