use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use zeroize::Zeroizing;

/// Access for others than the owner.
const OTHERS: u32 = 0o077;
/// What cannot be guessed: 16 random bytes in hexadecimal are longer.
const SHORTEST: usize = 20;
const LONGEST: usize = 512;

/// What has to be shown by who wants to look (RFC 6750 §2.1).
pub struct Token([u8; 32]);

/// Why a token cannot be used.
#[derive(Debug, Error)]
pub enum TokenError {
    /// Its file cannot be read.
    #[error("cannot read the admin token in {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The group or others have access to it.
    #[error(
        "the admin token in {0} is open to others than its owner (mode {mode:04o}); run: chmod 600 {0}",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It could be guessed, or cannot stand in a header.
    #[error(
        "the admin token in {} is not one line of {SHORTEST} to {LONGEST} printable characters without spaces; \
         make one with: openssl rand -hex 32",
        .0.display()
    )]
    Unfit(PathBuf),
}

impl Token {
    /// Reads the file, whose owner alone may have access to it.
    pub fn load(path: &Path) -> Result<Self, TokenError> {
        let unreadable = |cause| TokenError::Unreadable { path: path.to_owned(), cause };
        let file = File::open(path).map_err(unreadable)?;
        // Asked of the open file, so that it cannot be exchanged in between.
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
        if mode & OTHERS != 0 {
            return Err(TokenError::Exposed { path: path.to_owned(), mode });
        }
        let mut text = Zeroizing::new(Vec::new());
        let most = LONGEST as u64 + 3;
        file.take(most).read_to_end(&mut text).map_err(unreadable)?;
        Self::of(text.trim_ascii_end()).ok_or_else(|| TokenError::Unfit(path.to_owned()))
    }

    fn of(text: &[u8]) -> Option<Self> {
        let fits =
            (SHORTEST..=LONGEST).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic);
        fits.then(|| Self(hash(text)))
    }

    /// Says whether the value of an Authorization header shows it, in a time that tells nothing about it.
    #[must_use]
    pub fn is_shown_by(&self, authorization: &[u8]) -> bool {
        let Some((scheme, shown)) = authorization.split_at_checked(b"Bearer ".len()) else {
            return false;
        };
        scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(hash(shown).ct_eq(&self.0))
    }
}

/// All hashes are of one length, whatever is shown.
fn hash(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Token").finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Token {
    /// One that is `text`.
    pub(super) fn sample(text: &str) -> Self {
        Self::of(text.as_bytes()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const TEXT: &str = "0123456789abcdef0123456789abcdef";

    fn load(text: &str, mode: u32) -> Result<Token, TokenError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        Token::load(&path)
    }

    #[test]
    fn a_token_is_one_line_that_is_hard_to_guess() {
        let longest = "x".repeat(LONGEST);
        for text in [TEXT, &format!("{TEXT}\n"), &format!("{TEXT}\r\n"), &longest] {
            assert!(load(text, 0o600).is_ok(), "{text:?}");
        }
        let longer = "x".repeat(LONGEST + 1);
        for text in ["", "\n", "secret", "0123456789 0123456789", "0123456789\n0123456789", &longer]
        {
            assert!(matches!(load(text, 0o600), Err(TokenError::Unfit(_))), "{text:?}");
        }
    }

    #[test]
    fn a_token_that_others_can_read_is_none() {
        for mode in [0o640, 0o604, 0o660, 0o644, 0o610] {
            assert!(matches!(load(TEXT, mode), Err(TokenError::Exposed { .. })), "{mode:o}");
        }
        assert!(load(TEXT, 0o400).is_ok());
    }

    #[test]
    fn nothing_but_the_token_shows_it() {
        let token = Token::sample(TEXT);
        for shown in [format!("Bearer {TEXT}"), format!("bearer {TEXT}")] {
            assert!(token.is_shown_by(shown.as_bytes()), "{shown}");
        }
        let shorter = &TEXT[1..];
        for shown in [
            "",
            "Bearer",
            "Bearer ",
            TEXT,
            &format!("Basic {TEXT}"),
            &format!("Bearer  {TEXT}"),
            &format!("Bearer {TEXT} "),
            &format!("Bearer {TEXT}0"),
            &format!("Bearer {shorter}"),
        ] {
            assert!(!token.is_shown_by(shown.as_bytes()), "{shown:?}");
        }
    }
}
