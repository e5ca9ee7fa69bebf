use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// A message as HEP3 carries it (the HEP3 network protocol specification, revision 12).
#[derive(Debug)]
pub(super) struct Packet<'a> {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    /// Over TCP, or TLS over TCP.
    pub(super) is_stream: bool,
    /// Since 1970.
    pub(super) at: Duration,
    pub(super) agent_id: u32,
    /// Empty for none.
    pub(super) password: &'a [u8],
    /// What the messages of one call have in common; empty for nothing.
    pub(super) correlation: &'a [u8],
    pub(super) payload: &'a [u8],
}

/// The types of chunks that we send, of the vendor 0.
#[derive(Clone, Copy)]
#[repr(u16)]
enum Chunk {
    Family = 0x01,
    Protocol = 0x02,
    SourceV4 = 0x03,
    DestinationV4 = 0x04,
    SourceV6 = 0x05,
    DestinationV6 = 0x06,
    SourcePort = 0x07,
    DestinationPort = 0x08,
    Seconds = 0x09,
    Microseconds = 0x0a,
    Kind = 0x0b,
    Agent = 0x0c,
    Password = 0x0e,
    Payload = 0x0f,
    Correlation = 0x11,
}

const MAGIC: &[u8; 4] = b"HEP3";
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const TCP: u8 = 6;
const UDP: u8 = 17;
const SIP: u8 = 1;
/// Vendor, type and length of a chunk.
const CHUNK_HEADER: usize = 6;
/// What one datagram over IPv4 has room for.
const LONGEST: usize = 65_507;
/// No collector looks for longer ones.
const LONGEST_CORRELATION: usize = 255;

impl Packet<'_> {
    /// The datagram; `None` if there is none so large.
    pub(super) fn encoded(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.payload.len().saturating_add(256));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[0; 2]);
        let mut add = |chunk: Chunk, value: &[u8]| {
            let length = u16::try_from(value.len().checked_add(CHUNK_HEADER)?).ok()?;
            bytes.extend_from_slice(&[0; 2]);
            bytes.extend_from_slice(&(chunk as u16).to_be_bytes());
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(value);
            Some(())
        };
        match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                add(Chunk::Family, &[AF_INET])?;
                add(Chunk::Protocol, &[self.protocol()])?;
                add(Chunk::SourceV4, &source.octets())?;
                add(Chunk::DestinationV4, &destination.octets())?;
            }
            (source, destination) => {
                add(Chunk::Family, &[AF_INET6])?;
                add(Chunk::Protocol, &[self.protocol()])?;
                add(Chunk::SourceV6, &as_v6(source))?;
                add(Chunk::DestinationV6, &as_v6(destination))?;
            }
        }
        add(Chunk::SourcePort, &self.source.port().to_be_bytes())?;
        add(Chunk::DestinationPort, &self.destination.port().to_be_bytes())?;
        // Its 32 bits end in 2106, and begin anew.
        let [_, _, _, _, seconds @ ..] = self.at.as_secs().to_be_bytes();
        add(Chunk::Seconds, &seconds)?;
        add(Chunk::Microseconds, &self.at.subsec_micros().to_be_bytes())?;
        add(Chunk::Kind, &[SIP])?;
        add(Chunk::Agent, &self.agent_id.to_be_bytes())?;
        if !self.password.is_empty() {
            add(Chunk::Password, self.password)?;
        }
        if !self.correlation.is_empty() {
            add(Chunk::Correlation, self.correlation)?;
        }
        add(Chunk::Payload, self.payload)?;
        let length = u16::try_from(bytes.len()).ok().filter(|_| bytes.len() <= LONGEST)?;
        bytes.get_mut(MAGIC.len()..)?.get_mut(..2)?.copy_from_slice(&length.to_be_bytes());
        Some(bytes)
    }

    const fn protocol(&self) -> u8 {
        if self.is_stream { TCP } else { UDP }
    }
}

