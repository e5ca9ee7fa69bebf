use super::Finding;
use super::number::{caller, number_of};
use crate::sip::{HeaderKind, Message, NameAddr, Rewrite, RewriteError};

/// The request with what was found out about its caller: `verstat` at each number in From and
/// P-Asserted-Identity, and `Attestation-Info` where it has passed (3GPP TS 24.229 §7.2A.20, §7.2.18).
/// It has to be the request that the finding is about, as it goes on.
pub fn stamped(request: &Message<'_>, finding: Finding) -> Result<Vec<u8>, RewriteError> {
    let signed = caller(request);
    let mut rewrite = Rewrite::new(request);
    let asserted = request.addresses(HeaderKind::PAssertedIdentity);
    for address in std::iter::once(request.from()).chain(asserted) {
        let Some(number) = number_of(&address.uri) else { continue };
        // One number was signed; nothing is known of another.
        let verstat = match finding {
            Finding::Passed(_) if signed != Some(number) => "No-TN-Validation",
            Finding::Passed(_) | Finding::Failed(_) | Finding::NotValidated(_) => finding.verstat(),
        };
        stamp(&mut rewrite, &address, verstat);
    }
    if let Finding::Passed(attestation) = finding {
        rewrite.append("Attestation-Info", attestation.name());
    }
    let mut message = Vec::new();
    rewrite.write(&mut message)?;
    Ok(message)
}

/// A parameter of the number: behind it, wherever the user part goes on.
fn stamp(rewrite: &mut Rewrite<'_>, address: &NameAddr<'_>, verstat: &str) {
    let uri = address.uri;
    let number = uri.user.and_then(|user| user.split(|byte| *byte == b';').next());
    let Some(number) = number else { return };
    let start = number.as_ptr().addr().checked_sub(uri.raw.as_ptr().addr());
    let split = start.and_then(|start| start.checked_add(number.len()));
    let Some((before, after)) = split.and_then(|split| uri.raw.split_at_checked(split)) else {
        return;
    };
    // Without brackets its parameters would be those of the header.
    let is_bare = address.raw.starts_with(uri.raw);
    let (open, close): (&[u8], &[u8]) = if is_bare { (b"<", b">") } else { (b"", b"") };
    let stamped = [open, before, b";verstat=", verstat.as_bytes(), after, close].concat();
    rewrite.replace_part(uri.raw, stamped);
}
