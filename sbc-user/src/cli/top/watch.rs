use std::net::IpAddr;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use std::{process, thread};

use tokio::signal::unix::{SignalKind, signal};

use super::super::{explain, status};
use crate::border::Status;
use crate::config::Config;

/// What the screen is told.
#[derive(Debug)]
pub(super) enum News {
    /// What was heard, so long after the beginning.
    Heard(Duration, Box<Result<Status, String>>),
    /// What the filter says of a source.
    Explained(IpAddr, String),
    /// Somebody wants us to end.
    Ended,
}

/// How long the one who draws has to end by himself.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks the daemon again and again, on a thread of its own: one that does not answer keeps nobody from pressing keys.
pub(super) struct Watch {
    pub(super) news: Receiver<News>,
    questions: Sender<IpAddr>,
}

impl Watch {
    /// Begins to ask, and to listen for signals.
    pub(super) fn start(config: Config, interval: Duration) -> anyhow::Result<Self> {
        let (telling, news) = mpsc::channel();
        let (questions, asked) = mpsc::channel();
        let ending = telling.clone();
        thread::Builder::new()
            .name("sbc-top-asks".to_owned())
            .spawn(move || keep_asking(&config, interval, &telling, &asked))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut signals = {
            let _context = runtime.enter();
            let kinds = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()];
            kinds.into_iter().map(signal).collect::<Result<Vec<_>, _>>()?
        };
        thread::Builder::new().name("sbc-top-signals".to_owned()).spawn(move || {
            let [terminate, hang_up, interrupt] = &mut signals[..] else { return };
            runtime.block_on(async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = hang_up.recv() => {}
                    _ = interrupt.recv() => {}
                }
            });
            let _ = ending.send(News::Ended);
            // The one who draws may be held up by a terminal that is gone.
            thread::sleep(PATIENCE);
            let _ = ratatui::try_restore();
            process::exit(0);
        })?;
        Ok(Self { news, questions })
    }

    /// Has the filter asked about a source.
    pub(super) fn ask_about(&self, source: IpAddr) {
        let _ = self.questions.send(source);
    }
}

/// Until nobody listens.
fn keep_asking(
    config: &Config,
    interval: Duration,
    telling: &Sender<News>,
    asked: &Receiver<IpAddr>,
) {
    let began = Instant::now();
    let mut next = began;
    loop {
        match asked.recv_timeout(next.saturating_duration_since(Instant::now())) {
            Ok(source) => {
                let said = explain::said(config, source);
                let said = said.unwrap_or_else(|error| format!("it cannot be asked: {error:#}"));
                if telling.send(News::Explained(source, said)).is_err() {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                let heard = status::of(config).map_err(|error| format!("{error:#}"));
                if telling.send(News::Heard(began.elapsed(), Box::new(heard))).is_err() {
                    return;
                }
                // A pause after each answer: who has much to tell is not asked all the time.
                next = Instant::now() + interval;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
