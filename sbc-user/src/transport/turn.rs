//! The turn that the runtime has, with what waits for connections, while a thread of its own brings more.

use std::cell::Cell;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::yield_now;

use super::batch::BATCH;
use super::running::Stop;

/// The end of the thread.
pub(super) struct Turns {
    wanted: Arc<Notify>,
    had: UnixStream,
    since: Cell<usize>,
    is_awaited: Cell<bool>,
}

/// The end of the runtime.
pub(super) struct TurnGiver {
    wanted: Arc<Notify>,
    told: UnixStream,
}

pub(super) fn turns() -> io::Result<(Turns, TurnGiver)> {
    let (had, told) = UnixStream::pair()?;
    for end in [&had, &told] {
        end.set_nonblocking(true)?;
    }
    let wanted = Arc::new(Notify::new());
    let giver = TurnGiver { wanted: Arc::clone(&wanted), told };
    Ok((Turns { wanted, had, since: Cell::new(0), is_awaited: Cell::new(false) }, giver))
}

impl Turns {
    /// Notes that so many messages of a batch were queued for connections. After a batch of them at the
    /// latest, which may bring one less besides, the writers have to have had their turn: so a queue that was
    /// written in the last one has room for all that comes until the next.
    pub(super) fn queued(&self, count: usize) {
        self.since.set(self.since.get().saturating_add(count));
        if self.since.get() >= BATCH && !self.is_awaited.replace(true) {
            self.wanted.notify_one();
        }
    }

    /// Says whether nothing more may be queued until [`had`](Self::had).
    pub(super) const fn is_awaited(&self) -> bool {
        self.is_awaited.get()
    }

    /// Notes that the turn is over; called when the file is readable.
    pub(super) fn had(&self) {
        let mut bytes = [0; 8];
        if (&self.had).read(&mut bytes).is_ok_and(|count| count > 0) {
            self.since.set(0);
            self.is_awaited.set(false);
        }
    }
}

impl AsFd for Turns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.had.as_fd()
    }
}

impl TurnGiver {
    /// Gives turns until told to stop.
    pub(super) async fn give(self, mut stop: Stop) {
        tokio::select! {
            () = self.give_all() => {}
            _ = stop.requested() => {}
        }
    }

    /// Whoever was woken before is ahead of this task, and whoever was woken meanwhile is before it goes on.
    async fn give_all(&self) {
        loop {
            self.wanted.notified().await;
            yield_now().await;
            // One byte at a time is on its way, so there is room.
            if (&self.told).write(&[1]).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::super::tests::DEADLINE;
    use super::*;

    #[tokio::test]
    async fn a_turn_is_asked_for_after_a_batch_and_had_once_others_ran() {
        let (turns, giver) = turns().unwrap();
        turns.queued(BATCH - 1);
        assert!(!turns.is_awaited());
        turns.had();
        turns.queued(BATCH);
        assert!(turns.is_awaited());
        turns.had();
        assert!(turns.is_awaited(), "nobody had it yet");

        let (_sender, stop) = Stop::channel();
        let giving = tokio::spawn(giver.give(stop));
        let had = turns.had.try_clone().unwrap();
        let had = tokio::net::UnixStream::from_std(had).unwrap();
        timeout(DEADLINE, had.readable()).await.unwrap().unwrap();
        turns.had();
        assert!(!turns.is_awaited());
        giving.abort();
    }
}
