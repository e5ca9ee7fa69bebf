//! Namespaces, the process that holds them, and the thread that starts processes in them.
//!
//! The holder is the first process of a PID namespace and dies with the thread that made it: the
//! kernel then kills everything else in there, and the network and mount namespaces go with their
//! last process. So nothing survives us, whatever kills us.

use std::{
    ffi::CStr,
    io::{self, Read as _},
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::{Child, Command, Stdio},
    ptr,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result, anyhow, bail};

/// A command to start, and where to send the outcome.
type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// A network, a mount and a PID namespace.
#[derive(Debug)]
pub(crate) struct Namespaces {
    holder: Arc<Holder>,
    /// `None` only while dropping.
    orders: Mutex<Option<mpsc::Sender<Order>>>,
    spawner: Option<JoinHandle<()>>,
}

impl Namespaces {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let (orders, incoming) = mpsc::channel::<Order>();
        let (ready, readiness) = mpsc::channel();
        // A child is killed when the *thread* that made it ends, so all are made by one thread that
        // lasts as long as we do. Having entered the PID namespace, its children are born in there.
        let spawner = thread::Builder::new()
            .name(format!("host {name}"))
            .spawn(move || {
                let holder = Holder::start().and_then(|holder| {
                    holder.enter(libc::CLONE_NEWPID).context("entering the PID namespace")?;
                    Ok(Arc::new(holder))
                });
                let failed = holder.is_err();
                if ready.send(holder).is_err() || failed {
                    return;
                }
                for (mut command, reply) in incoming {
                    let _ = reply.send(command.spawn());
                }
            })
            .context("starting a thread")?;
        let holder = readiness.recv().context("the host's thread ended")??;
        Ok(Self { holder, orders: Mutex::new(Some(orders)), spawner: Some(spawner) })
    }

    /// The holder's process id.
    pub(crate) fn pid(&self) -> libc::pid_t {
        self.holder.pid
    }

    /// A command that enters the network and mount namespaces, in a process group of its own, with
    /// an empty standard input.
    pub(crate) fn command(&self, program: &std::ffi::OsStr) -> Command {
        let mut command = Command::new(program);
        command.process_group(0).stdin(Stdio::null());
        let holder = Arc::clone(&self.holder);
        // SAFETY: `join` only makes system calls, and uses no memory but its own stack.
        unsafe { command.pre_exec(move || join(&holder)) };
        command
    }

    /// Starts a command of [`Self::command`] within the PID namespace too.
    pub(crate) fn spawn(&self, command: Command) -> Result<Child> {
        let (reply, outcome) = mpsc::channel();
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let orders = orders.as_ref().context("the host is gone")?;
        orders.send((command, reply)).map_err(|_| anyhow!("the host's thread ended"))?;
        Ok(outcome.recv().context("the host's thread ended")??)
    }

    /// Takes the calling thread into the network namespace, for good.
    pub(crate) fn enter_network(&self) -> Result<()> {
        self.holder.enter(libc::CLONE_NEWNET).context("entering the network namespace")
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        self.holder.kill();
        self.orders.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(spawner) = self.spawner.take() {
            let _ = spawner.join();
        }
    }
}