fn as_v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// The first Call-ID of a message, which may be none of ours; empty if there is none.
pub(super) fn call_id(message: &[u8]) -> &[u8] {
    let mut lines = message.split(|byte| *byte == b'\n').skip(1).map(<[u8]>::trim_ascii_end);
    let found = lines.by_ref().take_while(|line| !line.is_empty()).find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at_checked(colon)?;
        let name = name.trim_ascii();
        let is_it = name.eq_ignore_ascii_case(b"call-id") || name.eq_ignore_ascii_case(b"i");
        is_it.then(|| value.get(1..).unwrap_or_default().trim_ascii())
    });
    let found = found.unwrap_or_default();
    found.get(..LONGEST_CORRELATION).unwrap_or(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet<'a>(source: &str, destination: &str, payload: &'a [u8]) -> Packet<'a> {
        Packet {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            is_stream: false,
            at: Duration::new(0x5566_7788, 2_000_000),
            agent_id: 2001,
            password: b"pw",
            correlation: b"one",
            payload,
        }
    }

    /// Written by hand from the specification's table of generic chunk types, which are numbers of vendor 0.
    #[test]
    fn a_datagram_is_what_the_specification_says() {
        #[rustfmt::skip]
        let expected: [&[u8]; 15] = [
            b"HEP3\x00\x77",
            &[0, 0, 0, 1, 0, 7, 2],
            &[0, 0, 0, 2, 0, 7, 17],
            &[0, 0, 0, 3, 0, 10, 198, 51, 100, 7],
            &[0, 0, 0, 4, 0, 10, 203, 0, 113, 1],
            &[0, 0, 0, 7, 0, 8, 0x13, 0xce],
            &[0, 0, 0, 8, 0, 8, 0x13, 0xc4],
            &[0, 0, 0, 9, 0, 10, 0x55, 0x66, 0x77, 0x88],
            &[0, 0, 0, 10, 0, 10, 0, 0, 0x07, 0xd0],
            &[0, 0, 0, 11, 0, 7, 1],
            &[0, 0, 0, 12, 0, 10, 0, 0, 0x07, 0xd1],
            b"\x00\x00\x00\x0e\x00\x08pw",
            b"\x00\x00\x00\x11\x00\x09one",
            b"\x00\x00\x00\x0f\x00\x09SIP",
            b"",
        ];
        let encoded = packet("198.51.100.7:5070", "203.0.113.1:5060", b"SIP").encoded().unwrap();
        assert_eq!(encoded, expected.concat());
        assert_eq!(encoded.len(), 0x77);
    }

    #[test]
    fn addresses_of_both_families_and_streams_are_told() {
        let v6 =
            Packet { is_stream: true, ..packet("[2001:db8::7]:5070", "[2001:db8::1]:5061", b"") };
        let encoded = v6.encoded().unwrap();
        let begins = [
            &[0, 0, 0, 1, 0, 7, 10, 0, 0, 0, 2, 0, 7, 6, 0, 0, 0, 5, 0, 22][..],
            &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7],
        ];
        assert!(encoded[6..].starts_with(&begins.concat()), "{encoded:x?}");
    }

    #[test]
    fn what_has_no_room_in_a_datagram_is_none() {
        let of = |length| packet("192.0.2.1:1", "192.0.2.2:1", &vec![b'x'; length]).encoded();
        assert_eq!(of(65_391).unwrap().len(), LONGEST);
        assert!(of(65_392).is_none() && of(65_535).is_none() && of(70_000).is_none());
    }

    #[test]
    fn a_call_id_is_found_in_headers_alone() {
        for (message, expected) in [
            ("INVITE sip:b SIP/2.0\r\nVia: x\r\nCall-ID: one@a \r\n\r\n", "one@a"),
            ("INVITE sip:b SIP/2.0\ni : two\n\n", "two"),
            ("INVITE sip:b SIP/2.0\r\n\r\nCall-ID: body\r\n", ""),
            ("Call-ID: no start line", ""),
            ("", ""),
        ] {
            assert_eq!(call_id(message.as_bytes()), expected.as_bytes(), "{message:?}");
        }
        let long = format!("x\nCall-ID: {}\n", "y".repeat(300));
        assert_eq!(call_id(long.as_bytes()).len(), LONGEST_CORRELATION);
    }
}
