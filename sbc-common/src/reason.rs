mod remedy;

/// What happens to a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The frame goes on to the network stack.
    Pass,
    /// The frame is freed in the driver's receive path.
    Drop,
}

impl Action {
    /// The name used in status, logs and the reference pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Drop => "drop",
        }
    }
}

macro_rules! reasons {
    ($($(#[doc = $text:literal])+ $variant:ident => $action:ident $name:literal,)+) => {
        /// Why a frame was passed or dropped: the one closed list that names every counter, event and
        /// line of documentation about a verdict. A reason implies its [`Action`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[must_use]
        pub enum Reason {
            $($(#[doc = $text])+ $variant,)+
        }

        impl Reason {
            /// Every reason, in the order of the counters.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// What happens to a frame with this reason.
            #[must_use]
            #[inline(always)]
            pub const fn action(self) -> Action {
                match self { $(Self::$variant => Action::$action,)+ }
            }

            /// The name used in status, logs and the reference pages.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// One or two sentences for the operator.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => concat!($($text),+).trim_ascii(),)+ }
            }
        }
    };
}

reasons! {
    /// Not IPv4 or IPv6: ARP, LLDP, spanning tree and the like are none of the filter's business.
    NotIp => Pass "not-ip",
    /// Not addressed to a protected service: routed traffic, ssh, ICMP, media.
    NotProtected => Pass "not-protected",
    /// An unexpired entry of the trust table opens this transport for the source.
    TrustedSource => Pass "trusted-source",
    /// A later fragment of a datagram whose first one passed.
    LaterFragment => Pass "later-fragment",
    /// A later fragment that arrived before the first, from a source that may send such packets and
    /// within its budget for early ones.
    EarlyFragment => Pass "early-fragment",
    /// From a trusted source, but with a hop limit that is not the source's, or by another way than an
    /// answer would leave: perhaps forged. It passes because these checks observe only.
    SuspectSource => Pass "suspect-source",
    /// A TCP segment to a TLS listener: strangers reach it so that they can prove who they are.
    TlsReachable => Pass "tls-reachable",
    /// A stranger's SIP request within the budget of the unknown lane, let up to be challenged.
    UnknownWithinBudget => Pass "unknown-within-budget",
    /// A SIP request from where somebody has proved himself of late, within the budget for those: the
    /// daemon may challenge it.
    OnProbation => Pass "on-probation",

    /// The frame ends inside its Ethernet or VLAN header.
    FrameTooShort => Drop "frame-too-short",
    /// More than two VLAN tags.
    TooManyVlanTags => Drop "too-many-vlan-tags",
    /// An IPv4 or IPv6 header whose version or lengths contradict each other or the frame.
    BadIpHeader => Drop "bad-ip-header",
    /// An IPv6 packet with an IPv4-mapped source or destination, which may not appear on a wire.
    MappedAddress => Drop "mapped-address",
    /// More IPv6 extension headers than the filter walks, to a protected address.
    TooManyExtensionHeaders => Drop "too-many-extension-headers",
    /// An IPv6 extension header that ends outside the packet, to a protected address.
    BadExtensionHeader => Drop "bad-extension-header",
    /// A UDP header that is cut off, or whose length contradicts the IP header, to a protected address.
    BadUdpHeader => Drop "bad-udp-header",
    /// A TCP header that is cut off, or with an impossible data offset or combination of flags, to a
    /// protected address.
    BadTcpHeader => Drop "bad-tcp-header",
    /// A fragment that no sender makes, to a protected address: it reaches into the first one's header,
    /// beyond the largest packet, or has an impossible length.
    BadFragment => Drop "bad-fragment",
    /// Another packet inside this one (IP in IP, GRE, Ethernet in IP), to a protected address: SIP could
    /// come in unseen.
    Tunnel => Drop "tunnel",
    /// Addressed to the socket that faces the upstream: nobody outside has business there, least of all
    /// who claims to be the upstream.
    InsideService => Drop "inside-service",
    /// A fragment to a protected address, from a source that no entry opens its transport for.
    UnknownFragment => Drop "unknown-fragment",
    /// A later fragment that says otherwise what the first one of its datagram said.
    OverlappingFragment => Drop "overlapping-fragment",
    /// A later fragment that arrived before the first, beyond its source's budget for early ones.
    EarlyFragmentsSpent => Drop "early-fragments-spent",
    /// The source is on the operator's list of denied sources.
    DeniedSource => Drop "denied-source",
    /// No entry of the trust table speaks for the source.
    UnknownSource => Drop "unknown-source",
    /// The source was trusted, but the lifetime of its entry is over.
    ExpiredSource => Drop "expired-source",
    /// The source is trusted, but its proof does not open this transport.
    TransportNotOpened => Drop "transport-not-opened",
    /// A trusted source beyond the budget of its entry.
    SourceBudgetSpent => Drop "source-budget-spent",
    /// From a trusted source, but with a hop limit that is not the source's: perhaps forged.
    StrangeHopLimit => Drop "strange-hop-limit",
    /// From a trusted source, but an answer to it would leave another way: perhaps forged.
    StrangePath => Drop "strange-path",
    /// SIP in clear, or a fragment of it, from a peer that has to speak through IPsec: what comes out of an
    /// association does not pass here.
    ClearOutsideIpsec => Drop "clear-outside-ipsec",
    /// ESP of an IPsec peer under a number that no association to this address has, or whose association is
    /// with another address.
    UnknownSpi => Drop "unknown-spi",
    /// IKE or ESP from a source that is not an IPsec peer.
    UnknownIpsecPeer => Drop "unknown-ipsec-peer",
    /// An attempt to connect to a TLS listener, beyond the budget of the stranger's neighbourhood (an
    /// IPv4 /24, an IPv6 /48).
    TlsNeighbourhoodSpent => Drop "tls-neighbourhood-spent",
    /// An attempt to connect to a TLS listener, beyond the budget of all strangers.
    TlsAttemptsSpent => Drop "tls-attempts-spent",
    /// A stranger's TCP segment to a TLS listener that does not ask for a connection and belongs to none.
    /// The network stack would answer it with a reset, to a source that may be forged.
    NoConnection => Drop "no-connection",
    /// A stranger's datagram that does not begin with a SIP method.
    NotASipRequest => Drop "not-a-sip-request",
    /// A SIP response from a stranger: nothing was asked of it.
    ResponseFromStranger => Drop "response-from-stranger",
    /// A stranger's SIP request beyond the budget of the unknown lane.
    UnknownBudgetSpent => Drop "unknown-budget-spent",
}

impl Reason {
    /// How many reasons there are.
    #[expect(clippy::cast_possible_truncation, reason = "a few dozen")]
    pub const COUNT: u32 = Self::ALL.len() as u32;

    /// The reason of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.name() == name)
    }

    /// Says whether samples of such frames are kept: of drops, and of what may have been forged.
    #[must_use]
    #[inline(always)]
    pub const fn is_sampled(self) -> bool {
        matches!(self.action(), Action::Drop) || matches!(self, Self::SuspectSource)
    }

    /// The index of this reason in the list.
    #[must_use]
    #[inline(always)]
    pub const fn index(self) -> u32 {
        self as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_in_the_list_is_the_index_of_the_counter() {
        for (position, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(reason.index() as usize, position);
        }
    }

    #[test]
    fn names_are_unique_and_kebab_case() {
        let mut names: Vec<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert!(names.iter().all(|name| {
            name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')
        }));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Reason::ALL.len());
    }
}
