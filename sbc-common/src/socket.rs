use crate::decide::{decide_ipsec_peer, decide_stranger};
use crate::standing::standing;
use crate::{
    Carried, Carrier, Fragment, Frame, Meter, Packet, Protocol, Reason, Service, ServiceKey,
    StandingKind, Tables, Transports, Unreadable, Verdict,
};

/// Decides what happens to a packet that the network stack is about to hand to a socket, whichever way
/// it came: by an interface without the filter, out of a tunnel, or before the filter was attached.
/// The packet begins with its IP header and is reassembled.
#[inline(always)]
pub fn decide_at_socket<F: Frame, T: Tables>(packet: &mut F, tables: &mut T) -> Verdict {
    match Packet::read_without_link(packet) {
        Ok(read) => decide_packet_at_socket(&read, packet, tables),
        Err(reason) => Verdict::unread(reason),
    }
}

/// Decides about a packet whose headers are read, as [`decide_packet()`](crate::decide_packet) is to
/// [`decide()`](crate::decide()).
///
/// The same tables say who is let in. What a packet spends or betrays on the wire it has spent and
/// betrayed by now: no budget of a source is spent here, and hop limits and interfaces are those of the
/// way that it took.
#[inline(always)]
pub fn decide_packet_at_socket<F: Frame, T: Tables>(
    packet: &Packet,
    payload: &mut F,
    tables: &mut T,
) -> Verdict {
    let family = packet.family();
    let settled = |reason| Verdict { reason, lane: None, family, carrier: packet.carrier() };
    let (service, protocol) = match service(packet, tables) {
        Ok(found) => found,
        Err(reason) => return settled(reason),
    };
    let (carrier, transport) = match service {
        // This is where packets from inside arrive: the daemon compares their source with the upstream.
        Service::Inside => return settled(Reason::NotProtected),
        Service::ClearSip => (packet.carrier(), Transports::over(protocol)),
        Service::Tls => (Carrier::Tls, Transports::TLS),
        Service::Ipsec => (Carrier::Ipsec, Transports::IPSEC),
    };
    let standing = standing(tables, packet.source, packet.source_port, transport);
    let reason = match (standing.kind, service) {
        (StandingKind::Denied, _) => Reason::DeniedSource,
        (StandingKind::Trusted, _) => Reason::TrustedSource,
        (_, Service::Tls) => Reason::TlsReachable,
        (_, Service::Ipsec) => decide_ipsec_peer(&standing),
        // That it returns is no reason to let it in without what is asked of all that comes from there.
        (StandingKind::Probation, Service::ClearSip | Service::Inside)
            if standing.refusal == Reason::ClearOutsideIpsec =>
        {
            standing.refusal
        }
        // Its budget was spent on the wire.
        (StandingKind::Probation, Service::ClearSip | Service::Inside) => Reason::OnProbation,
        (StandingKind::Stranger | StandingKind::Unknown, Service::ClearSip | Service::Inside) => {
            decide_stranger(payload, tables, &standing, protocol, Meter::UnknownAtSocket)
        }
    };
    Verdict { reason, lane: standing.lane(), family, carrier }
}

/// The service that is asked for, or the reason that settles it.
#[inline(always)]
fn service<T: Tables>(packet: &Packet, tables: &T) -> Result<(Service, Protocol), Reason> {
    let protocol = match packet.carried {
        Carried::Udp => Protocol::Udp,
        Carried::Tcp => Protocol::Tcp,
        Carried::Esp => Protocol::Esp,
        Carried::Other | Carried::Tunnel => return Err(Reason::NotProtected),
    };
    let is_read = packet.unreadable.is_none() && packet.fragment == Fragment::Whole;
    if !is_read {
        if !tables.protects(&packet.destination) {
            return Err(Reason::NotProtected);
        }
        return Err(packet.unreadable.map_or(Reason::UnknownFragment, Unreadable::reason));
    }
    let key = ServiceKey::new(packet.destination, packet.destination_port, protocol);
    tables.service(&key).map(|service| (service, protocol)).ok_or(Reason::NotProtected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SliceFrame;

    const FROM_4: [u8; 4] = [198, 51, 100, 7];
    const TO_4: [u8; 4] = [203, 0, 113, 10];
    const PORTS: [u8; 4] = [0x9c, 0x40, 0x13, 0xc4];

    /// The headers of TCP segments that the network stack has joined; `length` is what the IP header says.
    fn joined(version: u8, length: u16) -> Vec<u8> {
        let [upper, lower] = length.to_be_bytes();
        let mut packet = match version {
            4 => {
                let start = [0x45, 0, upper, lower, 0, 7, 0x40, 0, 64, 6, 0, 0];
                [start.as_slice(), &FROM_4, &TO_4].concat()
            }
            _ => {
                [[0x60, 0, 0, 0, upper, lower, 6, 64].as_slice(), &[0x20; 16], &[0x21; 16]].concat()
            }
        };
        packet.extend(PORTS);
        packet.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]);
        packet
    }

    fn read(packet: &[u8], length: u32) -> Result<Packet, Reason> {
        Packet::read_without_link(&mut SliceFrame::beginning(packet, length))
    }

    #[test]
    fn segments_that_were_joined_to_more_than_a_header_can_tell_are_read() {
        for (version, headers) in [(4, 0), (6, 40)] {
            let packet = joined(version, 0);
            let longest = u32::from(u16::MAX) + headers;
            let segment = read(&packet, longest + 1).unwrap();
            assert_eq!(
                (segment.unreadable, segment.destination_port),
                (None, 5060),
                "IPv{version}"
            );
            // A length of zero in a packet that has room for its own is a lie.
            let refused = read(&packet, longest).map(|packet| packet.unreadable);
            assert!(!matches!(refused, Ok(None)), "IPv{version}: {refused:?}");
        }
    }

    #[test]
    fn a_length_beyond_the_packet_is_refused() {
        for version in [4, 6] {
            let packet = joined(version, 1000);
            assert_eq!(read(&packet, 500), Err(Reason::BadIpHeader), "IPv{version}");
        }
    }
}
