//! What was issued, and what of it is revoked: a line each.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::PkiError;
use super::directory::{Directory, READABLE};

const NAME: &str = "index.txt";

/// The index of an authority.
pub(super) struct Index {
    entries: Vec<Entry>,
}

/// `SERIAL KIND NAME END REVOKED`, times in seconds since 1970, `-` for not revoked.
pub(super) struct Entry {
    serial: String,
    kind: String,
    name: String,
    end: u64,
    revoked: Option<u64>,
}

impl Entry {
    pub(super) fn new(serial: &[u8], kind: &str, name: &str, end: SystemTime) -> Self {
        let digits = serial.iter().fold(String::new(), |mut digits, byte| {
            let _ = write!(digits, "{byte:02x}");
            digits
        });
        Self {
            serial: digits,
            kind: kind.to_owned(),
            name: name.to_owned(),
            end: seconds(end),
            revoked: None,
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let mut next = || words.next().map(str::to_owned);
        let (serial, kind, name, end, revoked) = (next()?, next()?, next()?, next()?, next()?);
        let revoked = match revoked.as_str() {
            "-" => None,
            when => Some(when.parse().ok()?),
        };
        let entry = Self { serial, kind, name, end: end.parse().ok()?, revoked };
        (words.next().is_none() && entry.number().is_some()).then_some(entry)
    }

    fn number(&self) -> Option<Vec<u8>> {
        let digits = (0..self.serial.len()).step_by(2);
        digits
            .map(|position| {
                u8::from_str_radix(self.serial.get(position..position.checked_add(2)?)?, 16).ok()
            })
            .collect()
    }

    fn line(&self) -> String {
        let Self { serial, kind, name, end, revoked } = self;
        let revoked = revoked.map_or_else(|| "-".to_owned(), |when| when.to_string());
        format!("{serial} {kind} {name} {end} {revoked}\n")
    }
}

impl Index {
    pub(super) fn begin(directory: &Directory) -> Result<Self, PkiError> {
        directory.write_new(NAME, "")?;
        Ok(Self { entries: Vec::new() })
    }

    pub(super) fn open(directory: &Directory) -> Result<Self, PkiError> {
        let text = directory.read(NAME)?;
        let entries = text.lines().map(Entry::parse).collect::<Option<_>>();
        let entries = entries.ok_or(PkiError::Damaged { file: NAME })?;
        Ok(Self { entries })
    }

    pub(super) fn add(&mut self, directory: &Directory, entry: Entry) -> Result<(), PkiError> {
        self.entries.push(entry);
        self.write(directory)
    }

    /// Takes note that all of that name are revoked; returns how many were not before.
    pub(super) fn revoke(
        &mut self,
        directory: &Directory,
        name: &str,
        when: SystemTime,
    ) -> Result<usize, PkiError> {
        let when = seconds(when);
        let mut count = 0_usize;
        for entry in &mut self.entries {
            if entry.name == name && entry.revoked.is_none() {
                entry.revoked = Some(when);
                count = count.saturating_add(1);
            }
        }
        self.write(directory)?;
        Ok(count)
    }

    /// What is revoked, since when; also after its end: it costs little.
    pub(super) fn revoked(&self) -> impl Iterator<Item = (Vec<u8>, SystemTime)> {
        self.entries.iter().filter_map(|entry| {
            let since = UNIX_EPOCH.checked_add(Duration::from_secs(entry.revoked?))?;
            Some((entry.number()?, since))
        })
    }

    fn write(&self, directory: &Directory) -> Result<(), PkiError> {
        let text: String = self.entries.iter().map(Entry::line).collect();
        directory.replace(NAME, &text, READABLE).map(|_| ())
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
