use crate::config::Assertables;
use crate::sip::{HeaderKind, Message, NameAddr, Rewrite};

/// The headers in which somebody is said to be somebody (RFC 3325 §9; Remote-Party-ID is its
/// predecessor).
const CLAIMS: [HeaderKind; 3] =
    [HeaderKind::PAssertedIdentity, HeaderKind::PPreferredIdentity, HeaderKind::RemotePartyId];

/// Removes the headers by which the sender claims an identity that it may not claim. `None` as
/// `may_assert` allows every claim.
pub fn without_false_claims(
    rewrite: &mut Rewrite<'_>,
    message: &Message<'_>,
    may_assert: Option<&Assertables>,
) {
    let Some(may_assert) = may_assert else { return };
    for kind in CLAIMS {
        let is_honest = message.values(kind).all(|value| {
            NameAddr::parse(value.bytes).is_ok_and(|claim| may_assert.allow(&claim.uri))
        });
        if !is_honest {
            rewrite.remove_all(kind);
        }
    }
}
