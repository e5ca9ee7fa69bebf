use std::{borrow::Cow, num::NonZeroU32};

use thiserror::Error;

use super::{
    Algorithm, HashValue, Qop, Realm,
    parameter::{Parameter, Reader, Text},
};

const LONGEST_VALUE: usize = 4096;
const MOST_PARAMETERS: usize = 32;
const LONGEST_USERNAME: usize = 255;

/// A Digest response (RFC 7616 §3.4) with `qop`, read but not verified.
#[derive(Clone, Debug)]
pub struct Credentials<'a> {
    /// Who the sender says it is, 1 to 255 bytes, escapes resolved.
    pub username: Cow<'a, [u8]>,
    /// Whether that is the hexadecimal hash of name and realm (RFC 7616 §3.4.4).
    pub userhash: bool,
    /// The realm that the sender answers, escapes resolved.
    pub realm: Cow<'a, [u8]>,
    /// The nonce as received.
    pub nonce: &'a [u8],
    /// The Digest URI as received: it is hashed byte for byte.
    pub uri: &'a [u8],
    /// The client's nonce as received.
    pub cnonce: &'a [u8],
    /// How many requests the client has sent with this nonce; counting starts at 1.
    pub nonce_count: NonceCount<'a>,
    /// The algorithm; MD5 if the client named none (RFC 7616 §3.4).
    pub algorithm: Algorithm,
    /// What the response protects.
    pub qop: Qop,
    /// The claimed proof.
    pub response: HashValue,
}

/// The `nc` parameter.
#[derive(Clone, Copy, Debug)]
pub struct NonceCount<'a> {
    /// The number.
    pub number: NonZeroU32,
    /// Its eight digits as received, since upper and lower case hash differently.
    pub digits: &'a [u8],
}

/// Why the value of an `Authorization` or `Proxy-Authorization` header gives no [`Credentials`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MalformedCredentials {
    /// Not meant for us: another authentication scheme. To be ignored.
    #[error("the scheme is not Digest")]
    OtherScheme,
    /// Not meant for us: a realm of someone behind or beside us. To be ignored.
    #[error("the realm is another one")]
    OtherRealm,
    /// More than 4096 bytes.
    #[error("the credentials are longer than {LONGEST_VALUE} bytes")]
    TooLong,
    /// More than 32 parameters.
    #[error("the credentials have more than {MOST_PARAMETERS} parameters")]
    TooManyParameters,
    /// Not a comma-separated list of `name=value`.
    #[error("the credentials are not a list of parameters")]
    Syntax,
    /// A quoted string without its end.
    #[error("a quote is not closed")]
    UnbalancedQuote,
    /// A control character, line breaks included, between quotes.
    #[error("a quoted string has a control character")]
    ControlCharacter,
    /// The same parameter name twice: two readers could take different ones.
    #[error("a parameter is repeated")]
    Duplicate,
    /// A required parameter is absent.
    #[error("parameter {0} is missing")]
    Missing(&'static str),
    /// An escape in a parameter that is hashed: clients disagree about what to hash, none needs it.
    #[error("parameter {0} has an escape")]
    Escaped(&'static str),
    /// Empty, or more than 255 bytes.
    #[error("the username is empty or longer than {LONGEST_USERNAME} bytes")]
    UsernameLength,
    /// `username*` (RFC 7616 §3.4), which no client needs whose name can be written here.
    #[error("the username is encoded")]
    UsernameEncoding,
    /// `userhash=true`, which our challenges do not offer.
    #[error("the username is hashed, which was not offered")]
    UserhashNotOffered,
    /// `userhash` is neither true nor false.
    #[error("userhash is neither true nor false")]
    Userhash,
    /// `nc` is not eight hexadecimal digits, or zero.
    #[error("nc is not a positive number of eight hexadecimal digits")]
    NonceCount,
    /// `response` is not as many hexadecimal digits as the algorithm has.
    #[error("the response does not fit the algorithm")]
    Response,
    /// An algorithm that we never offer.
    #[error("the algorithm is unknown")]
    UnknownAlgorithm,
    /// The old scheme of RFC 2069: nothing in it protects from replay.
    #[error("qop is missing")]
    QopMissing,
    /// One that we know, and our challenges do not offer.
    #[error("qop was not offered")]
    QopNotOffered,
    /// Anything else.
    #[error("qop is neither auth nor auth-int")]
    UnknownQop,
}

impl MalformedCredentials {
    /// Whether the header is addressed to someone else, so that the request is to be treated as if it
    /// had no such header; everything else deserves a 400.
    #[must_use]
    pub fn is_not_for_us(self) -> bool {
        matches!(self, Self::OtherScheme | Self::OtherRealm)
    }
}

impl<'a> Credentials<'a> {
    /// Reads the value of an `Authorization` or `Proxy-Authorization` header for any realm.
    pub fn parse(value: &'a [u8]) -> Result<Self, MalformedCredentials> {
        Fields::read(value)?.into_credentials()
    }

    /// Reads the value of such a header if it answers a challenge for `realm`.
    ///
    /// Credentials for another realm only have to be well-formed: the upstream may offer what we do
    /// not, and its credentials pass through us.
    pub fn parse_for(value: &'a [u8], realm: &Realm) -> Result<Self, MalformedCredentials> {
        let fields = Fields::read(value)?;
        let named = fields.realm.ok_or(MalformedCredentials::Missing("realm"))?;
        if *named.unescaped() != *realm.as_bytes() {
            return Err(MalformedCredentials::OtherRealm);
        }
        fields.into_credentials()
    }
}

/// The known parameters, not yet judged.
#[derive(Default)]
struct Fields<'a> {
    username: Option<Text<'a>>,
    extended_username: Option<Text<'a>>,
    userhash: Option<Text<'a>>,
    realm: Option<Text<'a>>,
    nonce: Option<Text<'a>>,
    uri: Option<Text<'a>>,
    response: Option<Text<'a>>,
    algorithm: Option<Text<'a>>,
    cnonce: Option<Text<'a>>,
    qop: Option<Text<'a>>,
    nc: Option<Text<'a>>,
}

