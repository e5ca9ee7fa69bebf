use proptest::prelude::*;

/// One change to the bytes of a frame.
#[derive(Clone, Debug)]
pub(crate) enum Mutation {
    /// Inverts bits.
    Flip { at: usize, mask: u8 },
    /// Writes a byte that means something in a header.
    Write { at: usize, value: u8 },
    /// Inserts bytes.
    Insert { at: usize, bytes: Vec<u8> },
    /// Removes bytes.
    Remove { at: usize, count: usize },
    /// Ends the frame early.
    Cut { at: usize },
    /// Adds bytes behind the packet.
    Pad { bytes: Vec<u8> },
    /// Inserts an extension header of eight bytes behind an IPv6 header.
    Extend { number: u8, bytes: [u8; 8] },
    /// Makes the IP header's length fit the frame, so that what is behind it gets read.
    Refit,
}

/// Versions with header lengths, next headers, tags, lengths and the fragment flag.
const MEANINGFUL: [u8; 26] = [
    0x00, 0x01, 0x04, 0x05, 0x06, 0x08, 0x11, 0x13, 0x14, 0x20, 0x2b, 0x2c, 0x32, 0x3a, 0x3b, 0x3c,
    0x45, 0x46, 0x4f, 0x60, 0x81, 0x86, 0x87, 0x88, 0xdd, 0xff,
];
const EXTENSION_NUMBERS: [u8; 5] = [0, 43, 44, 60, 135];

/// Most changes hit the headers, which fill the first hundred bytes or so.
fn position() -> impl Strategy<Value = usize> {
    prop_oneof![2 => 12..24_usize, 6 => 14..100_usize, 1 => 0..1600_usize]
}

pub(crate) fn mutation() -> impl Strategy<Value = Mutation> {
    let bytes = |most: usize| prop::collection::vec(any::<u8>(), 1..most);
    let small = prop_oneof![4 => Just(0_u8), 2 => Just(1_u8), 1 => any::<u8>()];
    let extension =
        (prop::sample::select(EXTENSION_NUMBERS.to_vec()), small.clone(), small, any::<[u8; 4]>());
    prop_oneof![
        4 => (position(), 0..8_u32).prop_map(|(at, bit)| Mutation::Flip { at, mask: 1 << bit }),
        1 => (position(), any::<u8>()).prop_map(|(at, mask)| Mutation::Flip { at, mask }),
        4 => (position(), prop::sample::select(MEANINGFUL.to_vec()))
            .prop_map(|(at, value)| Mutation::Write { at, value }),
        1 => (position(), bytes(12)).prop_map(|(at, bytes)| Mutation::Insert { at, bytes }),
        1 => (position(), 1..12_usize).prop_map(|(at, count)| Mutation::Remove { at, count }),
        1 => position().prop_map(|at| Mutation::Cut { at }),
        1 => bytes(40).prop_map(|bytes| Mutation::Pad { bytes }),
        4 => extension.prop_map(|(number, second, fourth, [a, b, c, d])| {
            Mutation::Extend { number, bytes: [0, second, 0, fourth, a, b, c, d] }
        }),
        4 => Just(Mutation::Refit),
    ]
}

impl Mutation {
    pub(crate) fn apply(&self, frame: &mut Vec<u8>) {
        match self {
            Self::Flip { at, mask } => {
                if let Some(byte) = frame.get_mut(*at) {
                    *byte ^= mask;
                }
            }
            Self::Write { at, value } => {
                if let Some(byte) = frame.get_mut(*at) {
                    *byte = *value;
                }
            }
            Self::Insert { at, bytes } => {
                let at = (*at).min(frame.len());
                frame.splice(at..at, bytes.iter().copied());
            }
            Self::Remove { at, count } => {
                let at = (*at).min(frame.len());
                let end = (at + count).min(frame.len());
                frame.drain(at..end);
            }
            Self::Cut { at } => frame.truncate(*at),
            Self::Pad { bytes } => frame.extend_from_slice(bytes),
            Self::Extend { number, bytes } => extend(frame, *number, *bytes),
            Self::Refit => refit(frame),
        }
    }
}

fn extend(frame: &mut Vec<u8>, number: u8, mut bytes: [u8; 8]) {
    let start = network_start(frame);
    if frame.len() < start + 40 || frame[start] >> 4 != 6 {
        return;
    }
    bytes[0] = std::mem::replace(&mut frame[start + 6], number);
    frame.splice(start + 40..start + 40, bytes);
    refit(frame);
}

fn refit(frame: &mut [u8]) {
    let start = network_start(frame);
    let (not_counted, at) = match frame.get(start).map(|first| first >> 4) {
        Some(4) => (0, start + 2),
        Some(6) => (40, start + 4),
        _ => return,
    };
    let length = (frame.len() - start).saturating_sub(not_counted);
    if let (Ok(length), Some(field)) = (u16::try_from(length), frame.get_mut(at..at + 2)) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

/// Where the IP header would begin.
fn network_start(frame: &[u8]) -> usize {
    let mut at = 12;
    while matches!(frame.get(at..at + 2), Some([0x81 | 0x91, 0x00] | [0x88, 0xa8])) {
        at += 4;
    }
    at + 2
}

/// Changes the identification of the datagram that `frame` is a part of, wherever it stands.
pub(crate) fn change_id(frame: &mut [u8], change: impl Fn(u16) -> u16) {
    for at in ids_in(frame) {
        if let Some([high, low]) = frame.get_mut(at..at + 2) {
            let id = change(u16::from_be_bytes([*high, *low]));
            [*high, *low] = id.to_be_bytes();
        }
    }
}

/// Where the lower half of each identification stands.
fn ids_in(frame: &[u8]) -> Vec<usize> {
    let start = network_start(frame);
    let byte = |at: usize| frame.get(at).copied().unwrap_or_default();
    match byte(start) >> 4 {
        4 => return vec![start + 4],
        6 => {}
        _ => return Vec::new(),
    }
    let (mut number, mut at) = (byte(start + 6), start + 40);
    let mut ids = Vec::new();
    while EXTENSION_NUMBERS.contains(&number) && at < frame.len() {
        let beyond_first_eight = if number == 44 { 0 } else { 8 * usize::from(byte(at + 1)) };
        if number == 44 {
            ids.push(at + 6);
        }
        (number, at) = (byte(at), at + 8 + beyond_first_eight);
    }
    ids
}
