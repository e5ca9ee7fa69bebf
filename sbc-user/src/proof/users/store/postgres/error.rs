use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::super::super::MOST_USERS;
use super::super::RowMistake;
use crate::proof::tls::TlsError;

/// Why a database cannot be read. It never repeats a hash or a password.
#[derive(Debug, Error)]
pub enum PostgresError {
    /// The password's file cannot be opened or read, or is not UTF-8.
    #[error("cannot read the password file {}", path.display())]
    PasswordUnreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The group or others have access to the password's file.
    #[error(
        "others than its owner have access to the password file {path} (mode {mode:04o}); \
         run: chmod 600 {path}",
        path = path.display()
    )]
    PasswordExposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is no password in its file, or more than that.
    #[error("the password file {} is not one line", .0.display())]
    NoPassword(PathBuf),
    /// The authorities cannot be read.
    #[error(transparent)]
    Tls(TlsError),
    /// Users' hashes would cross a network, and nobody says whose certificate to believe.
    #[error("{0} is not on this machine: [users.postgres] needs a ca")]
    NoAuthority(String),
    /// There is no connection, or a statement failed.
    #[error("{place}")]
    Database {
        /// Which database.
        place: String,
        /// What it says.
        #[source]
        cause: tokio_postgres::Error,
    },
    /// It took too long.
    #[error("{0} does not answer in time")]
    TimedOut(String),
    /// Nobody can wait for an answer.
    #[error("cannot wait for a database")]
    Runtime(#[source] io::Error),
    /// No realm is the default one, or more than one.
    #[error("{0}: not exactly one row of sbc.realms is the default one")]
    NoRealm(String),
    /// More than are kept in memory.
    #[error("{place} has {count} users, more than {MOST_USERS}")]
    TooMany {
        /// Which database.
        place: String,
        /// How many there are.
        count: i64,
    },
    /// A row is wrong.
    #[error("{place}: {mistake}")]
    Row {
        /// Which database.
        place: String,
        /// Which row, and what.
        mistake: RowMistake,
    },
}
