use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sbc_common::{Carrier, Reason};
use serde::{Deserialize, Serialize};

use super::table::Account;
use super::{KnownGood, Loss};
use crate::samples::Moment;

/// Longer than the fullest table is.
const LONGEST: u64 = 64 << 20;

/// The known-good sources in a file, so that they outlive a restart.
#[derive(Clone, Debug)]
pub struct KnownGoodFile {
    path: PathBuf,
    /// What the losses were counted under: a mark of the policy.
    policy: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Written {
    version: u32,
    policy: String,
    sources: Vec<WrittenSource>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WrittenSource {
    address: IpAddr,
    holder: String,
    calls: u64,
    registrations: u64,
    last_good: u64,
    losses: Vec<WrittenLoss>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WrittenLoss {
    reason: String,
    carrier: String,
    served: u64,
    unserved: u64,
    last: u64,
}

const VERSION: u32 = 1;

impl KnownGoodFile {
    /// The file in `directory`, which nodes may share: each has its own. `policy` tells a policy from others; losses
    /// under another one are forgotten.
    #[must_use]
    pub fn new(directory: &Path, node: &str, policy: String) -> Self {
        let is_plain = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '-';
        let node: String = node.chars().filter(is_plain).take(64).collect();
        Self { path: directory.join(format!("known-good-{node}.json")), policy }
    }

    /// Reads what was known at the end of a previous run; nothing, if there is no file.
    pub fn read(&self, now: Moment) -> io::Result<KnownGood> {
        let mut known = KnownGood::default();
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(known),
            opened => opened?,
        };
        let mut text = Vec::new();
        file.take(LONGEST).read_to_end(&mut text)?;
        let written: Written = serde_json::from_slice(&text)?;
        if written.version != VERSION {
            return Ok(known);
        }
        let seconds = now.wall / 1_000_000_000;
        for source in written.sources.into_iter().take(KnownGood::CAPACITY) {
            let losses = source.losses.iter().filter_map(|loss| loss.read(seconds));
            let is_of_this = written.policy == self.policy;
            known.remember(
                Account {
                    address: source.address,
                    holder: source.holder.into(),
                    calls: source.calls,
                    registrations: source.registrations,
                    last_good: Some(source.last_good.min(seconds)),
                    losses: losses.filter(|_| is_of_this).collect(),
                },
                now,
            );
        }
        known.forget_old(seconds);
        Ok(known)
    }

    /// Replaces the file, which is whole at any time.
    pub fn write(&self, accounts: &[Account]) -> io::Result<()> {
        let sources = accounts.iter().map(WrittenSource::of).collect();
        let written = Written { version: VERSION, policy: self.policy.clone(), sources };
        let draft = self.path.with_extension("json.new");
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(&serde_json::to_vec(&written)?)?;
        file.sync_all()?;
        fs::rename(&draft, &self.path)
    }
}

impl WrittenSource {
    fn of(account: &Account) -> Self {
        let losses = account.losses.iter().map(|loss| WrittenLoss {
            reason: loss.reason.name().to_owned(),
            carrier: loss.carrier.name().to_owned(),
            served: loss.served,
            unserved: loss.unserved,
            last: loss.last,
        });
        Self {
            address: account.address,
            holder: account.holder.to_string(),
            calls: account.calls,
            registrations: account.registrations,
            last_good: account.last_good.unwrap_or(0),
            losses: losses.collect(),
        }
    }
}

impl WrittenLoss {
    /// `None` for what another version may have known.
    fn read(&self, now: u64) -> Option<Loss> {
        let carrier = Carrier::ALL.into_iter().find(|carrier| carrier.name() == self.carrier)?;
        let reason = Reason::named(&self.reason)?;
        let (served, unserved) = (self.served, self.unserved);
        Some(Loss { reason, carrier, served, unserved, last: self.last.min(now) })
    }
}
