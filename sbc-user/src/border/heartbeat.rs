use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::Border;
use crate::kernel::KernelTables;

/// A quarter of the shortest silence that the configuration takes.
const PAUSE: Duration = Duration::from_millis(500);

/// Calls `beat` again and again, on a thread of the runtime that it is spawned on. A runtime whose threads
/// are all stuck does not call it, and so its heartbeat ends with what it stands for.
pub async fn keep_beating(mut beat: impl FnMut()) {
    let mut beats = tokio::time::interval(PAUSE);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        beat();
    }
}

impl Border<KernelTables> {
    /// Tells the filter that the daemon lives, if it does: a lock that is never given back holds up the
    /// heartbeat as it holds up messages.
    pub fn beat(&self) {
        self.wait_until_unlocked();
        // The time is read under the lock: it may have taken long to get.
        let mut ledger = self.ledger();
        if let Err(error) = ledger.table_mut().beat(self.now()) {
            tracing::error!(%error, "the filter was not told that the daemon lives");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Instant;

    use super::*;

    const THREADS: usize = 2;
    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn a_runtime_whose_threads_are_stuck_stops_beating_and_one_that_is_free_again_goes_on() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .enable_all()
            .build()
            .unwrap();
        let start = Instant::now();
        let last = Arc::new(AtomicU64::new(0));
        let beat = {
            let last = Arc::clone(&last);
            move || {
                let now = u64::try_from(start.elapsed().as_millis()).unwrap();
                last.store(now.max(1), Ordering::SeqCst);
            }
        };
        runtime.spawn(keep_beating(beat));
        let last = || Duration::from_millis(last.load(Ordering::SeqCst));
        let wait_for = |what: &str, holds: &dyn Fn() -> bool| {
            let deadline = Instant::now() + SOON;
            while !holds() {
                assert!(Instant::now() < deadline, "waited in vain for {what}");
                thread::yield_now();
            }
        };
        wait_for("the first beat", &|| !last().is_zero());

        let (stuck, is_stuck) = mpsc::channel();
        let mut held = Vec::new();
        for _ in 0..THREADS {
            let (release, released) = mpsc::channel::<()>();
            held.push(release);
            let stuck = stuck.clone();
            runtime.spawn(async move {
                stuck.send(()).unwrap();
                let _ = released.recv();
            });
        }
        for _ in 0..THREADS {
            is_stuck.recv_timeout(SOON).unwrap();
        }
        wait_for("a long silence", &|| start.elapsed() > last() + 4 * PAUSE);

        let before = last();
        drop(held);
        wait_for("another beat", &|| last() > before);
    }
}
