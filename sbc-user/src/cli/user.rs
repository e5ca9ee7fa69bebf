//! `sbc user`: who is in the users file.

use std::io::{self, Write as _};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde::Serialize;
use zeroize::Zeroizing;

use super::ConfigFile;
use super::password::new_password;
use crate::config::{Config, UserStore};
use crate::proof::digest::{HashFunction, Realm};
use crate::proof::users::store::{Snapshot, store_at};
use crate::proof::users::{
    Exchange, User, Username, hash_key, with_password, with_user, without_user,
};

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

const ABSENT: &str = "there is no users file";

pub(super) fn user(command: &UserCommand) -> anyhow::Result<()> {
    match command {
        UserCommand::Add { user, may_assert } => {
            user.change("is in", true, |text, name, realm, password| {
                let text = match (text, realm) {
                    (Some(text), _) => text,
                    // The first user's realm is that of the file.
                    (None, Some(realm)) => &beginning(realm),
                    (None, None) => {
                        bail!("there is no users file yet: name its realm with --realm")
                    }
                };
                Ok(with_user(text, name, realm, password, may_assert)?)
            })
        }
        UserCommand::Remove(user) => {
            user.change("is no longer in", false, |text, name, realm, _| {
                Ok(without_user(text.context(ABSENT)?, name, realm)?)
            })
        }
        UserCommand::Passwd(user) => {
            user.change("has a new password in", true, |text, name, realm, password| {
                Ok(with_password(text.context(ABSENT)?, name, realm, password)?)
            })
        }
        UserCommand::List { place, json } => list(place, *json),
    }
}

fn beginning(realm: &Realm) -> String {
    let realm = toml::Value::from(realm.as_str());
    format!("# Who answers challenges: `sbc user`. Kept at mode 600.\nrealm = {realm}\n")
}

impl UsersPlace {
    fn store(&self) -> anyhow::Result<UserStore> {
        if let Some(store) = &self.store {
            return Ok(store.clone());
        }
        let config = Config::load(&self.config.config)?;
        let users = config.users.context("the configuration has no [users]")?;
        Ok(users.store)
    }
}

impl UserArguments {
    /// Replaces the file by what `changed` makes of it, for this user and perhaps a password.
    fn change(
        &self,
        what: &str,
        takes_password: bool,
        changed: impl Fn(
            Option<&str>,
            &Username,
            Option<&Realm>,
            &str,
        ) -> anyhow::Result<Zeroizing<String>>,
    ) -> anyhow::Result<()> {
        let name = Username::new(&self.name)?;
        let realm = self.realm.as_deref().map(Realm::new).transpose()?;
        let UserStore::File(path) = self.place.store()?;
        let changed = |exchange: &Exchange, password: &str| {
            let text = exchange.text()?;
            let text = text.as_ref().map(|text| text.as_str());
            changed(text, &name, realm.as_ref(), password)
                .with_context(|| path.display().to_string())
        };
        let mut password = Zeroizing::new(String::new());
        if takes_password {
            // Nobody is asked in vain, and nobody else waits for who is asked.
            changed(&Exchange::begin(&path)?, "any")?;
            password = new_password()?;
        }
        let exchange = Exchange::begin(&path)?;
        let text = changed(&exchange, &password)?;
        exchange.replace(&text).with_context(|| format!("cannot replace {}", path.display()))?;
        println!("{} {what} {}; SIGHUP has the daemon read it", self.name, path.display());
        Ok(())
    }
}

fn list(place: &UsersPlace, json: bool) -> anyhow::Result<()> {
    let Snapshot { users, .. } = store_at(&place.store()?).read()?;
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
