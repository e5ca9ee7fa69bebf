use super::{Check, Facts, FileFact, FileNeed, Finding};

/// Permission bits of everybody but the owner, and of writing by everybody but the owner.
const OTHERS: u32 = 0o077;
const OTHERS_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;

pub(super) fn examine(facts: &Facts, told: &mut Vec<Finding>) {
    let before = told.len();
    for file in &facts.files {
        match file.need {
            FileNeed::Read | FileNeed::Secret => told.extend(file_finding(file)),
            FileNeed::State => told.push(state_directory(facts.is_root, file)),
            FileNeed::Socket => told.extend(socket_directory(facts.is_root, file)),
        }
    }
    let has_finding = told.iter().skip(before).any(|finding| finding.check == Check::Files);
    if !has_finding && !facts.files.is_empty() {
        told.push(Finding::ok(Check::Files, "readable for whom they are meant"));
    }
}

fn file_finding(file: &FileFact) -> Option<Finding> {
    let path = file.path.display();
    let user = &file.user;
    match file.is_there {
        None => Some(Finding::unseen(
            Check::Files,
            format!("{path} cannot be looked at by who asks"),
            "sudo sbc doctor",
        )),
        Some(false) => Some(Finding::failure(
            Check::Files,
            format!("{path} is not there"),
            "make it, or mend its name in the configuration",
        )),
        Some(true) if file.need == FileNeed::Secret && file.mode & OTHERS != 0 => {
            Some(Finding::failure(
                Check::Files,
                format!(
                    "{path} is open to others than its owner (mode {:04o})",
                    file.mode & 0o7777
                ),
                format!("chmod 600 {path}"),
            ))
        }
        Some(true) if file.mode & OTHERS_WRITE != 0 && file.mode & STICKY == 0 => {
            Some(Finding::warning(
                Check::Files,
                format!(
                    "{path} can be written by others than its owner (mode {:04o})",
                    file.mode & 0o7777
                ),
                format!("chmod go-w {path}"),
            ))
        }
        Some(true) if !file.is_usable => Some(Finding::failure(
            Check::Files,
            format!("user {user:?}, who runs the daemon, cannot read {path}"),
            format!("chown {user} {path}, and chmod o+x the directories above it"),
        )),
        Some(true) if !file.is_ours => Some(Finding::warning(
            Check::Files,
            format!("{path} belongs neither to root nor to {user:?}"),
            format!("chown {user} {path}"),
        )),
        Some(true) => None,
    }
}

fn state_directory(is_root: bool, file: &FileFact) -> Finding {
    let (path, user) = (file.path.display(), &file.user);
    match file.is_there {
        Some(true) if file.is_usable => Finding::ok(Check::StateDirectory, format!("{path}")),
        Some(false) if is_root && user == "root" => {
            Finding::ok(Check::StateDirectory, format!("the daemon makes {path}"))
        }
        Some(_) => Finding::failure(
            Check::StateDirectory,
            format!("user {user:?} cannot write {path}: routing keys are kept there"),
            format!("install -d -m 700 -o {user} {path}"),
        ),
        None => Finding::unseen(
            Check::StateDirectory,
            format!("{path} cannot be looked at by who asks"),
            "sudo sbc doctor",
        ),
    }
}

fn socket_directory(is_root: bool, file: &FileFact) -> Option<Finding> {
    let (path, user) = (file.path.display(), &file.user);
    match file.is_there {
        Some(true) if !file.is_usable => Some(Finding::failure(
            Check::Files,
            format!("user {user:?} cannot make the control socket in {path}"),
            format!("`sbc load` as root makes it, or: install -d -m 1775 -g {user} {path}"),
        )),
        Some(false) if !is_root => Some(Finding::unseen(
            Check::Files,
            format!("{path}, for the control socket, is not there"),
            "`sbc load` or `sbc run` as root makes it",
        )),
        Some(_) | None => None,
    }
}
