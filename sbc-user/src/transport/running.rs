//! Listening, and the way to end it.

use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::{Loads, Pulse};

/// Time for tasks to go away after they were cut off.
const GRACE: Duration = Duration::from_secs(1);

/// Sockets that are listened to; dropped, it cuts off all connections.
pub struct Running {
    stop: watch::Sender<Option<Instant>>,
    /// One per listener; each returns how many of its connections had to be cut off.
    tasks: JoinSet<usize>,
    pulse: Pulse,
    loads: Loads,
}

/// Not everything ended by itself before the deadline of a shutdown.
///
/// The receiver was told of every connection's end all the same, unless it blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not everything ended before the deadline; {connections} connections were cut off")]
pub struct ShutdownIncomplete {
    /// Connections that were cut off.
    pub connections: usize,
}

impl Running {
    pub(super) fn new(
        stop: watch::Sender<Option<Instant>>,
        tasks: JoinSet<usize>,
        pulse: Pulse,
        loads: Loads,
    ) -> Self {
        Self { stop, tasks, pulse, loads }
    }

    /// Takes what tells whether the threads that serve datagrams live; empty from then on.
    pub fn take_pulse(&mut self) -> Pulse {
        std::mem::take(&mut self.pulse)
    }

    /// Takes what tells how full the queues are; empty from then on.
    pub fn take_loads(&mut self) -> Loads {
        std::mem::take(&mut self.loads)
    }

    /// Stops listening and closes all connections; returns when all tasks are gone.
    ///
    /// What is queued is still written, for at most `within`; then connections are cut off.
    pub async fn shutdown(mut self, within: Duration) -> Result<(), ShutdownIncomplete> {
        let deadline = Instant::now() + within;
        self.stop.send_replace(Some(deadline));

        let mut connections = 0_usize;
        let all_gone = timeout_at(deadline + GRACE, async {
            while let Some(ended) = self.tasks.join_next().await {
                connections = connections.saturating_add(ended.unwrap_or(0));
            }
        });
        if all_gone.await.is_ok() && connections == 0 {
            return Ok(());
        }
        Err(ShutdownIncomplete { connections })
    }
}

/// Tells every task when the listening is to end.
#[derive(Clone)]
pub(super) struct Stop(watch::Receiver<Option<Instant>>);

impl Stop {
    pub(super) fn channel() -> (watch::Sender<Option<Instant>>, Self) {
        let (sender, receiver) = watch::channel(None);
        (sender, Self(receiver))
    }

    /// Whether it was asked for.
    pub(super) fn is_requested(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits for the stop; returns when everything must be over, at once if nobody can ask any more.
    pub(super) async fn requested(&mut self) -> Instant {
        match self.0.wait_for(Option::is_some).await {
            Ok(deadline) => deadline.unwrap_or_else(Instant::now),
            Err(_) => Instant::now(),
        }
    }
}
