use crate::association::Encapsulated;
use crate::standing::{is_clear, standing};
use crate::{
    Action, AssociationKey, Budget, Carried, Carrier, Datagram, Family, FirstLine, Fragment, Frame,
    Later, Meter, Mode, Packet, Protocol, Reason, Scrutiny, Service, ServiceKey, Setting, Standing,
    StandingKind, Tables, Transports, TrustEntry, UnknownAction, Verdict,
};

/// What all those on probation may send together: who forges the addresses of many gets no more of the
/// daemon's time than it takes to challenge so many.
const RETURNING: Budget = Budget::per_second(20_000, 20_000);

/// Decides what happens to one received frame, and why. The frame is read from its first byte on, once,
/// within fixed bounds.
#[inline(always)]
pub fn decide<F: Frame, T: Tables>(frame: &mut F, tables: &mut T) -> Verdict {
    match Packet::read(frame) {
        Ok(packet) => decide_packet(&packet, frame, tables),
        Err(reason) => Verdict::unread(reason),
    }
}

/// Decides what happens to a packet whose headers are read; `payload` stands where they end.
///
/// The rules stand here in the order in which they apply. Apart from [`decide()`], so that the
/// in-kernel verifier can follow the two parts one after the other and not the product of their paths.
#[inline(always)]
pub fn decide_packet<F: Frame, T: Tables>(
    packet: &Packet,
    payload: &mut F,
    tables: &mut T,
) -> Verdict {
    let family = packet.family();
    let (carrier, claim) = match Claim::of(packet, tables) {
        Ok(claim) => claim,
        Err(reason) => {
            return Verdict { reason, lane: None, family, carrier: packet.carrier() };
        }
    };
    let standing = standing(tables, packet.source, claim.port, claim.transport);
    let reason = match claim.wants {
        Wanted::ClearSip => decide_clear_sip(payload, tables, packet, &standing),
        Wanted::Tls => decide_tls(tables, packet, &standing),
        Wanted::Ipsec => decide_ipsec(payload, tables, packet, &standing),
        Wanted::FirstFragment => decide_first_fragment(tables, packet, &standing, claim.transport),
        Wanted::LaterFragment => decide_later_fragment(tables, packet, &standing, claim.transport),
    };
    Verdict { reason, lane: standing.lane(), family, carrier }
}

/// What becomes of the frame: verdicts are carried out unless the operator only observes, or chose that
/// everything passes once the daemon has been silent for too long.
#[inline(always)]
pub fn carry_out<T: Tables>(verdict: Verdict, tables: &T) -> Action {
    match (verdict.action(), Mode::from_table(tables.setting(Setting::Mode))) {
        (Action::Pass, _) | (Action::Drop, Mode::Observe) => Action::Pass,
        (Action::Drop, Mode::Enforce) => {
            let longest = tables.setting(Setting::SilenceEndsEnforcement);
            let is_silent = longest != 0
                && tables.now().0.saturating_sub(tables.setting(Setting::Heartbeat)) > longest;
            if is_silent { Action::Pass } else { Action::Drop }
        }
    }
}

#[inline(always)]
fn budget<T: Tables>(tables: &T, interval: Setting, tolerance: Setting) -> Budget {
    Budget { interval: tables.setting(interval), tolerance: tables.setting(tolerance) }
}

/// What a packet to a protected address asks for, and what an entry has to open for it.
struct Claim {
    wants: Wanted,
    transport: Transports,
    /// The source port, zero where it is not known.
    port: u16,
}

/// Without any data: a variant that has none of another's would leave bytes undefined, which the in-kernel
/// verifier may take for a pointer.
enum Wanted {
    ClearSip,
    Tls,
    Ipsec,
    FirstFragment,
    LaterFragment,
}

