/// A message authentication code of 128 bits: SipHash-2-4 with its longer output, by J.-P. Aumasson and
/// D. J. Bernstein. Made for short messages, it takes nothing but additions, rotations and exclusive ors
/// of words, so that every CPU and every program in the kernel has what it needs.
///
/// The message is the concatenation of what it is [updated](Self::update) with.
#[derive(Clone)]
pub struct SipHash {
    state: [u64; 4],
    /// The bytes that make no word yet, from the lowest; above them are zeros.
    pending: u64,
    /// Bytes of the message so far.
    length: usize,
}

const WORD: usize = size_of::<u64>();

impl SipHash {
    /// Begins a message under a secret key of 16 bytes.
    #[must_use]
    #[inline]
    pub const fn new(key: &[u8; 16]) -> Self {
        let key = u128::from_le_bytes(*key);
        #[expect(clippy::cast_possible_truncation, reason = "one half each")]
        let (k0, k1) = (key as u64, (key >> 64) as u64);
        // "somepseudorandomlygeneratedbytes", and a mark of the longer output.
        let state = [
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ];
        Self { state, pending: 0, length: 0 }
    }

    /// Appends `bytes` to the message.
    #[inline]
    pub fn update(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<WORD>();
        for word in words {
            self.append(u64::from_le_bytes(*word), WORD);
        }
        let last = match bytes.last_chunk() {
            Some(word) if !rest.is_empty() => {
                u64::from_le_bytes(*word) >> ((WORD - rest.len()) * 8)
            }
            _ => rest.iter().rev().fold(0, |last, byte| last << 8 | u64::from(*byte)),
        };
        self.append(last, rest.len());
    }

    /// The code of the message.
    #[must_use]
    #[inline]
    pub fn finish(mut self) -> [u8; 16] {
        self.absorb(self.pending | (self.length as u64) << 56);
        let [_, _, third, _] = &mut self.state;
        *third ^= 0xee;
        self.rounds(4);
        let first = self.folded();
        let [_, second, ..] = &mut self.state;
        *second ^= 0xdd;
        self.rounds(4);
        (u128::from(self.folded()) << 64 | u128::from(first)).to_le_bytes()
    }

    /// Appends the lowest `count` bytes of `word`, at most all eight; those above have to be zero.
    #[inline]
    fn append(&mut self, word: u64, count: usize) {
        let before = self.length % WORD;
        self.length = self.length.wrapping_add(count);
        let bits = before * 8;
        self.pending |= word << bits;
        if before + count >= WORD {
            self.absorb(self.pending);
            self.pending = if bits == 0 { 0 } else { word >> (64 - bits) };
        }
    }

    #[inline]
    fn absorb(&mut self, word: u64) {
        let [_, _, _, fourth] = &mut self.state;
        *fourth ^= word;
        self.rounds(2);
        let [first, ..] = &mut self.state;
        *first ^= word;
    }

    #[inline]
    fn rounds(&mut self, count: u32) {
        let [mut a, mut b, mut c, mut d] = self.state;
        for _ in 0..count {
            a = a.wrapping_add(b);
            b = b.rotate_left(13) ^ a;
            a = a.rotate_left(32);
            c = c.wrapping_add(d);
            d = d.rotate_left(16) ^ c;
            a = a.wrapping_add(d);
            d = d.rotate_left(21) ^ a;
            c = c.wrapping_add(b);
            b = b.rotate_left(17) ^ c;
            c = c.rotate_left(32);
        }
        self.state = [a, b, c, d];
    }

    #[inline]
    const fn folded(&self) -> u64 {
        let [a, b, c, d] = self.state;
        a ^ b ^ c ^ d
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    fn hash(message: &[u8]) -> u128 {
        let mut hash = SipHash::new(&KEY);
        hash.update(message);
        u128::from_be_bytes(hash.finish())
    }

    /// The first two are in the authors' `vectors.h`; all are what
    /// `openssl mac -macopt hexkey:000102030405060708090a0b0c0d0e0f -macopt size:16 SIPHASH` writes.
    #[test]
    fn codes_are_those_of_the_authors_and_of_openssl() {
        let message: Vec<u8> = (0..64).collect();
        for (length, expected) in [
            (0, 0xa381_7f04_ba25_a8e6_6df6_7214_c755_0293),
            (1, 0xda87_c1d8_6b99_af44_3476_5911_9b22_fc45),
            (7, 0xa1f1_ebbe_d8db_c153_c0b8_4aa6_1ff0_8239),
            (8, 0x3b62_a9ba_6258_f561_0f83_e264_f314_97b4),
            (9, 0x2644_9906_0ad9_baab_c47f_8b02_bb6d_71ed),
            (15, 0x5493_e999_33b0_a811_7e08_ec0f_97cf_c3d9),
            (16, 0x6ee2_a4ca_67b0_54bb_fd33_15bf_8523_0577),
            (31, 0x2939_b018_3223_fafc_1723_de4f_52c4_3d35),
            (32, 0x7c39_56ca_5eea_fc3e_363e_9d55_6546_eb68),
            (63, 0x5150_d177_2f50_834a_503e_069a_973f_bd7c),
        ] {
            assert_eq!(hash(&message[..length]), expected, "{length} bytes");
        }
    }

    #[test]
    fn what_counts_is_the_message_and_not_its_pieces() {
        let message: Vec<u8> = (0..40).collect();
        for first in 0..=message.len() {
            for second in first..=message.len() {
                let mut hash = SipHash::new(&KEY);
                hash.update(&message[..first]);
                hash.update(&message[first..second]);
                hash.update(&message[second..]);
                assert_eq!(u128::from_be_bytes(hash.finish()), self::hash(&message));
            }
        }
    }
}
