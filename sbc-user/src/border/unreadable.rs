//! What is said about a request that cannot be read.

use super::Border;
use crate::screening::{Outcome, Standing};
use crate::sip::{Malformed, Reply, Salvaged};
use crate::transport::Flow;
use crate::trust::TrustTable;

impl<T: TrustTable> Border<T> {
    /// Writes why a request is refused, if it can be said whose it is and if its sender is to hear it.
    pub(super) fn say_what_is_wrong(
        &self,
        flow: &Flow,
        refused: &[u8],
        malformed: Malformed,
        answer: &mut Vec<u8>,
    ) -> Outcome {
        let reply = self.longest_answer(flow, refused.len()).and_then(|limit| {
            self.reason(flow, &Salvaged::of(refused, malformed)?, malformed, limit)
        });
        match reply {
            Some(reply) => {
                *answer = reply;
                Outcome::MalformedAnswered
            }
            None => Outcome::Malformed,
        }
    }

    /// The reason in a Warning, or, where that has no room, the status alone.
    fn reason(
        &self,
        flow: &Flow,
        salvaged: &Salvaged,
        malformed: Malformed,
        limit: usize,
    ) -> Option<Vec<u8>> {
        let request = salvaged.request().ok()?;
        let tag = self.forwarder.seal().own_tag(&request);
        let bare = Reply::new(&request, salvaged.status(), flow.remote, tag.as_bytes());
        let warning = format!("399 sbc \"{malformed}\"");
        let replies = [bare.clone().header("Warning", warning), bare];
        replies.into_iter().find_map(|reply| reply.finish().ok().filter(|it| it.len() <= limit))
    }

    /// How many bytes whoever is behind a flow may be told about `sent` bytes that it sent; `None` for
    /// nothing. Over UDP a stranger may be somebody else than it says. So may a listed source, which is
    /// told no more than it sent.
    fn longest_answer(&self, flow: &Flow, sent: usize) -> Option<usize> {
        if self.forwarder.is_inside(flow) {
            return self.forwarder.is_upstream(flow).then_some(usize::MAX);
        }
        if flow.transport.is_stream() {
            return Some(usize::MAX);
        }
        let evidence = self.evidence(flow);
        if evidence.has_answered {
            return Some(usize::MAX);
        }
        match self.standing(flow, &evidence) {
            Standing::Proven(_) | Standing::NeedsDigest(Some(_)) => Some(sent),
            Standing::NeedsDigest(None) | Standing::Lacking => None,
        }
    }
}