impl Claim {
    /// Says what `packet` claims, or the reason that settles it whoever sent it.
    #[inline(always)]
    fn of<T: Tables>(packet: &Packet, tables: &T) -> Result<(Carrier, Self), Reason> {
        let is_whole = packet.fragment == Fragment::Whole;
        let protocol = match packet.carried {
            Carried::Udp => Protocol::Udp,
            Carried::Tcp => Protocol::Tcp,
            Carried::Esp => Protocol::Esp,
            Carried::Other | Carried::Tunnel => return Self::of_other(packet, tables),
        };
        let service = if packet.unreadable.is_none() && packet.fragment != Fragment::Later {
            tables.service(&ServiceKey::new(packet.destination, packet.destination_port, protocol))
        } else {
            None
        };
        let transport = match service {
            Some(Service::Inside) => return Err(Reason::InsideService),
            Some(Service::Tls) => Transports::TLS,
            Some(Service::Ipsec) => Transports::IPSEC,
            Some(Service::ClearSip) | None => Transports::over(protocol),
        };
        let (carrier, wants) = match service {
            Some(Service::ClearSip) if is_whole => (packet.carrier(), Wanted::ClearSip),
            Some(Service::Tls) if is_whole => (Carrier::Tls, Wanted::Tls),
            Some(Service::Ipsec) if is_whole => (Carrier::Ipsec, Wanted::Ipsec),
            _ => return Self::of_fragment(packet, tables, transport),
        };
        Ok((carrier, Self { wants, transport, port: packet.source_port }))
    }

    /// Of what is neither UDP nor TCP nor ESP, only tunnels and fragments are of interest.
    #[inline(always)]
    fn of_other<T: Tables>(packet: &Packet, tables: &T) -> Result<(Carrier, Self), Reason> {
        let is_tunnel =
            packet.carried == Carried::Tunnel && tables.setting(Setting::TunnelsPass) != 1;
        if is_tunnel && packet.unreadable.is_none() && tables.protects(&packet.destination) {
            return Err(Reason::Tunnel);
        }
        Self::of_fragment(packet, tables, Transports::NONE)
    }

    /// What is left: fragments and what cannot be read are of interest if they are addressed to where a
    /// service is, a whole packet is to none.
    #[inline(always)]
    fn of_fragment<T: Tables>(
        packet: &Packet,
        tables: &T,
        transport: Transports,
    ) -> Result<(Carrier, Self), Reason> {
        let is_whole = packet.fragment == Fragment::Whole;
        if is_whole && packet.unreadable.is_none() || !tables.protects(&packet.destination) {
            return Err(Reason::NotProtected);
        }
        if let Some(unreadable) = packet.unreadable {
            return Err(unreadable.reason());
        }
        let wants = match packet.fragment {
            Fragment::Later => Wanted::LaterFragment,
            Fragment::Whole | Fragment::First => Wanted::FirstFragment,
        };
        Ok((packet.carrier(), Self { wants, transport, port: packet.source_port }))
    }
}

impl Packet {
    /// The address family of its source.
    #[must_use]
    #[inline(always)]
    pub const fn family(&self) -> Family {
        if self.source.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }
    }

    #[inline(always)]
    pub(crate) const fn carrier(&self) -> Carrier {
        match self.carried {
            Carried::Udp => Carrier::Udp,
            Carried::Tcp => Carrier::Tcp,
            Carried::Esp => Carrier::Ipsec,
            Carried::Other | Carried::Tunnel => Carrier::Other,
        }
    }
}

#[inline(always)]
fn decide_clear_sip<F: Frame, T: Tables>(
    payload: &mut F,
    tables: &mut T,
    packet: &Packet,
    standing: &Standing,
) -> Reason {
    match standing.kind {
        StandingKind::Trusted if standing.entry.is_only_in_ipsec() => {
            return Reason::ClearOutsideIpsec;
        }
        StandingKind::Trusted => return decide_trusted(tables, packet, &standing.entry),
        StandingKind::Denied => return Reason::DeniedSource,
        StandingKind::Stranger | StandingKind::Unknown | StandingKind::Probation => {}
    }
    let protocol = if let Carried::Udp = packet.carried { Protocol::Udp } else { Protocol::Tcp };
    decide_stranger(payload, tables, standing, protocol, Meter::Unknown)
}

