use super::privacy::depends_on_trust;
use crate::config::Mandate;
use crate::sip::{HeaderKind, Message, NameAddr, Rewrite, Uri};
use crate::transport::Flow;

/// The headers in which somebody is said to be somebody (RFC 3325 §9; Remote-Party-ID is its
/// predecessor).
const CLAIMS: [HeaderKind; 3] =
    [HeaderKind::PAssertedIdentity, HeaderKind::PPreferredIdentity, HeaderKind::RemotePartyId];

/// What was found out about a caller, which nobody outside tells the upstream (3GPP TS 24.229 §7.2.18, §7.2.19).
const FINDINGS: [HeaderKind; 2] = [HeaderKind::AttestationInfo, HeaderKind::OriginationId];

/// Those in which somebody is said to have diverted a call (RFC 5806, RFC 7044).
const DIVERSIONS: [HeaderKind; 2] = [HeaderKind::Diversion, HeaderKind::HistoryInfo];

/// What is left out of a response on its way.
#[derive(Clone, Copy)]
pub(super) enum LeftOut<'a> {
    /// Nothing.
    Nothing,
    /// What its sender may not claim.
    FalseClaims(&'a Mandate),
    /// What somebody outside our trust domain is not told.
    PrivateMatters,
}

impl LeftOut<'_> {
    /// Of a response of the upstream that goes to `to`.
    pub(super) fn of(
        response: &Message<'_>,
        to: &Flow,
        is_trusted: impl FnOnce(&Flow) -> bool,
    ) -> Self {
        let is_told_all = !depends_on_trust(response) || is_trusted(to);
        if is_told_all { Self::Nothing } else { Self::PrivateMatters }
    }
}

/// Removes the headers by which the sender claims an identity that it may not claim. `None` as
/// `mandate` allows every claim.
pub fn without_false_claims(
    rewrite: &mut Rewrite<'_>,
    message: &Message<'_>,
    mandate: Option<&Mandate>,
) {
    let Some(mandate) = mandate else { return };
    for kind in FINDINGS {
        rewrite.remove_all(kind);
    }
    for kind in false_claims(message, mandate) {
        rewrite.remove_all(kind);
    }
}

/// Says whether a message has headers that [`without_false_claims`] removes.
#[must_use]
pub fn makes_false_claims(message: &Message<'_>, mandate: &Mandate) -> bool {
    false_claims(message, mandate).next().is_some()
}

fn false_claims(message: &Message<'_>, mandate: &Mandate) -> impl Iterator<Item = HeaderKind> {
    let is_false = |kind, may: &dyn Fn(&Uri<'_>) -> bool| {
        message.header(kind).is_some()
            && !message
                .values(kind)
                .all(|value| NameAddr::parse(value.bytes).is_ok_and(|it| may(&it.uri)))
    };
    let claims =
        CLAIMS.into_iter().filter(move |kind| is_false(*kind, &|uri| mandate.may_assert(uri)));
    // Where nobody says anything about diversions, an unreadable one passes as it always did.
    let diversions = DIVERSIONS.into_iter().filter(move |kind| {
        mandate.limits_diversion() && is_false(*kind, &|uri| mandate.may_divert(uri))
    });
    claims.chain(diversions)
}
