//! A client's half of digest with SHA-256 (RFC 7616, RFC 8760), which sipp does not have.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::{endpoint::Heard, request::Request};

/// A user name and a password.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Login<'a>(pub(crate) &'a str, pub(crate) &'a str);

impl Login<'_> {
    /// The next request of the call, with the answer to the SHA-256 challenge in `refusal`.
    pub(crate) fn answer(self, request: &Request, refusal: &Heard) -> Result<Request> {
        let (asked, header) = match request.method {
            "REGISTER" => ("WWW-Authenticate", "Authorization"),
            _ => ("Proxy-Authenticate", "Proxy-Authorization"),
        };
        let challenges = refusal.headers(asked);
        let challenge = challenges
            .iter()
            .find(|challenge| challenge.contains("algorithm=SHA-256,"))
            .with_context(|| format!("no challenge for SHA-256 in {}", refusal.text))?;
        let credentials = self.credentials(challenge, request.method, &request.uri)?;
        Ok(request.next().header(format!("{header}: {credentials}")))
    }

    /// The credentials for a challenge.
    pub(crate) fn credentials(self, challenge: &str, method: &str, uri: &str) -> Result<String> {
        let Self(user, password) = self;
        let quoted = |name: &str| {
            let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
            rest.split('"').next()
        };
        let realm = quoted("realm").context("a challenge without realm")?;
        let nonce = quoted("nonce").context("a challenge without nonce")?;
        let secret = hash(&format!("{user}:{realm}:{password}"));
        let target = hash(&format!("{method}:{uri}"));
        let response = hash(&format!("{secret}:{nonce}:00000001:c0ffee:auth:{target}"));
        Ok(format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm=SHA-256, cnonce=\"c0ffee\", qop=auth, nc=00000001"
        ))
    }
}

fn hash(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
