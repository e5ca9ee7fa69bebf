use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

/// A PASSporT of the kind `shaken` has some 500 characters, and the URL of its certificate behind it.
const LONGEST: usize = 4096;

/// A value of the Identity header (RFC 8224 §4), whose signed part is in full form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeader<'a> {
    /// What is signed: header and claims as they are written, with the dot between them.
    pub signed: &'a [u8],
    /// The header of the PASSporT, JSON.
    pub header: Vec<u8>,
    /// Its claims, JSON.
    pub claims: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
    /// Where the certificate is, from `info`.
    pub info: &'a [u8],
    /// `alg`, if it is said here too.
    pub algorithm: Option<&'a [u8]>,
    /// `ppt`, the kind of PASSporT.
    pub kind: Option<&'a [u8]>,
}

/// Why an Identity header is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MalformedIdentity {
    /// Longer than 4096 bytes.
    #[error("it is longer than {LONGEST} bytes")]
    TooLong,
    /// Not three parts, or one of them is not base64 in the form of RFC 7515.
    #[error("it does not begin with three parts in base64url")]
    Token,
    /// Header and claims are left out, which a PASSporT with more claims than the message tells cannot do
    /// (RFC 8224 §4.1, RFC 8588 §6).
    #[error("it is in compact form")]
    Compact,
    /// A parameter cannot be read or is there twice.
    #[error("its parameters cannot be read")]
    Parameter,
    /// There is no `info`.
    #[error("it says not where the certificate is")]
    NoInfo,
}

impl<'a> IdentityHeader<'a> {
    /// Reads the value of a header line, in linear time.
    pub fn parse(value: &'a [u8]) -> Result<Self, MalformedIdentity> {
        if value.len() > LONGEST {
            return Err(MalformedIdentity::TooLong);
        }
        let end = value.iter().position(|byte| *byte == b';' || byte.is_ascii_whitespace());
        let (token, rest) = value.split_at(end.unwrap_or(value.len()));
        let mut parts = token.split(|byte| *byte == b'.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(MalformedIdentity::Token);
        };
        if header.is_empty() && claims.is_empty() {
            return Err(MalformedIdentity::Compact);
        }
        let signed = header.len().saturating_add(claims.len()).saturating_add(1);
        let decode = |part: &[u8]| {
            let decoded = URL_SAFE_NO_PAD.decode(part).ok();
            decoded.filter(|decoded| !decoded.is_empty()).ok_or(MalformedIdentity::Token)
        };
        let mut read = Self {
            signed: token.get(..signed).unwrap_or_default(),
            header: decode(header)?,
            claims: decode(claims)?,
            signature: decode(signature)?,
            info: b"",
            algorithm: None,
            kind: None,
        };
        read.take_parameters(rest)?;
        Ok(read)
    }

    fn take_parameters(&mut self, text: &'a [u8]) -> Result<(), MalformedIdentity> {
        let mut rest = text.trim_ascii();
        let mut info = None;
        while !rest.is_empty() {
            let parameter =
                rest.strip_prefix(b";").ok_or(MalformedIdentity::Parameter)?.trim_ascii();
            let end = parameter
                .iter()
                .position(|byte| b"=;".contains(byte) || byte.is_ascii_whitespace());
            let (name, after) = parameter.split_at(end.unwrap_or(parameter.len()));
            let after = after.trim_ascii_start();
            let Some(value) = after.strip_prefix(b"=") else {
                if name.is_empty() {
                    return Err(MalformedIdentity::Parameter);
                }
                rest = after;
                continue;
            };
            let (value, after) = read_value(value.trim_ascii_start())?;
            let place = if name.eq_ignore_ascii_case(b"info") {
                &mut info
            } else if name.eq_ignore_ascii_case(b"alg") {
                &mut self.algorithm
            } else if name.eq_ignore_ascii_case(b"ppt") {
                &mut self.kind
            } else {
                rest = after.trim_ascii_start();
                continue;
            };
            if place.replace(value).is_some() {
                return Err(MalformedIdentity::Parameter);
            }
            rest = after.trim_ascii_start();
        }
        self.info = info.filter(|info| !info.is_empty()).ok_or(MalformedIdentity::NoInfo)?;
        Ok(())
    }
}

/// A value in angle brackets, in quotes, or a token, without them; and what follows it.
fn read_value(text: &[u8]) -> Result<(&[u8], &[u8]), MalformedIdentity> {
    let enclosed = |close: u8| {
        let inner = text.get(1..).unwrap_or_default();
        let end = inner.iter().position(|byte| *byte == close);
        let (value, after) = inner.split_at(end.ok_or(MalformedIdentity::Parameter)?);
        // An escape in quotes would be another text than it looks like, and nothing here needs one.
        if value.iter().any(|byte| b"\\\"<>\r\n".contains(byte)) {
            return Err(MalformedIdentity::Parameter);
        }
        Ok((value, after.get(1..).unwrap_or_default()))
    };
    match text.first() {
        Some(b'<') => enclosed(b'>'),
        Some(b'"') => enclosed(b'"'),
        _ => {
            let end = text.iter().position(|byte| *byte == b';' || byte.is_ascii_whitespace());
            let (value, after) = text.split_at(end.unwrap_or(text.len()));
            let is_token = !value.is_empty() && value.iter().all(|byte| !b"\\\"<>,".contains(byte));
            is_token.then_some((value, after)).ok_or(MalformedIdentity::Parameter)
        }
    }
}
