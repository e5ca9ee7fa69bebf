use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::{Uid, User};

use crate::config::{Config, UserStore};
use crate::doctor::{FileFact, FileNeed};

/// Everything that the configuration names, and itself.
pub(super) fn files(path: &Path, config: &Config) -> Vec<FileFact> {
    let user = Whoever::runs(config);
    let mut files = vec![(path, FileNeed::Read), (&config.state_directory, FileNeed::State)];
    files.extend(config.control.socket.parent().map(|directory| (directory, FileNeed::Socket)));
    if let Some(tls) = &config.tls {
        files.push((&tls.key, FileNeed::Secret));
        files.extend([(&*tls.certificate, FileNeed::Read), (&tls.client_ca, FileNeed::Read)]);
        files.extend(tls.server_ca.iter().chain(&tls.crls).map(|path| (&**path, FileNeed::Read)));
        for pair in &tls.further {
            files.extend([(&*pair.key, FileNeed::Secret), (&*pair.certificate, FileNeed::Read)]);
        }
    }
    if let Some(tls) = &config.upstream.tls {
        files.push((&tls.key, FileNeed::Secret));
        files.extend([(&*tls.certificate, FileNeed::Read), (&*tls.ca, FileNeed::Read)]);
        files.extend(tls.crls.iter().map(|path| (&**path, FileNeed::Read)));
    }
    for peer in config.peers.iter() {
        let rule = &peer.certificate;
        files.extend(rule.ca.iter().chain(&rule.crls).map(|path| (&**path, FileNeed::Read)));
    }
    if let Some(users) = &config.users {
        match users.store.store() {
            Some(UserStore::File(path) | UserStore::Sqlite(path)) => {
                files.push((path, FileNeed::Secret));
            }
            Some(UserStore::Postgres(_)) | None => {}
        }
    }
    if let Some(directory) = &config.directory {
        files.extend(directory.bind_password_file.iter().map(|path| (&**path, FileNeed::Secret)));
        files.extend(directory.ca.iter().map(|path| (&**path, FileNeed::Read)));
    }
    if let Some(stir) = &config.stir {
        files.extend(stir.sign.iter().map(|sign| (&*sign.key, FileNeed::Secret)));
        files.extend(stir.authorities.iter().map(|path| (&**path, FileNeed::Read)));
    }
    files.into_iter().map(|(path, need)| user.fact(path, need)).collect()
}

/// Who the daemon runs as: the user of `[kernel]`, or who asks.
struct Whoever {
    name: String,
    uid: u32,
    gid: u32,
}

impl Whoever {
    fn runs(config: &Config) -> Self {
        let named = config.kernel.user.as_deref().and_then(|name| User::from_name(name).ok()?);
        let asks = || User::from_uid(Uid::effective()).ok().flatten();
        if let Some(user) = named.or_else(asks) {
            return Self { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() };
        }
        let uid = Uid::effective().as_raw();
        Self { name: uid.to_string(), uid, gid: uid }
    }

    fn fact(&self, path: &Path, need: FileNeed) -> FileFact {
        let metadata = fs::metadata(path);
        let is_there = match &metadata {
            Ok(_) => Some(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(false),
            Err(_) => None,
        };
        let metadata = metadata.ok();
        let wanted = match need {
            FileNeed::Read | FileNeed::Secret => 0o4,
            FileNeed::State | FileNeed::Socket => 0o3,
        };
        FileFact {
            path: path.to_owned(),
            need,
            is_there,
            mode: metadata.as_ref().map_or(0, Metadata::mode),
            is_ours: metadata.as_ref().is_some_and(|it| it.uid() == 0 || it.uid() == self.uid),
            is_usable: metadata.is_some_and(|it| self.may(&it, wanted)) && self.gets_to(path),
            user: self.name.clone(),
        }
    }

    /// Says whether he may pass all directories above.
    fn gets_to(&self, path: &Path) -> bool {
        let Ok(whole) = fs::canonicalize(path) else { return false };
        let mut above = whole.ancestors().skip(1);
        above.all(|above| fs::metadata(above).is_ok_and(|it| self.may(&it, 0o1)))
    }

    fn may(&self, metadata: &Metadata, wanted: u32) -> bool {
        let mode = metadata.mode();
        let bits = if metadata.uid() == self.uid {
            mode >> 6
        } else if metadata.gid() == self.gid {
            mode >> 3
        } else {
            mode
        };
        self.uid == 0 || bits & wanted == wanted
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn who_may_read_a_file_has_to_get_to_it_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        fs::write(&path, "").unwrap();
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let owner = fs::metadata(&path).unwrap();
        let stranger =
            Whoever { name: "sbc".to_owned(), uid: owner.uid() + 7, gid: owner.gid() + 7 };
        for (folder_mode, mode, is_usable) in
            [(0o755, 0o644, true), (0o755, 0o640, false), (0o700, 0o644, false)]
        {
            set(folder.path(), folder_mode);
            set(&path, mode);
            let fact = stranger.fact(&path, FileNeed::Read);
            assert_eq!((fact.is_there, fact.is_usable), (Some(true), is_usable), "{mode:o}");
            assert_eq!(fact.mode & 0o777, mode);
        }
        let missing = stranger.fact(&folder.path().join("nothing"), FileNeed::Secret);
        assert_eq!((missing.is_there, missing.is_usable), (Some(false), false));
    }
}