/// Runs between `fork` and `exec`: enters the namespaces and asks to be killed with our parent.
fn join(holder: &Holder) -> io::Result<()> {
    let mut folder = [0; libc::PATH_MAX as usize];
    // SAFETY: plain system calls; `folder` is as long as they are told.
    unsafe {
        checked(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
        let known = !libc::getcwd(folder.as_mut_ptr(), folder.len()).is_null();
        holder.enter(libc::CLONE_NEWNET | libc::CLONE_NEWNS)?;
        // Entering a mount namespace goes to its root.
        if known {
            libc::chdir(folder.as_ptr());
        }
    }
    Ok(())
}

#[derive(Debug)]
struct Holder {
    pid: libc::pid_t,
    pidfd: OwnedFd,
}

/// What the holder does before it is ready, in order; `None` makes a folder.
const MOUNTS: [(&CStr, Option<&CStr>); 4] = [
    // Sockets and process ids of the daemons: not those of the machine.
    (c"/run", Some(c"tmpfs")),
    (c"/run/sbc", None),
    // `/sys/class/net` shows the interfaces of whoever mounted it.
    (c"/sys", Some(c"sysfs")),
    (c"/sys/fs/bpf", Some(c"bpf")),
];

impl Holder {
    /// Starts it, with its namespaces; its parent is the calling thread.
    fn start() -> Result<Self> {
        let (mut report, reporting) = io::pipe().context("opening a pipe")?;
        let mut pidfd: libc::c_int = -1;
        // SAFETY: all zero is a valid value of this plain struct: nothing asked for.
        let mut request: libc::clone_args = unsafe { std::mem::zeroed() };
        request.flags =
            (libc::CLONE_PIDFD | libc::CLONE_NEWPID | libc::CLONE_NEWNET | libc::CLONE_NEWNS)
                .unsigned_abs()
                .into();
        request.pidfd = ptr::from_mut(&mut pidfd).addr() as u64;
        request.exit_signal = libc::SIGCHLD.unsigned_abs().into();
        // SAFETY: like `fork`: the request is valid for the call, and the child, a copy of this
        // thread alone, makes only system calls and never returns.
        let pid = unsafe {
            libc::syscall(libc::SYS_clone3, &raw mut request, size_of::<libc::clone_args>())
        };
        if pid == 0 {
            hold(reporting.as_raw_fd());
        }
        let pid = libc::pid_t::try_from(pid).context("an impossible process id")?;
        if pid < 0 {
            let error = io::Error::last_os_error();
            let denied = error.raw_os_error() == Some(libc::EPERM);
            let advice = if denied { "; run as root" } else { "" };
            return Err(error).context(format!("making network namespaces{advice}"));
        }
        // SAFETY: the kernel just made this descriptor for us, and nobody else knows it.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        let holder = Self { pid, pidfd };

        drop(reporting);
        let mut told = Vec::new();
        report.read_to_end(&mut told).context("waiting for the namespaces")?;
        match <[u8; 5]>::try_from(told.as_slice()) {
            Ok([0, ..]) => Ok(holder),
            Ok([step, error @ ..]) => {
                let error = io::Error::from_raw_os_error(i32::from_ne_bytes(error));
                let step = usize::from(step - 1);
                let place = MOUNTS.get(step).map_or(c"/ as private", |(place, _)| place);
                Err(error).context(format!("mounting {} in the namespace", place.to_string_lossy()))
            }
            Err(_) => bail!("the process that holds the namespaces died"),
        }
    }

    fn enter(&self, namespaces: libc::c_int) -> io::Result<()> {
        // SAFETY: a plain system call on a descriptor that we own.
        checked(unsafe { libc::setns(self.pidfd.as_raw_fd(), namespaces) })
    }

    fn kill(&self) {
        // SAFETY: plain system calls; the process is our child and not yet waited for, so that the
        // id cannot have become another's.
        unsafe {
            libc::kill(self.pid, libc::SIGKILL);
            libc::waitpid(self.pid, ptr::null_mut(), 0);
        }
    }
}

/// The holder's whole life. The memory is a copy of a program whose other threads may have held any
/// lock: nothing here may allocate, print or panic.
fn hold(report: libc::c_int) -> ! {
    // SAFETY: plain system calls with constant strings; closing all descriptors but one is fine in a
    // process that never uses the others.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::prctl(libc::PR_SET_NAME, c"sbc-test-host".as_ptr());
        libc::setpgid(0, 0);
        // Orphans of the namespace become our children: let the kernel reap them.
        libc::signal(libc::SIGCHLD, libc::SIG_IGN);
        let mut all = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, ptr::null_mut());
        let kept = report.unsigned_abs();
        libc::syscall(libc::SYS_close_range, 0, kept.saturating_sub(1), 0);
        libc::syscall(libc::SYS_close_range, kept + 1, u32::MAX, 0);

        let step = prepare_mounts();
        let [a, b, c, d] = (*libc::__errno_location()).to_ne_bytes();
        let message = [step, a, b, c, d];
        libc::write(report, message.as_ptr().cast(), message.len());
        libc::close(report);
        if step != 0 {
            libc::_exit(1);
        }
        loop {
            libc::pause();
        }
    }
}

/// Returns 0, or the number of the step that failed, from 1, with `errno` set.
fn prepare_mounts() -> u8 {
    let none = ptr::null();
    let private = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: plain system calls with constant strings; the mount namespace is ours alone.
    unsafe {
        if libc::mount(c"none".as_ptr(), c"/".as_ptr(), none, private, none.cast()) != 0 {
            return u8::MAX;
        }
        for (step, (place, kind)) in (1..).zip(MOUNTS) {
            let done = match kind {
                Some(kind) => {
                    libc::mount(kind.as_ptr(), place.as_ptr(), kind.as_ptr(), 0, none.cast())
                }
                None => libc::mkdir(place.as_ptr(), 0o755),
            };
            if done != 0 {
                return step;
            }
        }
    }
    0
}

fn checked(outcome: libc::c_int) -> io::Result<()> {
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
