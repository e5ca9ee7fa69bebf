use crate::Frame;

/// What the first bytes of a datagram look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstLine {
    /// It begins with a registered SIP method and a space.
    Request,
    /// It begins with the SIP version (RFC 3261 §7.2).
    Response,
    /// Neither.
    Other,
}

impl FirstLine {
    /// Looks at the next twelve bytes; the shortest request is longer. Keeps noise out of user
    /// space: the daemon judges what passes.
    #[inline(always)]
    pub fn read<F: Frame>(frame: &mut F) -> Self {
        let Some(words) = frame.words::<3>() else { return Self::Other };
        let start: [u8; 12] = zerocopy::transmute!(words);
        match start {
            [b'S', b'I', b'P', b'/', b'2', b'.', b'0', b' ', ..] => Self::Response,
            [b'I', b'N', b'V', b'I', b'T', b'E', b' ', ..]
            | [b'R', b'E', b'G', b'I', b'S', b'T', b'E', b'R', b' ', ..]
            | [b'O', b'P', b'T', b'I', b'O', b'N', b'S', b' ', ..]
            | [b'A', b'C', b'K', b' ', ..]
            | [b'B', b'Y', b'E', b' ', ..]
            | [b'C', b'A', b'N', b'C', b'E', b'L', b' ', ..]
            | [b'M', b'E', b'S', b'S', b'A', b'G', b'E', b' ', ..]
            | [b'N', b'O', b'T', b'I', b'F', b'Y', b' ', ..]
            | [b'P', b'R', b'A', b'C', b'K', b' ', ..]
            | [b'P', b'U', b'B', b'L', b'I', b'S', b'H', b' ', ..]
            | [b'I', b'N', b'F', b'O', b' ', ..]
            | [b'R', b'E', b'F', b'E', b'R', b' ', ..]
            | [b'S', b'U', b'B', b'S', b'C', b'R', b'I', b'B', b'E', b' ', ..]
            | [b'U', b'P', b'D', b'A', b'T', b'E', b' ', ..] => Self::Request,
            _ => Self::Other,
        }
    }
}
