use clap::ValueEnum;
use serde::Deserialize;

/// `[log]`: what is logged, and how.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Log {
    /// How lines are written.
    pub format: LogFormat,
    /// What is left out.
    pub level: LogLevel,
}

/// How lines of the log are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// To the journal with all fields where systemd has connected the standard error to it, and else as text.
    #[default]
    Auto,
    /// One line of text for each event.
    Text,
    /// One line of JSON for each event.
    Json,
    /// To the journal, in its own protocol.
    Journald,
}

/// What is worth a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// What does not work.
    Error,
    /// And what may be meant otherwise.
    Warn,
    /// And what has changed.
    #[default]
    Info,
    /// And what becomes of single messages: a subscriber's number may be among it.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
