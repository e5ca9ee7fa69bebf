//! `sbc user`: who is in the users file.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde::Serialize;
use zeroize::Zeroizing;

use super::ConfigFile;
use super::password::new_password;
use super::progress;
use crate::config::{Config, PostgresAccess, UserStore};
use crate::proof::digest::{HashFunction, Realm};
use crate::proof::users::store::{self, Change, Snapshot, UserChange, store_at};
use crate::proof::users::{User, Username, hash_key};

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a user. The password is read from standard input, or asked for twice on a terminal.
    Add {
        #[command(flatten)]
        user: UserArguments,
        /// An identity that the user may claim, instead of NAME@DOMAIN of the realm; may be repeated.
        #[arg(long, value_name = "IDENTITY")]
        may_assert: Vec<String>,
    },
    /// Remove a user.
    Remove(UserArguments),
    /// Show who there is, and which hashes they have.
    List {
        #[command(flatten)]
        place: UsersPlace,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Add the users of a users file to a store such as `sqlite:users.db`, all of them or none.
    Import {
        /// The users file.
        file: PathBuf,
        /// Remove everybody who is in the store, in the same step.
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        place: UsersPlace,
    },
    /// Give a user another password, read like that of a new one.
    Passwd(UserArguments),
}

#[derive(Debug, Args)]
pub(super) struct UserArguments {
    /// The user name.
    name: String,
    /// The realm that the user belongs to; absent: that of the file.
    #[arg(long)]
    realm: Option<String>,
    #[command(flatten)]
    place: UsersPlace,
}

#[derive(Debug, Args)]
pub(super) struct UsersPlace {
    #[command(flatten)]
    config: ConfigFile,
    /// The store, such as `file:users.toml`, instead of that which the configuration names.
    #[arg(long, value_name = "STORE", conflicts_with = "config")]
    store: Option<UserStore>,
}

/// One user, as `sbc user list --json` tells it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Listed<'u> {
    name: &'u str,
    realm: &'u str,
    hashes: Vec<&'static str>,
}

pub(super) fn user(command: &UserCommand) -> anyhow::Result<()> {
    match command {
        UserCommand::Add { user, may_assert } => user.change("is in", Change::Add { may_assert }),
        UserCommand::Remove(user) => user.change("is no longer in", Change::Remove),
        UserCommand::Passwd(user) => user.change("has a new password in", Change::Password),
        UserCommand::List { place, json } => list(place, *json),
        UserCommand::Import { place, replace, file } => bring(place, file, *replace),
    }
}

impl UsersPlace {
    fn store(&self) -> anyhow::Result<UserStore> {
        Ok(self.store_with_access()?.0)
    }

    fn store_with_access(&self) -> anyhow::Result<(UserStore, PostgresAccess)> {
        if let Some(store) = &self.store {
            return Ok((store.clone(), PostgresAccess::default()));
        }
        let config = Config::load(&self.config.config)?;
        let users = config.users.context("the configuration has no [users]")?;
        let store = users.store.store().context("[users] store is upstream: that has the users")?;
        Ok((store.clone(), users.postgres.unwrap_or_default()))
    }
}

impl UserArguments {
    /// Changes the store for this user, asking for a password where that takes one.
    fn change(&self, said: &str, what: Change<'_>) -> anyhow::Result<()> {
        let name = Username::new(&self.name)?;
        let realm = self.realm.as_deref().map(Realm::new).transpose()?;
        let store = self.place.store()?;
        let carry_out = |password: &str, is_rehearsal| {
            let change = UserChange { name: &name, realm: realm.as_ref(), password, what };
            store::change(&store, &change, is_rehearsal)
        };
        let mut password = Zeroizing::new(String::new());
        if !matches!(what, Change::Remove) {
            // Nobody is asked in vain, and nobody else waits for who is asked.
            carry_out("any", true)?;
            password = new_password()?;
        }
        carry_out(&password, false)?;
        println!("{} {said} {store}; `sbc reload` has the daemon read it at once", self.name);
        Ok(())
    }
}

fn bring(place: &UsersPlace, file: &Path, replace: bool) -> anyhow::Result<()> {
    let store = place.store()?;
    let progress = progress::counting("users");
    let mut tell = |count| progress.set_position(count as u64);
    let imported = store::import(&store, file, replace, &mut tell);
    progress.finish_and_clear();
    let count = imported?;
    println!(
        "{count} users of {} are in {store}; `sbc reload` has the daemon read it at once",
        file.display()
    );
    Ok(())
}

fn list(place: &UsersPlace, json: bool) -> anyhow::Result<()> {
    let (store, access) = place.store_with_access()?;
    let Snapshot { users, .. } = store_at(&store, &access).read()?;
    let mut listed: Vec<_> = users.iter().map(|user| Listed::of(user)).collect();
    listed.sort_by_key(|user| (user.realm, user.name));
    let mut out = io::stdout().lock();
    let written = if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&listed)?)
    } else {
        listed.iter().try_for_each(|user| {
            writeln!(out, "{:<30} {:<30} {}", user.name, user.realm, user.hashes.join(", "))
        })
    };
    match written {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

impl<'u> Listed<'u> {
    fn of(user: &'u User) -> Self {
        let functions = HashFunction::ALL.into_iter();
        let hashes = functions.filter(|function| user.ha1(*function).is_some()).map(hash_key);
        Self { name: user.name(), realm: user.realm().as_str(), hashes: hashes.collect() }
    }
}
