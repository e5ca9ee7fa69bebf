use thiserror::Error;

use crate::sip::RewriteError;

/// Why a message is not forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RelayRefusal {
    /// Max-Forwards has run out (RFC 3261 §16.3 item 3).
    #[error("Max-Forwards has run out")]
    TooManyHops,
    /// We have forwarded it before, for the same way (RFC 3261 §16.3 item 4).
    #[error("the request has come back unchanged")]
    Loop,
    /// A Request-URI that nobody behind us can serve (RFC 3261 §16.3 item 2).
    #[error("the scheme of the Request-URI is not known")]
    UnknownScheme,
    /// Proxy-Require asks for something that we do not do (RFC 3261 §16.3 item 5).
    #[error("Proxy-Require names an extension that is not supported")]
    BadExtension,
    /// No target of the upstream lives.
    #[error("no target of the upstream lives")]
    NoTarget,
    /// No token says where it should go.
    #[error("no route of ours says where it goes")]
    NoRoute,
    /// A Route names us with a token that we did not make, or not for this.
    #[error("the token in its route is not ours")]
    ForgedRoute,
    /// A Route names us with a token that we made so long ago that its key is used no more.
    #[error("the token in its route is too old")]
    StaleRoute,
    /// A response to a request that we did not forward.
    #[error("the response answers no request of ours")]
    NotOurs,
    /// What has to be hidden is longer than we seal.
    #[error("more than a kilobyte would have to be hidden")]
    TooMuchToHide,
    /// Privacy is asked for as critical, of a kind that a proxy cannot give (RFC 3323 §4.2).
    #[error("the privacy that is asked for as critical cannot be given")]
    PrivacyUnavailable,
    /// The message cannot be rewritten.
    #[error("{0}")]
    Unwritable(#[from] RewriteError),
}
