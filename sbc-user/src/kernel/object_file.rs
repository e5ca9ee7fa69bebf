use std::ffi::CString;
use std::fs;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

const BPF_OBJ_GET: libc::c_long = 7;
const BPF_LINK_UPDATE: libc::c_long = 29;
const BPF_LINK_GET_FD_BY_ID: libc::c_long = 30;

/// What is pinned at a path. aya opens pinned objects too, but asks neither of what kind they are, nor
/// what a link holds.
#[derive(Debug)]
pub(super) struct ObjectFile(OwnedFd);

/// What a pin may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Link,
    Map,
    Other,
}

impl ObjectFile {
    /// Opens what is pinned at `path`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        #[repr(C)]
        struct Attributes {
            path: u64,
            descriptor: u32,
            flags: u32,
        }
        let path = CString::new(path.as_os_str().as_bytes())?;
        let attributes = Attributes { path: path.as_ptr() as u64, descriptor: 0, flags: 0 };
        // SAFETY: `Attributes` is the part of `union bpf_attr` that BPF_OBJ_GET reads, and the string
        // that it points to is NUL-terminated and outlives the call.
        unsafe { descriptor(BPF_OBJ_GET, &attributes) }
    }

    /// Opens the link of this number. Takes `CAP_SYS_ADMIN`.
    pub(super) fn link(id: u32) -> io::Result<Self> {
        #[repr(C)]
        struct Attributes {
            id: u32,
            next: u32,
            flags: u32,
        }
        let attributes = Attributes { id, next: 0, flags: 0 };
        // SAFETY: `Attributes` is the part of `union bpf_attr` that BPF_LINK_GET_FD_BY_ID reads.
        unsafe { descriptor(BPF_LINK_GET_FD_BY_ID, &attributes) }
    }

    /// Of what kind it is.
    pub(super) fn kind(&self) -> Kind {
        let name = fs::read_link(format!("/proc/self/fd/{}", self.0.as_raw_fd()));
        match name.as_ref().ok().and_then(|name| name.to_str()) {
            Some("anon_inode:bpf-map") => Kind::Map,
            // Its name has changed its spelling.
            Some("anon_inode:bpf_link" | "anon_inode:bpf-link") => Kind::Link,
            Some(_) | None => Kind::Other,
        }
    }

    /// The index of the interface that a link holds; zero when the interface is gone.
    pub(super) fn interface(&self) -> io::Result<u32> {
        Ok(u32::try_from(self.described("ifindex:")?).unwrap_or(0))
    }

    /// The number of the control group that a link holds; zero when that is gone.
    pub(super) fn cgroup(&self) -> io::Result<u64> {
        self.described("cgroup_id:")
    }

    fn described(&self, name: &str) -> io::Result<u64> {
        let described = fs::read_to_string(format!("/proc/self/fdinfo/{}", self.0.as_raw_fd()))?;
        let value = described.lines().find_map(|line| line.strip_prefix(name));
        Ok(value.and_then(|value| value.trim().parse().ok()).unwrap_or(0))
    }

    /// Puts `program` in the place of the one that a link attaches. aya does that for XDP alone.
    pub(super) fn replace_program(&self, program: impl AsFd) -> io::Result<()> {
        #[repr(C)]
        struct Attributes {
            link: u32,
            program: u32,
            flags: u32,
            old_program: u32,
        }
        let attributes = Attributes {
            link: self.0.as_raw_fd().unsigned_abs(),
            program: program.as_fd().as_raw_fd().unsigned_abs(),
            flags: 0,
            old_program: 0,
        };
        // SAFETY: `Attributes` is the part of `union bpf_attr` that BPF_LINK_UPDATE reads; it outlives
        // the call, as do both descriptors.
        let outcome = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                BPF_LINK_UPDATE,
                &raw const attributes,
                mem::size_of::<Attributes>(),
            )
        };
        if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// # Safety
///
/// `attributes` has the layout that `command` reads of `union bpf_attr`, and its pointers are good.
unsafe fn descriptor<T>(command: libc::c_long, attributes: &T) -> io::Result<ObjectFile> {
    // SAFETY: the caller's promise; the attributes outlive the call and have the size that is told.
    let descriptor = unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), mem::size_of::<T>())
    };
    let descriptor = i32::try_from(descriptor).unwrap_or(-1);
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just opened this descriptor for us.
    Ok(ObjectFile(unsafe { OwnedFd::from_raw_fd(descriptor) }))
}
