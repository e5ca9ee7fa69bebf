use crate::{
    Address, Coarse, Filter, Gate, Lane, Reason, Setting, SourceKey, Tables, Transports, TrustEntry,
};

/// What the trust tables say of a source and a transport. Every field has a value whatever is known:
/// in the kernel, one half of the program leaves it in memory for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How the source stands.
    pub kind: StandingKind,
    /// The most telling reason why nothing opens the transport.
    pub refusal: Reason,
    /// The entry that opens the transport, or did until of late; one that opens nothing if there is none.
    pub entry: TrustEntry,
}

/// How a source stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandingKind {
    /// The tables hold nothing near it.
    Stranger,
    /// Something is known near it, and nothing opens the transport for it.
    Unknown,
    /// A live entry denies it.
    Denied,
    /// Nothing opens the transport for it, but a live entry says that it was open until of late.
    Probation,
    /// A live entry opens the transport for it.
    Trusted,
}

impl Standing {
    /// Nothing is known to speak for the source.
    pub const UNKNOWN: Self = Self::nothing(StandingKind::Unknown, Reason::UnknownSource);

    #[inline(always)]
    const fn nothing(kind: StandingKind, refusal: Reason) -> Self {
        let entry = TrustEntry::new(Lane::Denied, Transports::NONE, 0, 0);
        Self { kind, refusal, entry }
    }

    /// The proof that made it.
    #[inline(always)]
    pub(crate) const fn lane(&self) -> Option<Lane> {
        match self.kind {
            StandingKind::Trusted | StandingKind::Probation => self.entry.lane(),
            StandingKind::Denied => Some(Lane::Denied),
            StandingKind::Stranger | StandingKind::Unknown => None,
        }
    }
}

/// How `source` stands. A stranger is told by the gate, and costs no look-up.
#[inline(always)]
pub(crate) fn standing<T: Tables>(
    tables: &T,
    source: Address,
    port: u16,
    transport: Transports,
) -> Standing {
    let gate = gate(tables, &source);
    if gate == Gate::CLOSED {
        return Standing::nothing(StandingKind::Stranger, Reason::UnknownSource);
    }
    tables.look_up(gate, source, port, transport)
}

/// Asks for the source's port, then for its address, then for the /64 around it if it is IPv6, then for
/// the prefixes around it. The first unexpired entry that denies the source or opens the transport
/// decides: an entry for a port that expired or opens something else does not shadow what is known of
/// the address.
#[inline(always)]
pub fn look_up<T: Tables>(
    tables: &T,
    gate: Gate,
    source: Address,
    port: u16,
    transport: Transports,
) -> Standing {
    let mut otherwise = Standing::UNKNOWN;
    if gate.source {
        if port != 0
            && let Some(entry) = tables.trusted_source(&SourceKey::new(source, port))
            && let Some(standing) = weigh(tables, entry, transport, &mut otherwise)
        {
            return standing;
        }
        if let Some(entry) = tables.trusted_source(&SourceKey::every_port(source))
            && let Some(standing) = weigh(tables, entry, transport, &mut otherwise)
        {
            return standing;
        }
        if !source.is_ipv4()
            && let Some(entry) = tables.trusted_source(&SourceKey::subnet(source))
            && let Some(standing) = weigh(tables, entry, transport, &mut otherwise)
        {
            return standing;
        }
    }
    if gate.prefix
        && let Some(entry) = tables.trusted_prefix(&source)
        && let Some(standing) = weigh(tables, entry, transport, &mut otherwise)
    {
        return standing;
    }
    otherwise
}

/// What the tables may hold for `source`.
#[inline(always)]
pub(crate) fn gate<T: Tables>(tables: &T, source: &Address) -> Gate {
    let place = Coarse::place(source);
    let mut gate = Coarse::read(tables.coarse(Coarse::word(place)), place);
    if gate.source {
        #[expect(clippy::cast_possible_truncation, reason = "a number of words")]
        let words = tables.setting(Setting::FilterWords) as u32;
        let filter = Filter::new(words, tables.setting(Setting::Seed));
        let hash = filter.hash(source);
        let first = filter.first(hash);
        gate.source = first.is_in(tables.filter(first.word)) && {
            let second = filter.second(hash);
            second.is_in(tables.filter(second.word))
        };
    }
    gate
}

/// Returns the standing that `entry` gives, or leaves in `otherwise` why it gives none that others could not
/// better.
#[inline(always)]
fn weigh<T: Tables>(
    tables: &T,
    entry: TrustEntry,
    transport: Transports,
    otherwise: &mut Standing,
) -> Option<Standing> {
    let is_bound = entry.is_only_in_ipsec() && is_clear(transport);
    if entry.expires_at != TrustEntry::NEVER && entry.is_expired(tables.now()) {
        if is_bound {
            // What is asked of the source outlasts what it has proven.
            otherwise.refusal = Reason::ClearOutsideIpsec;
        } else if otherwise.refusal == Reason::UnknownSource {
            otherwise.refusal = Reason::ExpiredSource;
        }
        return None;
    }
    match entry.lane() {
        Some(Lane::Denied) => {
            Some(Standing { kind: StandingKind::Denied, refusal: otherwise.refusal, entry })
        }
        Some(Lane::Probation) => {
            if entry.transports.contains(transport) {
                otherwise.kind = StandingKind::Probation;
                otherwise.entry = entry;
            }
            None
        }
        Some(Lane::Static | Lane::Digest | Lane::Tls | Lane::Ipsec | Lane::Dns)
            if entry.transports.contains(transport) =>
        {
            Some(Standing { kind: StandingKind::Trusted, refusal: otherwise.refusal, entry })
        }
        Some(Lane::Static | Lane::Digest | Lane::Tls | Lane::Ipsec | Lane::Dns) => {
            if is_bound {
                otherwise.refusal = Reason::ClearOutsideIpsec;
            } else if otherwise.refusal != Reason::ClearOutsideIpsec {
                otherwise.refusal = Reason::TransportNotOpened;
            }
            None
        }
        None => None,
    }
}

/// Says whether `transport` is one of those that carry SIP in clear.
#[inline(always)]
pub(crate) const fn is_clear(transport: Transports) -> bool {
    transport.bits() != 0 && Transports::CLEAR.contains(transport)
}
