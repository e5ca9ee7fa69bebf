use crate::sip::{HeaderKind, Message, Via};

/// What names a transaction: the same in a request, its retransmissions, its CANCEL, the ACK to its
/// rejection, and, one Via further down, in its responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionFacts<'a> {
    branch: &'a [u8],
    sent_by: &'a [u8],
    pub(super) port: u16,
    call_id: &'a [u8],
    from_tag: &'a [u8],
    pub(super) number: u32,
}

impl<'a> TransactionFacts<'a> {
    /// Reads a request as its sender made it.
    #[must_use]
    pub fn of_request(request: &Message<'a>) -> Self {
        let via = request.top_via();
        Self::new(request, via.branch, via.host, via.port)
    }

    /// Reads a response to a request that we forwarded: the sender's Via is the second.
    #[must_use]
    pub fn of_response(response: &Message<'a>) -> Option<Self> {
        let second = response.values(HeaderKind::Via).nth(1)?;
        Self::of_response_to(response, second.bytes)
    }

    /// Reads a response to a request whose sender's Via this is.
    pub(super) fn of_response_to(response: &Message<'a>, via: &'a [u8]) -> Option<Self> {
        let via = Via::parse(via).ok()?;
        Some(Self::new(response, via.branch, via.host, via.port))
    }

    fn new(
        message: &Message<'a>,
        branch: Option<&'a [u8]>,
        sent_by: &'a [u8],
        port: Option<u16>,
    ) -> Self {
        Self {
            branch: branch.unwrap_or_default(),
            sent_by,
            port: port.unwrap_or_default(),
            call_id: message.call_id(),
            from_tag: message.from().tag.unwrap_or_default(),
            number: message.cseq().number,
        }
    }
}

impl TransactionFacts<'_> {
    pub(super) fn headers<'a>(&'a self, port: &'a [u8], number: &'a [u8]) -> [&'a [u8]; 7] {
        [b"branch", self.branch, self.sent_by, port, self.call_id, self.from_tag, number]
    }
}
