use super::Border;
use crate::screening::{Outcome, Rejection};
use crate::session::{Forwarded, RelayRefusal};
use crate::transport::{Flow, Note, Posted, SendFailure};
use crate::trust::TrustTable;

impl<T: TrustTable> Border<T> {
    /// Sends what was forwarded, and counts what became of it.
    pub(super) fn forward(&self, forwarded: Result<Forwarded, RelayRefusal>, outcome: Outcome) {
        let failed = match forwarded {
            Ok(Forwarded { to, message }) => self.post(&to, message, outcome).err().map(failed),
            Err(refusal @ (RelayRefusal::Unwritable(_) | RelayRefusal::TooMuchToHide)) => {
                Some(Rejection::of_relay(refusal).outcome)
            }
            Err(_) => Some(Outcome::ResponseNotOurs),
        };
        if let Some(failed) = failed {
            self.counters.count(failed);
        }
    }

    /// Sends a message on its way. If nothing stands in it, `outcome` is counted, now or when it has left
    /// with others; otherwise why not is returned, and not counted.
    pub(super) fn post(
        &self,
        to: &Flow,
        message: Vec<u8>,
        outcome: Outcome,
    ) -> Result<(), SendFailure> {
        match self.outbox.post(to, message, Note(outcome as u8))? {
            Posted::Sent => self.counters.count(outcome),
            Posted::Collected => {}
        }
        Ok(())
    }

    /// Counts what became of a message that has left with others, or not.
    pub(super) fn count_posted(&self, note: Note, sent: Result<(), SendFailure>) {
        let posted = Outcome::ALL.get(usize::from(note.0)).copied();
        match (sent, posted) {
            (Ok(()), Some(outcome)) => self.counters.count(outcome),
            (Ok(()), None) => {}
            (Err(failure), _) => self.counters.count(failed(failure)),
        }
    }
}

/// What a message is counted as that was not sent.
pub(super) const fn failed(failure: SendFailure) -> Outcome {
    match failure {
        SendFailure::NoConnection | SendFailure::Unreachable => Outcome::ConnectionGone,
        SendFailure::QueueFull
        | SendFailure::NoListener
        | SendFailure::TooLarge
        | SendFailure::System(_) => Outcome::SendFailed,
    }
}
