//! Users in a database of `PostgreSQL`, which is only read.
//!
//! Every look is a connection of its own: no state of one outlives what went wrong in it, and once a minute it costs
//! nothing that anybody would notice.

mod error;
mod tls;

use std::path::Path;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, IsolationLevel, NoTls, Row, Transaction};
use zeroize::Zeroizing;

pub use error::PostgresError;

use super::super::{
    MOST_USERS, UserMistake, UserPart, UserRecord, Users, UsersBuilder, UsersError, UsersProblem,
    read_private,
};
use super::{RowMistake, Snapshot, Store, StoreError, Version};
use crate::config::{PostgresAccess, PostgresHost, PostgresPlace};
use tls::Tls;

/// How long a look may take, all in all.
const LONGEST_LOOK: Duration = Duration::from_mins(1);
const LONGEST_CONNECT: Duration = Duration::from_secs(5);
/// How many rows are asked for at a time.
const ROWS: i32 = 1000;
/// Has the database give up in time, and find no table or function but those that are meant.
const LIMITS: &str = "SET LOCAL statement_timeout = '30s'; SET LOCAL lock_timeout = '5s'; \
                      SET LOCAL search_path = pg_catalog";
/// The realms are few; more than there may be is enough to be refused.
const REALMS: &str =
    "SELECT name::text, is_default FROM sbc.realms ORDER BY is_default DESC LIMIT 20000";
const DOMAINS: &str = "SELECT name::text, realm::text FROM sbc.domains LIMIT 20000";
const USERS: &str = "SELECT name::text, realm::text, sha_512_256::text, sha_256::text, md5::text, \
                     may_assert::text[], may_divert::text[], may_call::text[] FROM sbc.users";
const COUNT: &str = "SELECT count(*) FROM sbc.users";
const VERSION: &str = "SELECT value::text FROM sbc.version LIMIT 1";

/// The mistake of a list that is none.
const NO_LIST: &str = "a list has NULL or another list in it";

/// Users in a database.
pub(super) struct PostgresStore {
    place: PostgresPlace,
    access: PostgresAccess,
}

impl PostgresStore {
    pub(super) fn at(place: &PostgresPlace, access: &PostgresAccess) -> Self {
        Self { place: place.clone(), access: access.clone() }
    }

