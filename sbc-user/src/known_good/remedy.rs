use sbc_common::Reason;

/// What the operator can do so that packets of a known-good source are not dropped for this reason.
#[must_use]
pub const fn remedy(reason: Reason) -> &'static str {
    match reason {
        Reason::UnknownSource => {
            "add the address to sources of its peer; for users set unknown.action to \"challenge\", or let them come \
             over TLS"
        }
        Reason::ExpiredSource => {
            "have it prove itself more often than its entry expires: a longer lifetime of its peer or of [users], \
             shorter registrations, or unknown.action = \"challenge\""
        }
        Reason::TransportNotOpened => {
            "add the transport to opens of its peer, or have it use one that is there; for users set unknown.action \
             to \"challenge\""
        }
        Reason::UnknownFragment | Reason::EarlyFragmentsSpent => {
            "large messages came in fragments before their source was known: have it use TCP or TLS, add the address \
             to sources of its peer, or raise [limits] early-fragments"
        }
        Reason::UnknownBudgetSpent => "raise unknown.budget, or have it come over TLS",
        Reason::ResponseFromStranger => {
            "it answers from an address that no peer has: add that to sources of its peer"
        }
        Reason::SourceBudgetSpent => "raise budget of its peer, or of [users]",
        Reason::DeniedSource => "take it from denied.sources, or lift its ban (sbc trust lift)",
        Reason::StrangeHopLimit => {
            "its packets come another way than its TLS connections: set kernel.hop-limits to \"observe\""
        }
        Reason::StrangePath => {
            "answers leave by another interface: set interface.outside.reverse-path to \"observe\""
        }
        Reason::ClearOutsideIpsec | Reason::UnknownSpi => {
            "its packets do not come out of an association: look at its IPsec, and at require of its peer"
        }
        Reason::UnknownIpsecPeer => "add the address to sources or ipsec-gateways of its peer",
        Reason::TlsNeighbourhoodSpent => "raise limits.tls-attempts-per-network",
        Reason::TlsAttemptsSpent => "raise limits.tls-attempts",
        Reason::Tunnel => {
            "set interface.outside.tunnels to \"pass\", or have it come without the tunnel"
        }
        Reason::InsideService => {
            "it speaks to the address that is for the upstream: have it use a listener's"
        }
        Reason::FrameTooShort
        | Reason::TooManyVlanTags
        | Reason::BadIpHeader
        | Reason::MappedAddress
        | Reason::TooManyExtensionHeaders
        | Reason::BadExtensionHeader
        | Reason::BadUdpHeader
        | Reason::BadTcpHeader
        | Reason::BadFragment
        | Reason::OverlappingFragment => {
            "its packets are damaged: look at them with sbc capture, and at what is between"
        }
        Reason::NoConnection | Reason::NotASipRequest => "nothing: no call is lost by it",
        Reason::NotIp
        | Reason::NotProtected
        | Reason::TrustedSource
        | Reason::LaterFragment
        | Reason::EarlyFragment
        | Reason::SuspectSource
        | Reason::TlsReachable
        | Reason::UnknownWithinBudget
        | Reason::OnProbation => "nothing: it passes",
    }
}