impl<'a> Fields<'a> {
    fn read(value: &'a [u8]) -> Result<Self, MalformedCredentials> {
        if value.len() > LONGEST_VALUE {
            return Err(MalformedCredentials::TooLong);
        }
        let mut reader = Reader::new(value);
        if !reader.scheme()?.eq_ignore_ascii_case(b"Digest") {
            return Err(MalformedCredentials::OtherScheme);
        }
        let mut fields = Self::default();
        let mut names: [&[u8]; MOST_PARAMETERS] = [b""; MOST_PARAMETERS];
        for slot in 0..MOST_PARAMETERS {
            let parameter = reader.parameter()?;
            if names.iter().any(|name| name.eq_ignore_ascii_case(parameter.name)) {
                return Err(MalformedCredentials::Duplicate);
            }
            if let Some(name) = names.get_mut(slot) {
                *name = parameter.name;
            }
            fields.keep(parameter);
            if !reader.has_another()? {
                return Ok(fields);
            }
        }
        Err(MalformedCredentials::TooManyParameters)
    }

    /// Unknown parameters are ignored (RFC 7616 §3.4).
    fn keep(&mut self, Parameter { name, value, .. }: Parameter<'a>) {
        let known: [(&[u8], &mut Option<Text<'a>>); 11] = [
            (b"username", &mut self.username),
            (b"username*", &mut self.extended_username),
            (b"userhash", &mut self.userhash),
            (b"realm", &mut self.realm),
            (b"nonce", &mut self.nonce),
            (b"uri", &mut self.uri),
            (b"response", &mut self.response),
            (b"algorithm", &mut self.algorithm),
            (b"cnonce", &mut self.cnonce),
            (b"qop", &mut self.qop),
            (b"nc", &mut self.nc),
        ];
        for (known_name, field) in known {
            if known_name.eq_ignore_ascii_case(name) {
                *field = Some(value);
            }
        }
    }

    fn into_credentials(self) -> Result<Credentials<'a>, MalformedCredentials> {
        use MalformedCredentials as Reason;

        let algorithm = match self.algorithm {
            Some(name) => {
                Algorithm::from_name(&name.unescaped()).ok_or(Reason::UnknownAlgorithm)?
            }
            None => Algorithm::MD5,
        };
        let qop = self.qop.ok_or(Reason::QopMissing)?.unescaped();
        let qop = Qop::from_name(&qop).ok_or(Reason::UnknownQop)?;
        let response = self.response.ok_or(Reason::Missing("response"))?.unescaped();
        Ok(Credentials {
            username: self.read_username()?,
            userhash: self.is_username_hashed()?,
            realm: self.realm.ok_or(Reason::Missing("realm"))?.unescaped(),
            nonce: as_hashed("nonce", self.nonce)?,
            uri: as_hashed("uri", self.uri)?,
            cnonce: as_hashed("cnonce", self.cnonce)?,
            nonce_count: NonceCount::read(as_hashed("nc", self.nc)?).ok_or(Reason::NonceCount)?,
            algorithm,
            qop,
            response: HashValue::from_hex(algorithm.function(), &response)
                .ok_or(Reason::Response)?,
        })
    }

    fn read_username(&self) -> Result<Cow<'a, [u8]>, MalformedCredentials> {
        if self.extended_username.is_some() {
            return Err(MalformedCredentials::UsernameEncoding);
        }
        let username = self.username.ok_or(MalformedCredentials::Missing("username"))?.unescaped();
        if username.is_empty() || username.len() > LONGEST_USERNAME {
            return Err(MalformedCredentials::UsernameLength);
        }
        Ok(username)
    }

    fn is_username_hashed(&self) -> Result<bool, MalformedCredentials> {
        let Some(userhash) = self.userhash else { return Ok(false) };
        let is = |word: &[u8]| userhash.unescaped().eq_ignore_ascii_case(word);
        if is(b"true") || is(b"false") {
            Ok(is(b"true"))
        } else {
            Err(MalformedCredentials::Userhash)
        }
    }
}

impl<'a> NonceCount<'a> {
    fn read(digits: &'a [u8]) -> Option<Self> {
        // `from_str_radix` alone would take a sign.
        if digits.len() != 8 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let number = u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
        Some(Self { number: NonZeroU32::new(number)?, digits })
    }
}

fn as_hashed<'a>(
    name: &'static str,
    text: Option<Text<'a>>,
) -> Result<&'a [u8], MalformedCredentials> {
    let text = text.ok_or(MalformedCredentials::Missing(name))?;
    text.without_escapes().ok_or(MalformedCredentials::Escaped(name))
}

#[cfg(test)]
mod tests;
