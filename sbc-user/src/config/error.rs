use std::io;
use std::path::PathBuf;

use thiserror::Error;

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
    #[error("{}: {cause}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        cause: Box<toml::de::Error>,
    },
    /// Values that are right one by one contradict each other.
    #[error("{}: {place}: {problem}", path.display())]
    Contradiction {
        /// The file.
        path: PathBuf,
        /// The table, as the file writes it.
        place: String,
        /// What contradicts what, and what to do.
        problem: String,
    },
}
