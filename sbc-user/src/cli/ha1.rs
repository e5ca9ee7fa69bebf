use clap::Args;

use super::password::new_password;
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
    let password = new_password()?;
    print!("{}", *stanza(&name, &realm, &password, &HashFunction::ALL, &[]));
    Ok(())
}
