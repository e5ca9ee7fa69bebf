use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::Target;

/// The target for a call: of the living ones with the best rank, one by weight. The same for each message
/// of a call, at every node and after every restart, and a target that dies or comes back moves no call but
/// its own (rendezvous hashing).
pub(super) fn choose<'t>(targets: &'t [Target], call_id: &[u8]) -> Option<&'t Target> {
    let living = || targets.iter().filter(|target| target.weight > 0 && target.health.is_alive());
    let best = living().map(|target| target.rank).min()?;
    living()
        .filter(|target| target.rank == best)
        .max_by(|one, other| score(one, call_id).total_cmp(&score(other, call_id)))
}

/// The highest score wins, and each target wins as often as its weight says: `-weight / ln(u)` for `u`
/// evenly spread over the numbers from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
fn score(target: &Target, call_id: &[u8]) -> f64 {
    let mut hasher = DefaultHasher::new();
    (target.flow.transport, target.flow.remote).hash(&mut hasher);
    hasher.write(call_id);
    let evenly = ((hasher.finish() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    -f64::from(target.weight) / evenly.ln()
}
