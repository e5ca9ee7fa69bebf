use super::Reason;

impl Reason {
    /// What an operator can do whose customer, carrier or telephone system meets this verdict.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::NotIp | Self::NotProtected | Self::TrustedSource | Self::LaterFragment => {
                "Nothing: it is as it should be."
            }
            Self::EarlyFragment => "Nothing: the network in between reorders packets.",
            Self::SuspectSource => {
                "`sbc capture --reason suspect-source` shows the packets. If they are the peer's own, leave \
                 `[kernel] hop-limits` and `[interface.outside] reverse-path` on observe."
            }
            Self::TlsReachable => {
                "Nothing. `refused connection` in `sbc status` says what became of the connections."
            }
            Self::UnknownWithinBudget | Self::OnProbation => {
                "Nothing: `sbc status` says what the daemon did with them."
            }
            Self::FrameTooShort
            | Self::TooManyVlanTags
            | Self::BadIpHeader
            | Self::MappedAddress
            | Self::TooManyExtensionHeaders
            | Self::BadExtensionHeader
            | Self::BadUdpHeader
            | Self::BadTcpHeader
            | Self::BadFragment
            | Self::OverlappingFragment => {
                "No sender in order makes them. If there are many, `sbc capture` shows from where they come."
            }
            Self::Tunnel => {
                "If this machine ends a tunnel at a protected address, write `[interface.outside] tunnels = \
                 \"pass\"`."
            }
            Self::InsideService => {
                "If it is the upstream's, it arrives on the wrong interface: look at `[interface.inside]` and \
                 `[upstream] address`."
            }
            Self::UnknownFragment => {
                "A customer's large messages: give him an entry that opens udp, or have him use TCP or TLS."
            }
            Self::EarlyFragmentsSpent => {
                "If the source is a peer's, raise `[limits] early-fragments`, or have it use TCP or TLS."
            }
            Self::DeniedSource => {
                "`sbc trust list` says whether it is banned and for how long; `sbc trust lift ADDRESS` ends that. \
                 Else it is in `[denied] sources`."
            }
            Self::UnknownSource => {
                "If it is a carrier, add a `[[peer]]` with its sources; if it is a phone, write `[unknown] action = \
                 \"challenge\"` or have it use TLS. Of strangers nothing has to be done."
            }
            Self::ExpiredSource => {
                "It has to prove itself again. If it is a phone, have it register more often than `[users] \
                 lifetime`; if it is a peer, look at its connection."
            }
            Self::TransportNotOpened => {
                "Add the transport to the peer's `opens`; a user's proof opens the transport that it came over."
            }
            Self::SourceBudgetSpent => "If the peer is really that busy, raise its `budget`.",
            Self::StrangeHopLimit => {
                "If the peer's route has changed, let it connect anew; else write `[kernel] hop-limits = \
                 \"observe\"`."
            }
            Self::StrangePath => {
                "If routes are asymmetric, write `[interface.outside] reverse-path = \"off\"`."
            }
            Self::ClearOutsideIpsec | Self::UnknownSpi => {
                "Look at the associations with the peer: `ip xfrm state`, and the lines of the peer in `sbc status`."
            }
            Self::UnknownIpsecPeer => {
                "If it is a gateway of a peer, add it to the peer's `sources` or `ipsec-gateways`."
            }
            Self::TlsNeighbourhoodSpent => {
                "If many customers share a network, raise `[limits] tls-attempts-per-network`, or list it as a \
                 peer's source."
            }
            Self::TlsAttemptsSpent => {
                "List the sources of carriers, which these limits do not concern; or raise `[limits] tls-attempts`."
            }
            Self::NoConnection => {
                "Nothing: connections that have ended, or somebody who looks for open ports."
            }
            Self::NotASipRequest | Self::ResponseFromStranger => {
                "Nothing, unless it is a peer without an entry: `sbc explain ADDRESS`."
            }
            Self::UnknownBudgetSpent => {
                "If phones are among them, they come in over TLS, or raise `[unknown] budget`; under load it is \
                 divided (`load` in `sbc status`)."
            }
        }
    }
}
