//! The log of the daemon: its formats, and how many lines of one kind there may be.

mod one_line;

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::{self, IsTerminal as _};
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use self::one_line::{Kept, OneLine};
use crate::config::{Log, LogFormat};

/// Begins to log. The variable `SBC_LOG` goes before the level of the configuration: a level, or a filter such as
/// `sbc_user::trust=debug`.
pub(super) fn start_log(log: Log, format: Option<LogFormat>) {
    let filter =
        EnvFilter::try_from_env("SBC_LOG").unwrap_or_else(|_| EnvFilter::new(log.level.name()));
    let shape = Shape::of(format.unwrap_or(log.format));
    let lines = lines(shape, io::stderr);
    tracing_subscriber::registry().with(lines).with(EnoughOfThat::default()).with(filter).init();
}

/// Says from time to time how many lines were left out.
pub(super) async fn tell_of_lines_left_out() {
    let mut looks = tokio::time::interval(Duration::from_secs(10));
    loop {
        looks.tick().await;
        let lines = LEFT_OUT.swap(0, Ordering::Relaxed);
        if lines > 0 {
            tracing::warn!(lines, "left out of the log, since there were too many of a kind");
        }
    }
}

/// How lines are written, as it is decided at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// For people, in colours if they are at a terminal.
    Text {
        is_terminal: bool,
    },
    /// Text for the journal that cannot be reached otherwise, with priorities (sd-daemon(3)).
    Prioritised,
    Json,
    Journal,
}

impl Shape {
    fn of(format: LogFormat) -> Self {
        let text = Self::Text { is_terminal: io::stderr().is_terminal() };
        match format {
            LogFormat::Json => Self::Json,
            LogFormat::Journald => Self::journal(),
            LogFormat::Auto if is_connected_to_journal() => Self::journal(),
            LogFormat::Auto | LogFormat::Text => text,
        }
    }

    fn journal() -> Self {
        if tracing_journald::layer().is_ok() { Self::Journal } else { Self::Prioritised }
    }
}

/// Says whether systemd has connected the standard error to the journal (`JOURNAL_STREAM` in systemd.exec(5)), and nobody
/// has led it elsewhere since.
fn is_connected_to_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(stderr) = fs::metadata("/proc/self/fd/2") else { return false };
    stream == format!("{}:{}", stderr.dev(), stderr.ino())
}

fn lines<W>(shape: Shape, writer: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Clone + Send + Sync + 'static,
{
    let kept = match shape {
        Shape::Text { is_terminal: true } => Kept::Colours,
        Shape::Json => Kept::Json,
        Shape::Text { is_terminal: false } | Shape::Prioritised | Shape::Journal => Kept::Nothing,
    };
    let text = tracing_subscriber::fmt::layer().with_ansi(kept == Kept::Colours);
    let text = text.with_writer(OneLine { writer, kept });
    match shape {
        Shape::Text { .. } => text.boxed(),
        Shape::Prioritised => {
            text.event_format(WithPriority(Format::default().without_time())).boxed()
        }
        // A field may be called as something beside the fields is: they stay apart.
        Shape::Json => text.json().with_current_span(false).with_span_list(false).boxed(),
        Shape::Journal => match tracing_journald::layer() {
            Ok(journal) => {
                let journal = journal.with_field_prefix(Some("SBC".to_owned()));
                let journal = journal.with_syslog_identifier("sbc".to_owned());
                journal.with_priority_mappings(PRIORITIES).boxed()
            }
            Err(_) => text.event_format(WithPriority(Format::default().without_time())).boxed(),
        },
    }
}

const PRIORITIES: PriorityMappings = PriorityMappings {
    error: Priority::Error,
    warn: Priority::Warning,
    info: Priority::Informational,
    debug: Priority::Debug,
    trace: Priority::Debug,
};

/// Puts the priority before a line, as the journal reads it.
struct WithPriority<F>(F);

impl<S, N, F> FormatEvent<S, N> for WithPriority<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(context, writer, event)
    }
}

/// Lines that were left out, and not told of yet.
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

/// Leaves out lines from a place in the program that has just written many. There are as many places as calls of the
/// log in the program, so that this is bounded, whatever strangers bring about.
#[derive(Default)]
struct EnoughOfThat {
    places: Mutex<HashMap<Identifier, Allowance>>,
}

#[derive(Clone, Copy)]
struct Allowance {
    left: u32,
    since: Instant,
}

/// Lines of one place at once: a start may warn of each peer.
const BURST: u32 = 500;
/// And in each second from then on.
const PER_SECOND: u32 = 10;

impl Allowance {
    fn takes_one(&mut self, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.since).as_secs();
        if seconds > 0 {
            let more = u32::try_from(seconds).unwrap_or(u32::MAX).saturating_mul(PER_SECOND);
            self.left = self.left.saturating_add(more).min(BURST);
            self.since = now;
        }
        let Some(left) = self.left.checked_sub(1) else { return false };
        self.left = left;
        true
    }
}

impl<S: Subscriber> Layer<S> for EnoughOfThat {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let now = Instant::now();
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.entry(event.metadata().callsite());
        let is_allowed = place.or_insert(Allowance { left: BURST, since: now }).takes_one(now);
        drop(places);
        if !is_allowed {
            LEFT_OUT.fetch_add(1, Ordering::Relaxed);
        }
        is_allowed
    }
}

#[cfg(test)]
mod tests;