/// What the clear-text SIP of a stranger, or of somebody on probation, meets; a stranger's is at the expense
/// of `meter`. An address can be forged: whoever does that on probation spends what returning there is to cost,
/// and leaves who does return with what strangers have.
#[inline(always)]
pub(crate) fn decide_stranger<F: Frame, T: Tables>(
    payload: &mut F,
    tables: &mut T,
    standing: &Standing,
    protocol: Protocol,
    meter: Meter,
) -> Reason {
    // No stranger after all, and no challenge brings what is missing.
    if standing.refusal == Reason::ClearOutsideIpsec {
        return standing.refusal;
    }
    let action = UnknownAction::from_table(tables.setting(Setting::UnknownAction));
    let is_on_probation = standing.kind == StandingKind::Probation;
    if action == UnknownAction::Drop && !is_on_probation {
        return standing.refusal;
    }
    if protocol == Protocol::Udp {
        match FirstLine::read(payload) {
            FirstLine::Request => {}
            FirstLine::Response => return Reason::ResponseFromStranger,
            FirstLine::Other => return Reason::NotASipRequest,
        }
    }
    if is_on_probation && may_return(tables, &standing.entry) {
        return Reason::OnProbation;
    }
    if action == UnknownAction::Drop {
        return standing.refusal;
    }
    let budget = budget(tables, Setting::UnknownInterval, Setting::UnknownTolerance);
    if tables.spend(meter, budget) {
        Reason::UnknownWithinBudget
    } else {
        Reason::UnknownBudgetSpent
    }
}

/// Says whether the budget of the source, and that of all who return, has room for a packet.
#[inline(always)]
fn may_return<T: Tables>(tables: &mut T, entry: &TrustEntry) -> bool {
    let own = entry.pace.budget();
    own.is_none_or(|own| tables.spend(Meter::Source(entry.pace.slot), own))
        && tables.spend(Meter::Probation, RETURNING)
}

/// An address can be forged: a packet that claims a trusted one has to look like its packets. What
/// does not is refused before it can spend the source's budget.
#[inline(always)]
fn decide_trusted<T: Tables>(tables: &mut T, packet: &Packet, entry: &TrustEntry) -> Reason {
    let mut reason = Reason::TrustedSource;
    if !entry.hops.admits(packet.hop_limit) {
        match Scrutiny::from_table(tables.setting(Setting::HopLimits)) {
            Scrutiny::Enforce => return Reason::StrangeHopLimit,
            Scrutiny::Observe => reason = Reason::SuspectSource,
            Scrutiny::Off => {}
        }
    }
    let scrutiny = Scrutiny::from_table(tables.setting(Setting::ReversePath));
    if scrutiny != Scrutiny::Off && !tables.returns_the_same_way(packet) {
        if scrutiny == Scrutiny::Enforce {
            return Reason::StrangePath;
        }
        reason = Reason::SuspectSource;
    }
    match entry.pace.budget() {
        Some(budget) if !tables.spend(Meter::Source(entry.pace.slot), budget) => {
            Reason::SourceBudgetSpent
        }
        Some(_) | None => reason,
    }
}

/// Strangers reach TLS listeners, so that they can prove who they are. What they may ask for is new
/// connections, within a budget, and what they may send is segments of those.
#[inline(always)]
fn decide_tls<T: Tables>(tables: &mut T, packet: &Packet, standing: &Standing) -> Reason {
    let passes = match standing.kind {
        StandingKind::Denied => return Reason::DeniedSource,
        StandingKind::Trusted => Reason::TrustedSource,
        StandingKind::Stranger | StandingKind::Unknown | StandingKind::Probation => {
            Reason::TlsReachable
        }
    };
    let is_known =
        passes == Reason::TrustedSource || standing.refusal == Reason::TransportNotOpened;
    let neighbourhood =
        budget(tables, Setting::TlsAttemptsFromInterval, Setting::TlsAttemptsFromTolerance);
    let neighbourhood_meter = Meter::TlsAttemptsFrom(packet.source);
    if !packet.flags.opens() {
        // The network stack answers what belongs to no connection with a reset, to whoever the source
        // names. A peer needs one, to learn that its connection is forgotten; a flood of them it does not.
        let passes_on = tables.is_of_connection(packet)
            || is_known && tables.spend(neighbourhood_meter, neighbourhood);
        return if passes_on { passes } else { Reason::NoConnection };
    }
    // Attempts forged in the names of others must not keep a peer from coming back.
    if is_known {
        return passes;
    }
    if !tables.spend(neighbourhood_meter, neighbourhood) {
        return Reason::TlsNeighbourhoodSpent;
    }
    let all = budget(tables, Setting::TlsAttemptsInterval, Setting::TlsAttemptsTolerance);
    if tables.spend(Meter::TlsAttempts, all) {
        Reason::TlsReachable
    } else {
        Reason::TlsAttemptsSpent
    }
}

