use std::sync::Arc;
use std::time::{Duration, Instant};

use super::observed::{Observed, Unobservable, View};
use super::process::wall;

/// The shortest time between two looks.
const SHORTEST: Duration = Duration::from_millis(900);
/// A look is followed by a pause of so many times as long as it took: five in a hundred of one core at most, however
/// many ask and however slow the machine is.
const PAUSE: u32 = 19;

/// A view, and when it was taken.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) view: Arc<View>,
    /// Since 1970.
    pub(super) at: Duration,
}

/// Looks at what is observed, no more often than it may cost.
pub struct Cached {
    subject: Arc<dyn Observed>,
    last: Option<Taken>,
    /// When it may look again.
    next: Instant,
}

impl Cached {
    /// Looks at `subject` when it is first asked.
    pub(super) fn new(subject: Arc<dyn Observed>) -> Self {
        Self { subject, last: None, next: Instant::now() }
    }

    /// What is seen now, or was a moment ago.
    pub(super) fn view(&mut self) -> Result<Taken, Unobservable> {
        let begin = Instant::now();
        if begin < self.next {
            return self.last.clone().ok_or(Unobservable);
        }
        let at = wall();
        let looked = self.subject.look();
        let pause = begin.elapsed().saturating_mul(PAUSE).max(SHORTEST);
        self.next = Instant::now() + pause;
        self.last = None;
        let taken = Taken { view: Arc::new(looked?), at };
        self.last = Some(taken.clone());
        Ok(taken)
    }
}
