//! BPF objects, seen and made from beside the product.

use std::{
    ffi::CString,
    fs, io,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use anyhow::{Context as _, Result};
use sbc_common::maps::MapSpec;

const BPF_MAP_CREATE: libc::c_long = 0;
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_OBJ_PIN: libc::c_long = 6;
const BPF_OBJ_GET: libc::c_long = 7;
const BPF_PROG_ATTACH: libc::c_long = 8;
const BPF_PROG_TYPE_XDP: u32 = 6;
const BPF_PROG_TYPE_CGROUP_SKB: u32 = 8;
const BPF_CGROUP_INET_INGRESS: u32 = 0;
const BPF_F_ALLOW_MULTI: u32 = 2;
const XDP_PASS: u32 = 2;
const SOCKET_PASS: u32 = 1;

/// What the kernel tells of a pinned link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinnedLink {
    /// The link.
    pub id: u32,
    /// The program that it attaches.
    pub program: u32,
}

impl PinnedLink {
    /// Looks at the link that is pinned at `path`.
    pub fn at(path: &Path) -> Result<Self> {
        let link = open(path)?;
        let told = fs::read_to_string(format!("/proc/self/fdinfo/{}", link.as_raw_fd()))?;
        let field = |name: &str| {
            let value = told.lines().find_map(|line| line.strip_prefix(name));
            value
                .and_then(|value| value.trim().parse().ok())
                .with_context(|| format!("no {name} {told}"))
        };
        Ok(Self { id: field("link_id:")?, program: field("prog_id:")? })
    }
}

/// Pins the object at `path` at `other` too.
pub fn also_pin(path: &Path, other: &Path) -> Result<()> {
    pin(&open(path)?, other)
}

/// Makes a map of this shape and pins it at `path`, in the place of what is there.
pub fn pin_map(spec: MapSpec, path: &Path) -> Result<()> {
    #[repr(C)]
    struct Attributes {
        kind: u32,
        key_size: u32,
        value_size: u32,
        capacity: u32,
        flags: u32,
    }
    let MapSpec { name, kind, key_size, value_size, capacity, flags } = spec;
    let attributes = Attributes { kind: kind as u32, key_size, value_size, capacity, flags };
    let map = bpf(BPF_MAP_CREATE, &attributes).with_context(|| format!("making {name}"))?;
    // SAFETY: the kernel just opened this descriptor for us.
    let map = unsafe { OwnedFd::from_raw_fd(map) };
    fs::remove_file(path).with_context(|| format!("removing {}", path.display()))?;
    pin(&map, path)
}

/// Loads an XDP program that passes everything, and pins it at `path`.
pub fn pin_passing_program(name: &str, path: &Path) -> Result<()> {
    pin(&load(BPF_PROG_TYPE_XDP, XDP_PASS, name)?, path)
}

/// Attaches a program that passes everything in front of the sockets of a control group, for as long as
/// that exists; `leaves_room` for others beside it, or not.
pub fn attach_passing_program(cgroup: &Path, leaves_room: bool) -> Result<()> {
    #[repr(C)]
    struct Attributes {
        target: u32,
        program: u32,
        kind: u32,
        flags: u32,
    }
    let program = load(BPF_PROG_TYPE_CGROUP_SKB, SOCKET_PASS, "foreigner")?;
    let target = fs::File::open(cgroup)?;
    let attributes = Attributes {
        target: target.as_raw_fd().unsigned_abs(),
        program: program.as_raw_fd().unsigned_abs(),
        kind: BPF_CGROUP_INET_INGRESS,
        flags: if leaves_room { BPF_F_ALLOW_MULTI } else { 0 },
    };
    let attached = bpf(BPF_PROG_ATTACH, &attributes);
    attached.map(drop).with_context(|| format!("attaching to {}", cgroup.display()))
}

/// Loads a program that returns `answer`, whatever the packet.
fn load(kind: u32, answer: u32, name: &str) -> Result<OwnedFd> {
    #[repr(C)]
    #[derive(Default)]
    struct Attributes {
        kind: u32,
        instructions: u32,
        code: u64,
        license: u64,
        log_level: u32,
        log_size: u32,
        log: u64,
        kernel_version: u32,
        flags: u32,
        name: [u8; 16],
    }
    // `r0 = answer; exit`, in the encoding of `struct bpf_insn` on this byte order.
    let code: [u64; 2] = [u64::from(answer) << 32 | 0xb7, 0x95];
    let mut attributes = Attributes {
        kind,
        instructions: 2,
        code: code.as_ptr().addr() as u64,
        license: c"GPL".as_ptr().addr() as u64,
        ..Attributes::default()
    };
    for (to, from) in attributes.name.iter_mut().zip(name.bytes()).take(15) {
        *to = from;
    }
    let program = bpf(BPF_PROG_LOAD, &attributes).context("loading a program")?;
    // SAFETY: the kernel just opened this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(program) })
}

/// The part of `union bpf_attr` that pinning and opening take.
#[repr(C)]
struct ObjectAttributes {
    path: u64,
    descriptor: u32,
    flags: u32,
}

fn open(path: &Path) -> Result<OwnedFd> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let path_address = name.as_ptr().addr() as u64;
    let attributes = ObjectAttributes { path: path_address, descriptor: 0, flags: 0 };
    let opened = bpf(BPF_OBJ_GET, &attributes);
    let opened = opened.with_context(|| format!("opening {}", path.display()))?;
    // SAFETY: the kernel just opened this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(opened) })
}

fn pin(object: &OwnedFd, path: &Path) -> Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let descriptor = object.as_raw_fd().unsigned_abs();
    let attributes = ObjectAttributes { path: name.as_ptr().addr() as u64, descriptor, flags: 0 };
    let pinned = bpf(BPF_OBJ_PIN, &attributes);
    pinned.map(drop).with_context(|| format!("pinning {}", path.display()))
}

fn bpf<T>(command: libc::c_long, attributes: &T) -> io::Result<i32> {
    let attributes = std::ptr::from_ref(attributes);
    // SAFETY: every caller passes the part of `union bpf_attr` that its command reads, whose pointers
    // outlive the call.
    let outcome = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    if outcome < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(i32::try_from(outcome).unwrap_or(-1))
    }
}
