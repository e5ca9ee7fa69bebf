use std::io;
use std::path::PathBuf;

use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::{CgroupAttachMode, CgroupSkb, CgroupSkbAttachType};

use super::cgroup::{self, Cgroup};
use super::object_file::ObjectFile;
use super::{KernelError, Pins, attachment};

/// Whether packets are judged a second time, in front of the daemon's sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SocketFilter {
    /// Where that can be; elsewhere there is a warning.
    #[default]
    Auto,
    /// Or there is no filter at all.
    Require,
    /// No.
    Off,
}

/// What became of the second program.
#[derive(Debug)]
pub enum AtSockets {
    /// It is attached.
    Attached,
    /// It took the place of that of a previous run, with no packet in between.
    InPlace,
    /// `sbc load` has attached it, before this process began.
    Before,
    /// It is not wanted.
    Off,
    /// It is wanted where it can be, and this is why it cannot be.
    Impossible(KernelError),
}

/// Whose sockets a process that loads the filter means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Its own.
    Own,
    /// Those of a daemon that is started later.
    Others,
}

/// What is to be guarded.
#[derive(Debug, Default)]
pub(super) enum Guard {
    /// The sockets of this control group.
    Cgroup(Cgroup),
    /// What somebody else has seen to.
    Before,
    /// Nothing, because nothing is wanted.
    #[default]
    Off,
    /// Nothing, for this reason.
    Impossible(KernelError),
}

impl SocketFilter {
    /// The control group whose sockets are to be guarded. It is `named` in the configuration, or the
    /// calling process's own.
    pub(super) fn guard(self, named: Option<&PathBuf>, whose: Whose) -> Result<Guard, KernelError> {
        if self == Self::Off {
            return Ok(Guard::Off);
        }
        self.unless_required(find(named, whose).map(Guard::Cgroup), Guard::Impossible)
    }

    /// What a process that may not look finds guarded, by the number that stands in the tables.
    pub(super) fn guarded_before(self, cgroup: u64, pins: &Pins) -> Result<Guard, KernelError> {
        if self == Self::Off {
            return Ok(Guard::Off);
        }
        let is_guarded = cgroup != 0 && pins.socket_link().exists() && cgroup::holds_us(cgroup);
        let found = if is_guarded { Ok(Guard::Before) } else { Err(KernelError::NotGuarded) };
        self.unless_required(found, Guard::Impossible)
    }

    /// Makes an error of what cannot be if it has to be.
    pub(super) fn unless_required<T>(
        self,
        outcome: Result<T, KernelError>,
        impossible: impl FnOnce(KernelError) -> T,
    ) -> Result<T, KernelError> {
        match self {
            Self::Require => outcome,
            Self::Auto | Self::Off => Ok(outcome.unwrap_or_else(impossible)),
        }
    }
}

impl Guard {
    /// What is reported where there is nothing to attach.
    pub(super) fn found(self) -> AtSockets {
        match self {
            Self::Before => AtSockets::Before,
            Self::Impossible(error) => AtSockets::Impossible(error),
            Self::Off | Self::Cgroup(_) => AtSockets::Off,
        }
    }
}

fn find(named: Option<&PathBuf>, whose: Whose) -> Result<Cgroup, KernelError> {
    match (named, whose) {
        (Some(path), Whose::Others) => Cgroup::open(path),
        (Some(path), Whose::Own) => {
            let cgroup = Cgroup::open(path)?;
            if !cgroup::holds_us(cgroup.id) {
                return Err(KernelError::NotInCgroup(path.clone()));
            }
            Ok(cgroup)
        }
        (None, Whose::Own) => Cgroup::open(&cgroup::own_but_the_root()?),
        // A process that is about to end: what is guarded for it is nobody's.
        (None, Whose::Others) => Err(KernelError::CgroupNotNamed),
    }
}

/// Attaches `program` to the sockets of `cgroup` for good: the link is pinned. In place of a program of
/// this version or of one of the `others`, if one is attached there.
pub(super) fn attach(
    program: &mut CgroupSkb,
    cgroup: &Cgroup,
    pins: &Pins,
    others: &[Pins],
) -> Result<AtSockets, KernelError> {
    match pins.linked_cgroup()? {
        Some((link, id)) if id == cgroup.id => {
            replace(&link, program, pins)?;
            return Ok(AtSockets::InPlace);
        }
        // A service manager makes another control group for every start, and the old one is gone.
        Some(_) => pins.remove_socket_link()?,
        None => {}
    }
    for other in others {
        let Some((link, id)) = other.linked_cgroup()? else { continue };
        if id == cgroup.id {
            // Replaced first and moved then, like the link of an interface.
            replace(&link, program, other)?;
            let failed = |error| KernelError::Pin {
                action: "cannot open",
                path: other.socket_link(),
                cause: io::Error::other(error),
            };
            let link = PinnedLink::from_pin(other.socket_link()).map_err(failed)?;
            attachment::pin(link.into(), &pins.socket_link())?;
            other.remove_socket_link()?;
            return Ok(AtSockets::InPlace);
        }
    }
    // With a link the kernel takes no flag of the modes, and always leaves room for other programs.
    let mode = CgroupAttachMode::Single;
    let attached = program.attach(cgroup.descriptor(), CgroupSkbAttachType::Ingress, mode);
    let id = attached.map_err(|cause| match attachment::os_error(&cause) {
        Some(libc::EPERM) => KernelError::CgroupTaken(cgroup.path.clone()),
        _ => KernelError::Program(cause),
    })?;
    let path = pins.socket_link();
    let unpinnable = || KernelError::NotPinnable(path.display().to_string());
    let link: FdLink = program.take_link(id)?.try_into().map_err(|_| unpinnable())?;
    attachment::pin(link, &path)?;
    Ok(AtSockets::Attached)
}

fn replace(link: &ObjectFile, program: &CgroupSkb, pins: &Pins) -> Result<(), KernelError> {
    link.replace_program(program.fd()?).map_err(|cause| KernelError::Pin {
        action: "cannot replace the program of",
        path: pins.socket_link(),
        cause,
    })
}
