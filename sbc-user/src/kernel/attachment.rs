use std::io;
use std::path::Path;

use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::xdp::XdpLink;
use aya::programs::{ProgramError, Xdp, XdpMode};

use super::device::Device;
use super::{KernelError, Pins, XdpHolder};

/// How the program is to be attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttachMode {
    /// In the driver where it can, otherwise in the network stack, with a warning.
    #[default]
    Auto,
    /// In the driver, or not at all.
    Native,
    /// In the network stack, after the packet got its socket buffer: several times dearer.
    Generic,
}

/// How the program came to be attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attached {
    /// In the driver.
    Native,
    /// In the network stack.
    Generic,
    /// In place of the program that a previous run left attached, with no packet in between, and in
    /// the mode that it chose.
    InPlace,
    /// By `sbc load`, before this process began.
    Before,
}

/// Attaches `program` to `device` for good: the link is pinned. In place of a program of this version or
/// of one of the `others`, if one is attached.
pub(super) fn attach(
    program: &mut Xdp,
    device: &Device,
    pins: &Pins,
    others: &[Pins],
    mode: AttachMode,
) -> Result<Attached, KernelError> {
    match pins.linked_interface(&device.name)? {
        Some(index) if index == device.index => {
            // The pin alone holds the link, as after a first attachment: whoever removes it detaches.
            drop(replace(program, &pins.link(&device.name))?);
            return Ok(Attached::InPlace);
        }
        // The interface that this link held is gone; its pin holds nothing any more.
        Some(_) => pins.remove_link(&device.name)?,
        None => {}
    }
    for other in others {
        if other.linked_interface(&device.name)? == Some(device.index) {
            // Replaced first and moved then: if this process ends in between, the next one finds the
            // link where it was, with a program that judges by the new policy.
            let link = replace(program, &other.link(&device.name))?;
            pin(link, &pins.link(&device.name))?;
            other.remove_link(&device.name)?;
            return Ok(Attached::InPlace);
        }
    }
    match mode {
        AttachMode::Native => attach_native(program, device, pins),
        AttachMode::Generic => attach_generic(program, device, pins),
        AttachMode::Auto => match attach_native(program, device, pins) {
            Err(KernelError::NoNativeMode { .. }) => attach_generic(program, device, pins),
            attached => attached,
        },
    }
}

/// Puts `program` in the place of the one that the link pinned at `path` attaches, with no packet in
/// between.
fn replace(program: &mut Xdp, path: &Path) -> Result<FdLink, KernelError> {
    let failed = |error| KernelError::Pin {
        action: "cannot open",
        path: path.to_owned(),
        cause: io::Error::other(error),
    };
    let pinned = PinnedLink::from_pin(path).map_err(failed)?;
    let link = XdpLink::try_from(FdLink::from(pinned)).map_err(failed)?;
    let id = program.attach_to_link(link)?;
    program.take_link(id)?.try_into().map_err(failed)
}

pub(super) fn pin(link: FdLink, path: &Path) -> Result<(), KernelError> {
    link.pin(path).map(drop).map_err(|error| KernelError::Pin {
        action: "cannot pin the link at",
        path: path.to_owned(),
        cause: io::Error::other(error),
    })
}

fn attach_native(program: &mut Xdp, device: &Device, pins: &Pins) -> Result<Attached, KernelError> {
    match attach_in(program, device, pins, XdpMode::Driver) {
        Err(KernelError::Program(cause)) if is_unsupported(&cause) => {
            Err(KernelError::NoNativeMode { name: device.name.clone(), cause })
        }
        attached => attached.map(|()| Attached::Native),
    }
}

fn attach_generic(
    program: &mut Xdp,
    device: &Device,
    pins: &Pins,
) -> Result<Attached, KernelError> {
    attach_in(program, device, pins, XdpMode::Skb)?;
    tracing::warn!(
        interface = device.name,
        "attached in generic mode: every dropped packet costs several times what it does natively"
    );
    Ok(Attached::Generic)
}

fn attach_in(
    program: &mut Xdp,
    device: &Device,
    pins: &Pins,
    mode: XdpMode,
) -> Result<(), KernelError> {
    let id =
        program.attach_to_if_index(device.index, mode).map_err(|cause| match os_error(&cause) {
            Some(libc::EBUSY | libc::EEXIST) => KernelError::InterfaceTaken {
                interface: device.name.clone(),
                holder: XdpHolder::of(device),
            },
            _ => KernelError::Program(cause),
        })?;
    // aya falls back to netlink, whose attachment anyone may replace and which ends with the process.
    let link: FdLink = program
        .take_link(id)?
        .try_into()
        .map_err(|_| KernelError::NotPinnable(device.name.clone()))?;
    pin(link, &pins.link(&device.name))
}

/// Drivers answer a mode, an MTU or a queue layout that XDP cannot have with one of these.
fn is_unsupported(error: &ProgramError) -> bool {
    matches!(os_error(error), Some(libc::EOPNOTSUPP | libc::EINVAL | libc::ERANGE | libc::ENOMEM))
}

pub(super) fn os_error(error: &ProgramError) -> Option<i32> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(code) = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
            return Some(code);
        }
        cause = error.source();
    }
    None
}
