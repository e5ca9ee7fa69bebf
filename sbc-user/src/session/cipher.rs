use aes_siv::KeyInit as _;
use aes_siv::siv::Aes128Siv;

/// AES-SIV (RFC 5297) over one header, which is made of many: each header of its own would cost as much as
/// a hundred bytes more of one.
pub(super) struct Cipher(Aes128Siv);

impl Cipher {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(Aes128Siv::new(key.into()))
    }

    /// Encrypts `bytes`, and authenticates `headers` with them.
    pub(super) fn encrypt(&mut self, headers: &[&[u8]], bytes: &[u8]) -> Option<Vec<u8>> {
        self.0.encrypt([joined(headers)], bytes).ok()
    }

    /// Yields what was encrypted with these headers; `None` if `sealed` was not.
    pub(super) fn decrypt(&mut self, headers: &[&[u8]], sealed: &[u8]) -> Option<Vec<u8>> {
        self.0.decrypt([joined(headers)], sealed).ok()
    }
}

/// Each with its length before it, so that no two lists become the same.
fn joined(headers: &[&[u8]]) -> Vec<u8> {
    const LENGTH: usize = size_of::<u64>();
    let length = headers.iter().map(|header| LENGTH + header.len()).sum();
    let mut joined = Vec::with_capacity(length);
    for header in headers {
        joined.extend((header.len() as u64).to_be_bytes());
        joined.extend_from_slice(header);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cipher() -> Cipher {
        Cipher::new(&[7; 32])
    }

    #[test]
    fn only_the_same_headers_open_it() {
        let sealed = cipher().encrypt(&[b"ab", b"c"], b"text").unwrap();
        assert_eq!(cipher().decrypt(&[b"ab", b"c"], &sealed).unwrap(), b"text");
        let others: [&[&[u8]]; 4] =
            [&[b"a", b"bc"], &[b"abc"], &[b"ab", b"c", b""], &[b"c", b"ab"]];
        for other in others {
            assert_eq!(cipher().decrypt(other, &sealed), None, "{other:?}");
        }
    }

    #[test]
    fn another_key_does_not_open_it() {
        let sealed = cipher().encrypt(&[b"ab"], b"text").unwrap();
        assert_eq!(Cipher::new(&[8; 32]).decrypt(&[b"ab"], &sealed), None);
    }
}
