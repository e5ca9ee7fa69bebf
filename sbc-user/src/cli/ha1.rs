use std::io::{self, Read as _};

use anyhow::{Context as _, ensure};
use clap::Args;
use zeroize::Zeroizing;

use crate::proof::digest::{HashFunction, Realm};
use crate::proof::users::{Username, stanza};

#[derive(Debug, Args)]
pub(super) struct Ha1Arguments {
    /// The realm that the user belongs to, as in the users file.
    #[arg(long)]
    realm: String,
    /// The user name.
    name: String,
}

pub(super) fn ha1(arguments: &Ha1Arguments) -> anyhow::Result<()> {
    let realm = Realm::new(&arguments.realm)?;
    let name = Username::new(&arguments.name)?;
    let mut password = Zeroizing::new(String::new());
    // Not an argument: those are visible to every user of the machine.
    io::stdin().take(1024).read_to_string(&mut password).context("cannot read the password")?;
    let password = password.strip_suffix('\n').unwrap_or(&password);
    ensure!(!password.is_empty(), "the password on standard input is empty");
    print!("{}", *stanza(&name, &realm, password, &HashFunction::ALL, &[]));
    Ok(())
}
