use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::Spot;

/// Why a configuration is refused. The message names the file, and the line and column or the table.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file is not TOML, has a key that nobody knows, or a value that cannot be.
    #[error("{}: {cause}{}", path.display(), question(meant.as_deref()))]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        cause: Box<toml::de::Error>,
        /// The key or the value that may have been meant.
        meant: Option<String>,
    },
    /// Values that are right one by one contradict each other.
    #[error("{}: {}{place}: {problem}{}", path.display(), position(spot.as_ref()), excerpt(spot.as_ref()))]
    Contradiction {
        /// The file.
        path: PathBuf,
        /// The table, as the file writes it.
        place: String,
        /// What contradicts what, and what to do.
        problem: String,
        /// Where it stands, if anywhere.
        spot: Option<Spot>,
    },
}

fn question(meant: Option<&str>) -> String {
    meant.map_or_else(String::new, |meant| format!("did you mean `{meant}`?\n"))
}

fn position(spot: Option<&Spot>) -> String {
    spot.map_or_else(String::new, |Spot { line, column, .. }| {
        format!("line {line}, column {column}: ")
    })
}

fn excerpt(spot: Option<&Spot>) -> String {
    spot.map_or_else(String::new, |spot| format!("\n{spot}"))
}
