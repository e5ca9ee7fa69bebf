use std::borrow::Cow;
use std::time::Duration;

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use pcap_file::{DataLink, Endianness, TsResolution};
use proptest::prelude::*;

use super::{CaptureError, CaptureReader, CaptureWriter, CapturedFrame};

const AT: u64 = 1_700_000_000_123_456_000;

fn frames() -> Vec<CapturedFrame> {
    vec![
        CapturedFrame { at: AT, length: 5, kept: vec![1, 2, 3, 4, 5] },
        CapturedFrame { at: AT + 1000, length: 1500, kept: vec![7; 60] },
        CapturedFrame { at: AT + 5000, length: 0, kept: vec![] },
    ]
}

fn pcap(endianness: Endianness, ts_resolution: TsResolution, datalink: DataLink) -> Vec<u8> {
    let header = PcapHeader { endianness, ts_resolution, datalink, ..PcapHeader::default() };
    let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
    for frame in frames() {
        let at = Duration::from_nanos(frame.at);
        writer.write_packet(&PcapPacket::new(at, frame.length, &frame.kept)).unwrap();
    }
    writer.into_writer()
}

fn pcapng() -> Vec<u8> {
    let mut writer = CaptureWriter::new(Vec::new()).unwrap();
    for (interface, frame) in [3, 8, 3].into_iter().zip(frames()) {
        writer.write(interface, &format!("wan{interface}"), &frame, "unknown-source drop").unwrap();
    }
    writer.finish().unwrap()
}

fn read(bytes: &[u8]) -> Result<Vec<CapturedFrame>, CaptureError> {
    CaptureReader::new(bytes)?.collect()
}

#[test]
fn a_pcap_is_read_in_either_byte_order_and_resolution() {
    for endianness in [Endianness::Big, Endianness::Little] {
        for resolution in [TsResolution::MicroSecond, TsResolution::NanoSecond] {
            let bytes = pcap(endianness, resolution, DataLink::ETHERNET);
            assert_eq!(read(&bytes).unwrap(), frames());
        }
    }
}

#[test]
fn what_is_written_is_read_back_by_us_and_by_others() {
    let bytes = pcapng();
    assert_eq!(read(&bytes).unwrap(), frames());

    let mut reader = PcapNgReader::new(&bytes[..]).unwrap();
    let (mut interfaces, mut packets) = (0, Vec::new());
    while let Some(block) = reader.next_block() {
        let block = block.unwrap();
        if let Block::InterfaceDescription(interface) = &block {
            assert_eq!(interface.linktype, DataLink::ETHERNET);
            interfaces += 1;
            continue;
        }
        let packet = block.into_enhanced_packet().unwrap();
        let comment = EnhancedPacketOption::Comment(Cow::Borrowed("unknown-source drop"));
        assert_eq!(packet.options, [comment]);
        packets.push((packet.interface_id, packet.timestamp, packet.original_len));
    }
    assert_eq!(interfaces, 2);
    let at = |nanos| Duration::from_nanos(AT + nanos);
    assert_eq!(packets, [(0, at(0), 5), (1, at(1000), 1500), (0, at(5000), 0)]);
}

#[test]
fn what_is_no_capture_of_ethernet_is_refused_by_name() {
    for bytes in [&b""[..], b"abc", b"INVITE sip:a@b SIP/2.0", &[0; 64]] {
        assert!(matches!(read(bytes), Err(CaptureError::NotACapture)), "{bytes:?}");
    }
    let cooked = pcap(Endianness::Little, TsResolution::MicroSecond, DataLink::LINUX_SLL);
    assert!(matches!(read(&cooked), Err(CaptureError::LinkType(113))));
    let mut raw = pcapng();
    // Behind the section header of 28 bytes and the head of the interface's block.
    raw[28 + 8] = 101;
    assert!(matches!(read(&raw), Err(CaptureError::LinkType(101))), "{:?}", read(&raw));
}

#[test]
fn a_capture_that_ends_anywhere_inside_a_packet_is_cut_off() {
    let whole = pcap(Endianness::Little, TsResolution::MicroSecond, DataLink::ETHERNET);
    let ends = [24, 24 + 16 + 5, 24 + 16 + 5 + 16 + 60, whole.len()];
    for end in 24..=whole.len() {
        let read = read(&whole[..end]);
        match ends.iter().position(|good| *good == end) {
            Some(count) => assert_eq!(read.unwrap().len(), count),
            None => assert!(matches!(read, Err(CaptureError::CutOff)), "{end}"),
        }
    }
}

#[test]
fn a_packet_longer_than_any_frame_is_refused_before_it_is_read() {
    let mut bytes = pcap(Endianness::Little, TsResolution::MicroSecond, DataLink::ETHERNET);
    bytes[24 + 8..24 + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(read(&bytes), Err(CaptureError::Malformed(_))));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(
        (is_pcapng, position, bytes) in (any::<bool>(), 0..400_usize, prop::collection::vec(any::<u8>(), 1..16))
    ) {
        let mut capture = if is_pcapng {
            pcapng()
        } else {
            pcap(Endianness::Big, TsResolution::NanoSecond, DataLink::ETHERNET)
        };
        for (place, byte) in capture.iter_mut().skip(position).zip(bytes) {
            *place = byte;
        }
        let _ = read(&capture);
    }

    #[test]
    fn no_unit_of_time_makes_the_reader_panic(resolution: u8) {
        let mut capture = pcapng();
        let option = [9, 0, 1, 0, 9];
        let position = capture.windows(5).position(|window| window == option).unwrap();
        capture[position + 4] = resolution;
        prop_assert_eq!(read(&capture).unwrap().len(), 3);
    }
}