/// IKE and ESP are for the peers that may use them, and ESP is for associations that there are: what belongs
/// to none, or comes from elsewhere than its association does, is not worth the network stack's time.
#[inline(always)]
fn decide_ipsec<F: Frame, T: Tables>(
    payload: &mut F,
    tables: &T,
    packet: &Packet,
    standing: &Standing,
) -> Reason {
    let reason = decide_ipsec_peer(standing);
    let known_until = tables.setting(Setting::AssociationsUntil);
    if reason != Reason::TrustedSource || known_until == 0 || known_until <= tables.now().0 {
        return reason;
    }
    let spi = match Encapsulated::read(packet, payload) {
        Encapsulated::Ike => return reason,
        Encapsulated::Cut => return Reason::UnknownSpi,
        Encapsulated::Esp(spi) => spi,
    };
    match tables.association(&AssociationKey::new(packet.destination, spi)) {
        Some(source) if source == packet.source => reason,
        Some(_) | None => Reason::UnknownSpi,
    }
}

/// Whether IKE and ESP of a source are anybody's.
#[inline(always)]
pub(crate) const fn decide_ipsec_peer(standing: &Standing) -> Reason {
    match standing.kind {
        StandingKind::Trusted => Reason::TrustedSource,
        StandingKind::Denied => Reason::DeniedSource,
        StandingKind::Stranger | StandingKind::Unknown | StandingKind::Probation => {
            Reason::UnknownIpsecPeer
        }
    }
}

/// A fragment passes only where an entry opens the transport that it is part of: a stranger's leaves
/// no state behind, here or in the reassembly queue of the network stack, whatever it is part of.
#[inline(always)]
fn decide_first_fragment<T: Tables>(
    tables: &mut T,
    packet: &Packet,
    standing: &Standing,
    transport: Transports,
) -> Reason {
    match standing.kind {
        StandingKind::Trusted => {}
        StandingKind::Denied => return Reason::DeniedSource,
        StandingKind::Stranger | StandingKind::Unknown | StandingKind::Probation => {
            return Reason::UnknownFragment;
        }
    }
    if standing.entry.is_only_in_ipsec() && is_clear(transport) {
        return Reason::ClearOutsideIpsec;
    }
    // What proves itself is not judged by where it seems to come from.
    let reason = if transport == Transports::TLS || transport == Transports::IPSEC {
        Reason::TrustedSource
    } else {
        decide_trusted(tables, packet, &standing.entry)
    };
    if let Action::Pass = reason.action() {
        let datagram = Datagram::of(packet, tables.setting(Setting::Seed));
        let seen = datagram.first_seen(packet.place, tables.now());
        tables.remember(datagram, seen);
    }
    reason
}

/// Ports are in the first fragment alone, so a later one shares its verdict. One that overtook it
/// passes where the address may send such packets from any port, within a budget.
#[inline(always)]
fn decide_later_fragment<T: Tables>(
    tables: &mut T,
    packet: &Packet,
    standing: &Standing,
    transport: Transports,
) -> Reason {
    let may_be_early = match standing.kind {
        StandingKind::Denied => return Reason::DeniedSource,
        StandingKind::Stranger => return Reason::UnknownFragment,
        // A port of the address may be trusted, which this fragment does not tell.
        StandingKind::Unknown | StandingKind::Probation => false,
        // The first of what is in clear will not pass.
        StandingKind::Trusted => !(standing.entry.is_only_in_ipsec() && is_clear(transport)),
    };
    let datagram = Datagram::of(packet, tables.setting(Setting::Seed));
    match datagram.later(tables.first_seen(datagram), packet.place, tables.now()) {
        Later::Belongs => Reason::LaterFragment,
        Later::Overlaps => Reason::OverlappingFragment,
        Later::Early if !may_be_early => Reason::UnknownFragment,
        Later::Early => {
            let budget =
                budget(tables, Setting::EarlyFragmentsInterval, Setting::EarlyFragmentsTolerance);
            if tables.spend(Meter::EarlyFragmentsFrom(packet.source), budget) {
                Reason::EarlyFragment
            } else {
                Reason::EarlyFragmentsSpent
            }
        }
    }
}
