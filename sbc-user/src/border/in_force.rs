use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Border;
use crate::sip::Malformed;
use crate::transport::{Admission, Flow, Load, Note, Party, Receiver, Refusal, SendFailure};
use crate::trust::TrustTable;

/// The border under the policy in force, which another one may take the place of while messages arrive.
///
/// Who hears of something takes the border once and stays with it to the end. No lock is taken for that.
pub struct InForce<T>(ArcSwap<Border<T>>);

impl<T> InForce<T> {
    /// This one, for the time being.
    #[must_use]
    pub fn new(border: Arc<Border<T>>) -> Self {
        Self(ArcSwap::new(border))
    }

    /// The one in force now. Whoever keeps it for long is left behind.
    #[must_use]
    pub fn border(&self) -> Arc<Border<T>> {
        self.0.load_full()
    }

    pub(super) fn put(&self, border: Arc<Border<T>>) {
        self.0.store(border);
    }
}

impl<T: TrustTable + Send + 'static> Receiver for InForce<T> {
    fn connected(&self, flow: &Flow, party: Party<'_>) -> Admission {
        self.0.load().connected(flow, party)
    }

    fn received(&self, flow: &Flow, bytes: &[u8], load: Load, answer: &mut Vec<u8>) {
        self.0.load().received(flow, bytes, load, answer);
    }

    fn broken_off(&self, flow: &Flow, refused: &[u8], reason: Malformed, answer: &mut Vec<u8>) {
        self.0.load().broken_off(flow, refused, reason, answer);
    }

    fn sent(&self, note: Note, sent: Result<(), SendFailure>) {
        self.0.load().sent(note, sent);
    }

    fn refused(&self, flow: &Flow, refusal: Refusal) {
        self.0.load().refused(flow, refusal);
    }

    fn disproved(&self, flow: &Flow, refusal: Refusal) {
        self.0.load().disproved(flow, refusal);
    }

    fn undeliverable(&self, flow: &Flow, messages: Vec<Vec<u8>>) {
        self.0.load().undeliverable(flow, messages);
    }

    fn disconnected(&self, flow: &Flow) {
        self.0.load().disconnected(flow);
    }
}
