use std::net::IpAddr;

use etherparse::{LinkExtSlice, NetSlice, SlicedPacket, TransportSlice};

/// What a parser that shares no code with the product makes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) is_fragment: bool,
    /// Source and destination port of UDP or TCP.
    pub(crate) ports: Option<(u16, u16)>,
    /// Not known to be anything else.
    pub(crate) may_be_tcp: bool,
    /// Where the IP packet ends in the frame.
    pub(crate) end: usize,
}

impl Reading {
    /// `None` for what is not IP or cannot be read without contradiction.
    pub(crate) fn of(frame: &[u8]) -> Option<Self> {
        let packet = SlicedPacket::from_ethernet(frame).ok()?;
        let tags = packet.link_exts.iter().filter(|ext| matches!(ext, LinkExtSlice::Vlan(_)));
        let start = 14 + 4 * tags.count();
        let (source, destination, is_fragment, end) = match packet.net.as_ref()? {
            NetSlice::Ipv4(ip) => {
                let header = ip.header();
                (
                    IpAddr::from(header.source_addr()),
                    IpAddr::from(header.destination_addr()),
                    ip.is_payload_fragmented(),
                    start + usize::from(header.total_len()),
                )
            }
            NetSlice::Ipv6(ip) => {
                let header = ip.header();
                (
                    IpAddr::from(header.source_addr()),
                    IpAddr::from(header.destination_addr()),
                    ip.is_payload_fragmented(),
                    start + 40 + usize::from(header.payload_length()),
                )
            }
            NetSlice::Arp(_) => return None,
        };
        let (may_be_tcp, ports) = match packet.transport {
            Some(TransportSlice::Udp(udp)) => {
                (false, Some((udp.source_port(), udp.destination_port())))
            }
            Some(TransportSlice::Tcp(tcp)) => {
                (true, Some((tcp.source_port(), tcp.destination_port())))
            }
            Some(
                TransportSlice::Icmpv4(_) | TransportSlice::Icmpv6(_) | TransportSlice::Igmp(_),
            ) => (false, None),
            // A later fragment, or behind a header that this parser does not walk.
            None => (true, None),
        };
        Some(Self { source, destination, is_fragment, ports, may_be_tcp, end })
    }
}

#[test]
fn the_frames_of_the_rows_are_what_their_builder_says() {
    use crate::ends::{FAMILIES, IPV4};
    use crate::frames::{Frame, SERVICE_VLAN, VLAN};

    for ends in &FAMILIES {
        let frame = Frame::tcp(ends.peer, ends.edge).tagged(&[SERVICE_VLAN, VLAN]).sent_to(5061);
        let whole = Reading::of(&frame.clone().padded_with(&[0; 9]).build()).unwrap();
        assert_eq!(whole.source, ends.peer.parse::<IpAddr>().unwrap());
        assert_eq!(whole.destination, ends.edge.parse::<IpAddr>().unwrap());
        assert_eq!((whole.may_be_tcp, whole.ports), (true, Some((5060, 5061))));
        assert_eq!((whole.is_fragment, whole.end), (false, frame.build().len()));

        let first = Reading::of(&frame.fragment(0, true).build()).unwrap();
        assert!(first.is_fragment);
    }
    let options = Frame::udp(IPV4.peer, IPV4.edge).with_ipv4_options(10).build();
    assert_eq!(Reading::of(&options).unwrap().ports, Some((5060, 5060)));
}
