use aes::cipher::consts::U16;
use aes::cipher::{
    BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt as _, BlockSizeUser,
    KeyInit as _,
};
use aes::{Aes128Enc, Block};
use subtle::ConstantTimeEq as _;

const BLOCK: usize = 16;
/// What doubling carries around (RFC 5297 §2.3).
const CARRY: u128 = 0x87;
/// The bits of a counter that begin as zero (RFC 5297 §2.5).
const CLEARED: u128 = 1 << 63 | 1 << 31;
/// Blocks that are encrypted side by side.
const ABREAST: usize = 4;

/// AES-SIV (RFC 5297) with AES-128, over one header, which is made of many: each header of its own would
/// cost as much as a hundred bytes more of one.
///
/// The keys are scheduled once, and what S2V always begins with is known: a token is short, and either
/// would cost as much as the rest.
pub(super) struct Cipher {
    mac: Aes128Enc,
    counter: Aes128Enc,
    /// Masks of a last block that is whole, and of one that is not (RFC 4493 §2.3).
    whole: u128,
    cut: u128,
    /// The first step of S2V for any header, doubled (RFC 5297 §2.4).
    begun: u128,
}

/// S2V (RFC 5297 §2.4). All of it is done in one visit to the block cipher, each of which begins with as much
/// work as a few blocks are.
struct Synthesis<'a> {
    cipher: &'a Cipher,
    headers: &'a [&'a [u8]],
    bytes: &'a [u8],
    initial: &'a mut u128,
}

/// CMAC (RFC 4493) of what it has been given so far.
struct Mac<'a, F> {
    cipher: &'a Cipher,
    encrypt: &'a F,
    state: u128,
    /// The last block is masked, so one waits until it is known whether more comes.
    waiting: [u8; BLOCK],
    count: usize,
}

impl Cipher {
    pub(super) fn new(key: &[u8; 2 * BLOCK]) -> Self {
        let (mac, counter) = key.split_at(BLOCK);
        let half = |half: &[u8]| Aes128Enc::new(&padded(half).to_be_bytes().into());
        let (mac, counter) = (half(mac), half(counter));
        let encrypted = |block: u128| {
            let mut block = Block::from(block.to_be_bytes());
            mac.encrypt_block(&mut block);
            u128::from_be_bytes(block.into())
        };
        let whole = doubled(encrypted(0));
        let begun = doubled(encrypted(whole));
        Self { mac, counter, whole, cut: doubled(whole), begun }
    }

    /// Encrypts `bytes`, and authenticates `headers` with them. What it yields begins with `prefix`, which is
    /// neither.
    pub(super) fn encrypt(&self, headers: &[&[u8]], bytes: &[u8], prefix: &[u8]) -> Vec<u8> {
        let initial = self.initial(headers, bytes);
        let mut sealed = Vec::with_capacity(prefix.len() + BLOCK + bytes.len());
        sealed.extend_from_slice(prefix);
        sealed.extend_from_slice(&initial.to_be_bytes());
        sealed.extend_from_slice(bytes);
        self.mask(initial, sealed.get_mut(prefix.len() + BLOCK..).unwrap_or_default());
        sealed
    }

    /// Yields what was encrypted with these headers, in its place; `None` if `sealed` was not.
    pub(super) fn decrypt<'s>(
        &self,
        headers: &[&[u8]],
        sealed: &'s mut [u8],
    ) -> Option<&'s mut [u8]> {
        let (initial, bytes) = sealed.split_first_chunk_mut()?;
        self.mask(u128::from_be_bytes(*initial), bytes);
        let found = self.initial(headers, bytes).to_be_bytes();
        bool::from(found.ct_eq(initial)).then_some(bytes)
    }

    /// The synthetic initialization vector.
    fn initial(&self, headers: &[&[u8]], bytes: &[u8]) -> u128 {
        let mut initial = 0;
        let synthesis = Synthesis { cipher: self, headers, bytes, initial: &mut initial };
        self.mac.encrypt_with_backend(synthesis);
        initial
    }

    /// Encrypts or decrypts, both of which is the same.
    fn mask(&self, initial: u128, bytes: &mut [u8]) {
        let counters = (initial & !CLEARED..=u128::MAX).chain(0..);
        let mut counters = counters.map(|counter| Block::from(counter.to_be_bytes()));
        for part in bytes.chunks_mut(ABREAST * BLOCK) {
            let mut stream: [Block; ABREAST] =
                std::array::from_fn(|_| counters.next().unwrap_or_default());
            let needed = part.len().div_ceil(BLOCK);
            self.counter.encrypt_blocks(stream.get_mut(..needed).unwrap_or_default());
            for (byte, key) in part.iter_mut().zip(stream.iter().flatten()) {
                *byte ^= key;
            }
        }
    }
}

impl BlockSizeUser for Synthesis<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Synthesis<'_> {
    #[expect(clippy::inline_always, reason = "its caller is built for what the processor can do")]
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let encrypt = |block: u128| {
            let mut block = Block::from(block.to_be_bytes());
            backend.encrypt_block((&mut block).into());
            u128::from_be_bytes(block.into())
        };
        *self.initial = self.with(&encrypt);
    }
}