    fn look(&self, known: Option<&Version>) -> Result<Option<Snapshot>, PostgresError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(PostgresError::Runtime)?;
        let looked = runtime.block_on(async {
            let look = tokio::time::timeout(LONGEST_LOOK, self.look_at_it(known)).await;
            look.unwrap_or_else(|_| Err(PostgresError::TimedOut(self.place.to_string())))
        });
        // Nobody waits for a name that is still being looked up.
        runtime.shutdown_background();
        looked
    }

    async fn look_at_it(&self, known: Option<&Version>) -> Result<Option<Snapshot>, PostgresError> {
        let (mut client, connection) = self.connect().await?;
        let looked = self.look_by(&mut client, known).await;
        // The database is told that this is the end, or its log would say that we broke off. How that went is no matter.
        drop(client);
        let _ = connection.await;
        looked
    }

    async fn look_by(
        &self,
        client: &mut Client,
        known: Option<&Version>,
    ) -> Result<Option<Snapshot>, PostgresError> {
        let failed = |cause| PostgresError::Database { place: self.place.to_string(), cause };
        let transaction = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start();
        let transaction = transaction.await.map_err(failed)?;
        transaction.batch_execute(LIMITS).await.map_err(failed)?;
        let version = transaction.query_opt(VERSION, &[]).await.map_err(failed)?;
        let version = version.map(|row| row.try_get::<_, Option<String>>(0)).transpose();
        let version = version.map_err(failed)?.flatten().map(|it| Version(it.into_bytes().into()));
        if known.is_some() && known == version.as_ref() {
            return Ok(None);
        }
        let users = self.read_users(&transaction).await?;
        Ok(Some(Snapshot { users, version }))
    }

    /// A connection, and what ends when all that there was to say by it is said.
    async fn connect(
        &self,
    ) -> Result<(Client, JoinHandle<Result<(), tokio_postgres::Error>>), PostgresError> {
        let failed = |cause| PostgresError::Database { place: self.place.to_string(), cause };
        let mut config = tokio_postgres::Config::new();
        let PostgresPlace { user, host, port, database } = &self.place;
        config.user(user).dbname(database).port(*port).application_name("sbc");
        config.connect_timeout(LONGEST_CONNECT).tcp_user_timeout(LONGEST_LOOK);
        match host {
            PostgresHost::Directory(path) => config.host_path(path),
            PostgresHost::Address(address) => config.host(address.to_string()),
            PostgresHost::Name(name) => config.host(name),
        };
        if let Some(path) = &self.access.password_file {
            config.password(password(path)?.as_bytes());
        }
        if let Some(ca) = &self.access.ca {
            let tls = Tls::believing(ca).map_err(PostgresError::Tls)?;
            let connected = config.ssl_mode(SslMode::Require).connect(tls).await;
            let (client, connection) = connected.map_err(failed)?;
            return Ok((client, tokio::spawn(connection)));
        }
        if !self.place.is_on_this_machine() {
            return Err(PostgresError::NoAuthority(self.place.to_string()));
        }
        let connected = config.ssl_mode(SslMode::Disable).connect(NoTls).await;
        let (client, connection) = connected.map_err(failed)?;
        Ok((client, tokio::spawn(connection)))
    }

    async fn read_users(&self, transaction: &Transaction<'_>) -> Result<Users, PostgresError> {
        let failed = |cause| PostgresError::Database { place: self.place.to_string(), cause };
        let wrong = |mistake| PostgresError::Row { place: self.place.to_string(), mistake };
        let count: i64 = {
            let row = transaction.query_one(COUNT, &[]).await.map_err(failed)?;
            row.try_get(0).map_err(failed)?
        };
        if usize::try_from(count).is_ok_and(|count| count > MOST_USERS) {
            return Err(PostgresError::TooMany { place: self.place.to_string(), count });
        }
        let realms = transaction.query(REALMS, &[]).await.map_err(failed)?;
        let mut users = None;
        for row in &realms {
            let (name, is_default): (String, bool) =
                (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
            let of_realm = |problem| wrong(RowMistake::of_realm(&name, problem));
            match &mut users {
                None if is_default => users = Some(UsersBuilder::new(&name).map_err(of_realm)?),
                None => break,
                Some(_) if is_default => {
                    return Err(PostgresError::NoRealm(self.place.to_string()));
                }
                Some(users) => users.add_realm(&name).map_err(of_realm)?,
            }
        }
        let mut users = users.ok_or_else(|| PostgresError::NoRealm(self.place.to_string()))?;
        for row in transaction.query(DOMAINS, &[]).await.map_err(failed)? {
            let (name, realm): (String, String) =
                (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
            let added = users.add_domain(&name, &realm);
            added.map_err(|problem| wrong(RowMistake::of_domain(&name, problem)))?;
        }
        let portal = transaction.bind(USERS, &[]).await.map_err(failed)?;
        loop {
            let rows = transaction.query_portal(&portal, ROWS).await.map_err(failed)?;
            for row in &rows {
                let mut record = told(row).map_err(failed)?;
                let added = take_lists(&mut record, row).and_then(|()| users.add_user(&record));
                added.map_err(|mistake| wrong(RowMistake::of_user(&record, mistake)))?;
            }
            if rows.len() < usize::try_from(ROWS).unwrap_or(0) {
                return Ok(users.build());
            }
        }
    }
}

impl Store for PostgresStore {
    fn read(&self) -> Result<Snapshot, StoreError> {
        let snapshot = self.look(None)?;
        Ok(snapshot.ok_or_else(|| PostgresError::NoRealm(self.place.to_string()))?)
    }

    fn read_changed(&self, known: &Version) -> Result<Option<Snapshot>, StoreError> {
        Ok(self.look(Some(known))?)
    }
}

fn told(row: &Row) -> Result<UserRecord, tokio_postgres::Error> {
    let digits = |column: usize| -> Result<_, tokio_postgres::Error> {
        // Not by way of a text that is not wiped.
        let text: Option<&str> = row.try_get(column)?;
        Ok(text.map(|digits| Zeroizing::new(digits.to_owned())))
    };
    Ok(UserRecord {
        name: row.try_get(0)?,
        realm: Some(row.try_get(1)?),
        ha1s: [digits(2)?, digits(3)?, digits(4)?],
        ..UserRecord::default()
    })
}

fn take_lists(record: &mut UserRecord, row: &Row) -> Result<(), UserMistake> {
    let list = |part, column: usize| {
        let list: Result<Option<Vec<String>>, _> = row.try_get(column);
        list.map_err(|_| UserMistake { part, problem: UsersProblem::Pattern(NO_LIST.to_owned()) })
    };
    record.may_assert = list(UserPart::MayAssert, 5)?.unwrap_or_default();
    record.may_divert = list(UserPart::MayDivert, 6)?;
    record.may_call = list(UserPart::MayCall, 7)?;
    Ok(())
}

/// The one line of a private file.
fn password(path: &Path) -> Result<Zeroizing<String>, PostgresError> {
    let path = path.to_owned();
    let (text, _) = match read_private(&path) {
        Ok(read) => read,
        Err(UsersError::Unreadable { cause, .. }) => {
            return Err(PostgresError::PasswordUnreadable { path, cause });
        }
        Err(UsersError::Exposed { mode, .. }) => {
            return Err(PostgresError::PasswordExposed { path, mode });
        }
        Err(UsersError::Mistake { .. }) => return Err(PostgresError::NoPassword(path)),
    };
    let line = text.strip_suffix('\n').unwrap_or(&text);
    if line.is_empty() || line.contains(char::is_control) {
        return Err(PostgresError::NoPassword(path));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::super::super::tls::test_authority::write;
    use super::*;

    #[test]
    fn a_password_is_the_one_line_of_a_private_file() {
        let directory = tempfile::tempdir().unwrap();
        let told = |name: &str, text: &str, mode| {
            password(&write(directory.path(), name, text, mode)).map(|it| it.to_string())
        };
        assert_eq!(told("good", "pass wörd\n", 0o600).unwrap(), "pass wörd");
        assert_eq!(told("bare", "secret", 0o400).unwrap(), "secret");
        let exposed = told("open", "secret", 0o640).unwrap_err().to_string();
        assert!(exposed.contains("chmod 600") && exposed.contains("(mode 0640)"), "{exposed}");
        for (name, text) in [("empty", ""), ("blank", "\n"), ("two", "one\ntwo\n")] {
            let said = told(name, text, 0o600).unwrap_err().to_string();
            assert!(said.contains("one line") && !said.contains("two\n"), "{said}");
        }
        assert!(matches!(
            password(&directory.path().join("absent")),
            Err(PostgresError::PasswordUnreadable { .. })
        ));
    }

    #[test]
    fn who_is_elsewhere_is_not_asked_without_tls_and_who_is_not_there_is_named() {
        let store =
            |place: &str| PostgresStore::at(&place.parse().unwrap(), &PostgresAccess::default());
        let said = store("postgres://sbc@db.example/sbc").read().unwrap_err().to_string();
        assert!(said.contains("ca"), "{said}");
        let directory = tempfile::tempdir().unwrap();
        let place = format!("postgres://sbc@{}/sbc", directory.path().display());
        let said = store(&place).read().unwrap_err().to_string();
        assert!(said.contains(&place), "{said}");
    }
}
