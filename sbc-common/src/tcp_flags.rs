/// The control bits of a TCP header (RFC 9293 §3.1); none for UDP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags(pub(crate) u8);

impl TcpFlags {
    const FIN: u8 = 0x01;
    const SYN: u8 = 0x02;
    const RST: u8 = 0x04;
    const ACK: u8 = 0x10;

    /// Says whether a connection is asked for.
    #[must_use]
    #[inline(always)]
    pub const fn opens(self) -> bool {
        self.0 & (Self::SYN | Self::ACK) == Self::SYN
    }

    /// Says whether no TCP would send this: scanners do, to learn from what comes back.
    #[inline(always)]
    pub(crate) const fn is_impossible(self) -> bool {
        let connection = self.0 & (Self::SYN | Self::RST | Self::FIN);
        let acknowledges = self.0 & Self::ACK != 0;
        !(connection == Self::SYN
            || connection == Self::RST
            || acknowledges && (connection == 0 || connection == Self::FIN))
    }
}
