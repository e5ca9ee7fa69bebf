use crate::packet::Segment;
use crate::{
    Address, FirstLine, Fragment, Frame, Lane, Packet, Protocol, Reason, Service, ServiceKey,
    Setting, SourceKey, Tables, TrustEntry, UnknownAction,
};

/// Decides what happens to one received frame, and why.
///
/// The rules stand here in the order in which they apply. The function reads `frame` from its first
/// byte on, once, within fixed bounds.
#[inline(always)]
pub fn decide<F: Frame, T: Tables>(frame: &mut F, tables: &mut T) -> Reason {
    let packet = match Packet::read(frame) {
        Ok(packet) => packet,
        Err(reason) => return reason,
    };
    match packet.segment {
        Segment::Unreadable(unreadable) if protects(tables, &packet.destination) => {
            unreadable.reason()
        }
        Segment::Portless { protocol } if protects(tables, &packet.destination) => {
            decide_fragment(tables, packet.source, 0, protocol)
        }
        Segment::Other | Segment::Unreadable(_) | Segment::Portless { .. } => Reason::NotProtected,
        Segment::Ports { protocol, source, destination } => {
            match service(tables, packet.destination, destination, protocol) {
                None => Reason::NotProtected,
                Some(Service::Inside) => Reason::InsideService,
                Some(_) if packet.fragment == Fragment::First => {
                    decide_fragment(tables, packet.source, source, protocol)
                }
                Some(Service::Tls) => decide_tls(tables, packet.source, source, protocol),
                Some(Service::ClearSip) => {
                    decide_clear_sip(frame, tables, packet.source, source, protocol)
                }
            }
        }
    }
}

/// A fragment passes only where an entry opens the transport that it is part of: a stranger's leaves
/// no state behind, here or in the reassembly queue of the network stack.
#[inline(always)]
fn decide_fragment<T: Tables>(
    tables: &T,
    source: Address,
    port: u16,
    protocol: Protocol,
) -> Reason {
    match standing(tables, source, port, protocol) {
        SourceStanding::Trusted => Reason::TrustedSource,
        SourceStanding::Denied => Reason::DeniedSource,
        SourceStanding::Unknown(_) => Reason::UnknownFragment,
    }
}

#[inline(always)]
fn decide_tls<T: Tables>(tables: &T, source: Address, port: u16, protocol: Protocol) -> Reason {
    match standing(tables, source, port, protocol) {
        SourceStanding::Denied => Reason::DeniedSource,
        SourceStanding::Trusted | SourceStanding::Unknown(_) => Reason::TlsReachable,
    }
}

#[inline(always)]
fn decide_clear_sip<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &mut T,
    source: Address,
    port: u16,
    protocol: Protocol,
) -> Reason {
    let refusal = match standing(tables, source, port, protocol) {
        SourceStanding::Trusted => return Reason::TrustedSource,
        SourceStanding::Denied => return Reason::DeniedSource,
        SourceStanding::Unknown(refusal) => refusal,
    };
    match UnknownAction::from_table(tables.setting(Setting::UnknownAction)) {
        UnknownAction::Drop => return refusal,
        UnknownAction::Challenge => {}
    }
    if protocol == Protocol::Udp {
        match FirstLine::read(frame) {
            FirstLine::Request => {}
            FirstLine::Response => return Reason::ResponseFromStranger,
            FirstLine::Other => return Reason::NotASipRequest,
        }
    }
    if tables.spend_unknown() { Reason::UnknownWithinBudget } else { Reason::UnknownBudgetSpent }
}

/// What the trust table says of a source and a transport.
enum SourceStanding {
    Trusted,
    Denied,
    /// Nothing opens the transport; the reason is the most telling one.
    Unknown(Reason),
}

/// Asks for the source's port, then for its address, then for the prefixes around it. The first
/// unexpired entry that denies the source or opens the transport decides: an entry for a port that
/// expired or opens something else does not shadow what is known of the address.
#[inline(always)]
fn standing<T: Tables>(
    tables: &T,
    source: Address,
    port: u16,
    protocol: Protocol,
) -> SourceStanding {
    let mut refusal = Reason::UnknownSource;
    if port != 0
        && let Some(entry) = tables.trusted_source(&SourceKey::new(source, port))
        && let Some(standing) = weigh(tables, entry, protocol, &mut refusal)
    {
        return standing;
    }
    if let Some(entry) = tables.trusted_source(&SourceKey::every_port(source))
        && let Some(standing) = weigh(tables, entry, protocol, &mut refusal)
    {
        return standing;
    }
    if let Some(entry) = tables.trusted_prefix(&source)
        && let Some(standing) = weigh(tables, entry, protocol, &mut refusal)
    {
        return standing;
    }
    SourceStanding::Unknown(refusal)
}

/// Returns the standing that `entry` gives, or leaves in `refusal` why it gives none.
#[inline(always)]
fn weigh<T: Tables>(
    tables: &T,
    entry: TrustEntry,
    protocol: Protocol,
    refusal: &mut Reason,
) -> Option<SourceStanding> {
    if entry.expires_at != TrustEntry::NEVER && entry.is_expired(tables.now()) {
        if *refusal == Reason::UnknownSource {
            *refusal = Reason::ExpiredSource;
        }
        return None;
    }
    match entry.lane() {
        Some(Lane::Denied) => Some(SourceStanding::Denied),
        Some(Lane::Static | Lane::Digest | Lane::Tls) if entry.transports.opens(protocol) => {
            Some(SourceStanding::Trusted)
        }
        Some(Lane::Static | Lane::Digest | Lane::Tls) => {
            *refusal = Reason::TransportNotOpened;
            None
        }
        None => None,
    }
}

#[inline(always)]
fn service<T: Tables>(
    tables: &T,
    address: Address,
    port: u16,
    protocol: Protocol,
) -> Option<Service> {
    if !tables.serves_port(port) {
        return None;
    }
    tables
        .service(&ServiceKey::new(address, port, protocol))
        .or_else(|| tables.service(&ServiceKey::new(address.wildcard(), port, protocol)))
}

#[inline(always)]
fn protects<T: Tables>(tables: &T, address: &Address) -> bool {
    tables.protects(address) || tables.protects(&address.wildcard())
}