impl Synthesis<'_> {
    #[inline]
    fn with<F: Fn(u128) -> u128>(&self, encrypt: &F) -> u128 {
        let mut mac = Mac::new(self.cipher, encrypt);
        // Each with its length before it, so that no two lists become the same.
        for header in self.headers {
            mac.update(&(header.len() as u64).to_be_bytes());
            mac.update(header);
        }
        let state = self.cipher.begun ^ mac.finish();
        let Some((before, last)) = self.bytes.split_last_chunk() else {
            let last = ended(self.bytes);
            return encrypt(doubled(state) ^ last ^ self.cipher.whole);
        };
        let mut mac = Mac::new(self.cipher, encrypt);
        mac.update(before);
        mac.update(&(u128::from_be_bytes(*last) ^ state).to_be_bytes());
        mac.finish()
    }
}

impl<'a, F: Fn(u128) -> u128> Mac<'a, F> {
    fn new(cipher: &'a Cipher, encrypt: &'a F) -> Self {
        Self { cipher, encrypt, state: 0, waiting: [0; BLOCK], count: 0 }
    }

    #[inline]
    fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.count == BLOCK {
                self.state = (self.encrypt)(self.state ^ u128::from_be_bytes(self.waiting));
                self.count = 0;
            }
            let room = self.waiting.get_mut(self.count..).unwrap_or_default();
            let taken = room.len().min(bytes.len());
            let (now, later) = bytes.split_at_checked(taken).unwrap_or_default();
            for (to, from) in room.iter_mut().zip(now) {
                *to = *from;
            }
            self.count += taken;
            bytes = later;
        }
    }

    #[inline]
    fn finish(self) -> u128 {
        let last = match self.waiting.get(..self.count) {
            Some(last) if self.count < BLOCK => ended(last) ^ self.cipher.cut,
            Some(_) | None => u128::from_be_bytes(self.waiting) ^ self.cipher.whole,
        };
        (self.encrypt)(self.state ^ last)
    }
}

/// Less than a block, with a bit behind it that says where it ends.
fn ended(bytes: &[u8]) -> u128 {
    let end = BLOCK.saturating_sub(1 + bytes.len());
    padded(bytes) ^ (0x80 << (8 * end))
}

/// At most a block, with zeros behind it.
fn padded(bytes: &[u8]) -> u128 {
    let mut block = [0; BLOCK];
    for (to, from) in block.iter_mut().zip(bytes) {
        *to = *from;
    }
    u128::from_be_bytes(block)
}

/// In the field of RFC 5297 §2.3.
const fn doubled(block: u128) -> u128 {
    (block << 1) ^ ((block >> 127) * CARRY)
}

#[cfg(test)]
mod tests {
    use aes_siv::siv::Aes128Siv;
    use proptest::prelude::*;

    use super::*;

    fn cipher() -> Cipher {
        Cipher::new(&[7; 32])
    }

    fn opened(cipher: &Cipher, headers: &[&[u8]], sealed: &[u8]) -> Option<Vec<u8>> {
        cipher.decrypt(headers, &mut sealed.to_vec()).map(|bytes| bytes.to_vec())
    }

    #[test]
    fn only_the_same_headers_open_it() {
        let sealed = cipher().encrypt(&[b"ab", b"c"], b"text", b"");
        assert_eq!(opened(&cipher(), &[b"ab", b"c"], &sealed).unwrap(), b"text");
        let others: [&[&[u8]]; 4] =
            [&[b"a", b"bc"], &[b"abc"], &[b"ab", b"c", b""], &[b"c", b"ab"]];
        for other in others {
            assert_eq!(opened(&cipher(), other, &sealed), None, "{other:?}");
        }
    }

    #[test]
    fn another_key_does_not_open_it() {
        let sealed = cipher().encrypt(&[b"ab"], b"text", b"");
        assert_eq!(opened(&Cipher::new(&[8; 32]), &[b"ab"], &sealed), None);
    }

    #[test]
    fn no_byte_of_it_can_be_changed() {
        let sealed = cipher().encrypt(&[b"ab"], b"a text of more than one block", b"");
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(opened(&cipher(), &[b"ab"], &changed), None, "byte {place}");
        }
        assert_eq!(opened(&cipher(), &[b"ab"], &sealed[..15]), None);
    }

    proptest! {
        #[test]
        fn it_is_the_same_as_what_others_have_made_of_the_rfc(
            key: [u8; 32],
            headers in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..5),
            text in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut joined = Vec::new();
            for header in &headers {
                joined.extend((header.len() as u64).to_be_bytes());
                joined.extend_from_slice(header);
            }
            let headers: Vec<&[u8]> = headers.iter().map(Vec::as_slice).collect();
            let mut theirs = <Aes128Siv as aes_siv::KeyInit>::new(&key.into());
            let sealed = Cipher::new(&key).encrypt(&headers, &text, b"before");
            let sealed = sealed.strip_prefix(b"before").unwrap();
            prop_assert_eq!(sealed, &theirs.encrypt([&joined], &text).unwrap());
            prop_assert_eq!(opened(&Cipher::new(&key), &headers, sealed).unwrap(), text);
        }
    }
}
