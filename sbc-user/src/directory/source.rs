use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use thiserror::Error;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{People, WhatToRead};
use crate::config;
use crate::ldap::{LdapError, LdapUrl, Login, Search, Session};
use crate::proof::tls::{TlsError, server_verifying_config};

/// How long a server has to let us in.
const ADMISSION: Duration = Duration::from_secs(10);
/// How long it has to say everything.
const WHOLE_ANSWER: Duration = Duration::from_mins(2);
/// How long it may look for one page, in seconds.
const SECONDS_A_PAGE: i32 = 30;
/// Active Directory gives no more than 1000.
const PAGE: i32 = 500;

const OTHERS: u32 = 0o077;
const LONGEST_PASSWORD: u64 = 4096;

/// The servers of a directory, and what they are asked.
pub struct Source {
    settings: config::Directory,
    tls: Option<Arc<ClientConfig>>,
}

/// Why a directory cannot be asked as it is configured.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The authorities cannot be read.
    #[error(transparent)]
    Authorities(#[from] TlsError),
    /// The password cannot be read.
    #[error("cannot read the directory's password in {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The group or others have access to the password.
    #[error(
        "the directory's password in {0} is open to others than its owner (mode {mode:04o}); run: chmod \
         600 {0}",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A bind without a password would prove nothing, and succeed.
    #[error("the directory's password in {} is empty", .0.display())]
    Empty(PathBuf),
}

/// What each server said instead of an answer.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct NoAnswer(pub String);

impl Source {
    /// Reads the files that are named.
    pub fn new(settings: &config::Directory) -> Result<Self, SourceError> {
        let tls = settings.ca.as_deref().map(server_verifying_config).transpose()?;
        let source = Self { settings: settings.clone(), tls };
        source.password()?;
        Ok(source)
    }

    /// What it is asked by.
    #[must_use]
    pub const fn settings(&self) -> &config::Directory {
        &self.settings
    }

    /// Asks one server after the other; returns what the first says that answers, and who that is.
    pub async fn read(&self) -> Result<(People, &LdapUrl), NoAnswer> {
        let mut problems = Vec::new();
        for url in &self.settings.url {
            let asked = self.ask(url);
            match timeout(WHOLE_ANSWER, asked).await {
                Ok(Ok(people)) => return Ok((people, url)),
                Ok(Err(problem)) => problems.push(format!("{url}: {problem}")),
                Err(_) => problems.push(format!("{url}: {}", LdapError::Silence)),
            }
        }
        Err(NoAnswer(problems.join("; ")))
    }

    async fn ask(&self, url: &LdapUrl) -> Result<People, LdapError> {
        // Anew each time: it may have been changed.
        let password = self.password().map_err(io::Error::other)?;
        let admitted = async {
            let mut session =
                Session::connect(url, self.tls.as_ref(), self.settings.start_tls).await?;
            if let (Some(dn), Some(password)) = (&self.settings.bind_dn, &password) {
                session.bind(&Login { dn, password }).await?;
            }
            Ok(session)
        };
        let mut session = timeout(ADMISSION, admitted).await.unwrap_or(Err(LdapError::Silence))?;
        let what = WhatToRead {
            names: &self.settings.user_attribute,
            claims: &self.settings.identity_attributes,
        };
        let attributes: Vec<&str> =
            [what.names].into_iter().chain(what.claims.iter().map(String::as_str)).collect();
        let search = Search {
            base: &self.settings.base,
            filter: &self.settings.filter,
            attributes: &attributes,
            seconds: SECONDS_A_PAGE,
            page: PAGE,
        };
        let mut people = People::default();
        session.search(&search, |entry| people.add(entry, what)).await?;
        session.end().await;
        Ok(people)
    }

    fn password(&self) -> Result<Option<Zeroizing<String>>, SourceError> {
        self.settings.bind_password_file.as_deref().map(password).transpose()
    }
}

/// The first line of a file that nobody but its owner has access to.
fn password(path: &Path) -> Result<Zeroizing<String>, SourceError> {
    let unreadable = |cause| SourceError::Unreadable { path: path.to_owned(), cause };
    let file = File::open(path).map_err(unreadable)?;
    // Asked of the open file, so that it cannot be exchanged in between.
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unreadable(io::Error::other("not a regular file")));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(SourceError::Exposed { path: path.to_owned(), mode });
    }
    // Room for all of it: a buffer that grows would leave copies that are not wiped.
    let room = metadata.len().min(LONGEST_PASSWORD);
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(room).unwrap_or(0) + 1));
    file.take(room).read_to_string(&mut text).map_err(unreadable)?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(SourceError::Empty(path.to_owned()));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixListener;

    use super::*;
    use crate::config::sample;

    /// A bind that succeeds, an entry with the uid `alice`, and that this was all.
    const ALICE: &[u8] = b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00\
        \x30\x19\x02\x01\x02\x64\x14\x04\x00\x30\x10\x30\x0e\x04\x03uid\x31\x07\x04\x05alice\
        \x30\x0c\x02\x01\x02\x65\x07\x0a\x01\x00\x04\x00\x04\x00";

    #[tokio::test]
    async fn one_server_is_asked_after_the_other_until_one_says_everything() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("password"), "of-the-reader").unwrap();
        fs::set_permissions(path("password"), fs::Permissions::from_mode(0o600)).unwrap();
        // Nobody is there; one who hangs up in the middle; one who answers.
        let urls = ["absent", "cut-short", "whole"]
            .map(|name| format!("\"ldapi://{}\"", path(name).display()));
        let settings = sample::config(&format!(
            "[directory]\nurl = [{}]\nbase = \"\"\nfilter = \"(uid=*)\"\nuser-attribute = \"uid\"\n\
             bind-dn = \"cn=reader\"\nbind-password-file = \"{}\"\n",
            urls.join(", "),
            path("password").display()
        ));
        let source = Source::new(&settings.directory.unwrap()).unwrap();
        let said = source.read().await.unwrap_err().to_string();
        assert_eq!(said.matches("No such file").count(), 3, "{said}");

        for (name, answer) in [("cut-short", &ALICE[..40]), ("whole", ALICE)] {
            let listener = UnixListener::bind(path(name)).unwrap();
            tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(answer).await.unwrap();
                stream.shutdown().await.unwrap();
                let mut asked = Vec::new();
                stream.read_to_end(&mut asked).await.unwrap();
                assert!(asked.windows(13).any(|it| it == b"of-the-reader"));
            });
        }
        let (people, url) = source.read().await.unwrap();
        assert!(people.find("alice").is_some());
        assert!(url.to_string().ends_with("/whole"));
    }

    #[test]
    fn a_password_is_one_line_that_only_its_owner_can_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        let written = |text: &str, mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            password(&path).map(|it| it.to_string()).map_err(|error| error.to_string())
        };
        assert_eq!(written("secret word\n", 0o600).unwrap(), "secret word");
        assert_eq!(written("secret", 0o400).unwrap(), "secret");
        assert!(written("secret", 0o640).unwrap_err().contains("chmod 600"));
        assert!(written("\n", 0o600).unwrap_err().contains("is empty"));
        fs::remove_file(&path).unwrap();
        assert!(password(&path).unwrap_err().to_string().contains("cannot read"));
    }
}
