//! The host that is flooded, and the thread of the kernel that receives there.

use std::{fs, io, path::PathBuf, process, time::Duration};

use anyhow::{Context as _, Result, bail};
use sbc_tests::{Host, connect, wait_for, wait_until};

use crate::{
    cores,
    frames::{RECEIVER_IPV4, RECEIVER_IPV6, RECEIVER_MAC},
    placement::{Cores, Mode},
};

const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Receiver {
    pub(crate) host: Host,
    pub(crate) device: String,
    /// The interface, on the flood's host, that leads here.
    pub(crate) way_here: u32,
    /// The other end's count of what found the queue full.
    lost: PathBuf,
    /// The kernel's thread that receives; on one core, the one that helps the flood with it.
    thread: Option<u32>,
}

/// What the kernel has counted of the link so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// Frames taken from the queue.
    pub(crate) received: u64,
    /// Frames that found the queue full.
    pub(crate) lost: u64,
}

impl Receiver {
    /// Makes the `number`th one, linked to `flood`.
    pub(crate) fn new(flood: &Host, number: usize) -> Result<Self> {
        let host = Host::new(&format!("receiver {number}"))?;
        // The kernel's thread is found by this name, and sees no namespaces.
        let device = format!("r{}-{number}", process::id());
        let end = format!("flood{number}");
        connect(
            flood.interface(&end, &[]),
            host.interface(
                &device,
                &[&format!("{RECEIVER_IPV4}/24"), &format!("{RECEIVER_IPV6}/64")],
            ),
        )?;
        host.run("ip", ["link", "set", &device, "address", RECEIVER_MAC])?;
        // Whatever the machine's own setting is, nothing but the case under test drops.
        let relax = format!(
            "for f in all {device}; do echo 0 > /proc/sys/net/ipv4/conf/$f/rp_filter; done; \
             ip route add default dev {device}"
        );
        host.run("sh", ["-c", &relax])?;
        let folder = flood.path(format!("/sys/class/net/{end}"));
        let way_here = number_in(&folder.join("ifindex"))?;
        let lost = folder.join("statistics/tx_dropped");
        let way_here = u32::try_from(way_here).context("an impossible interface")?;
        Ok(Self { host, device, way_here, lost, thread: None })
    }

    /// Lets a veth without an XDP program take frames at all.
    pub(crate) fn receive_offload(&self) -> Result<()> {
        self.host.run("ethtool", ["-K", &self.device, "gro", "on"]).map(drop)
    }

    /// Gives the receiving side its core. The kernel makes its thread once the interface polls, which
    /// it does with an XDP program or with receive offload.
    pub(crate) fn settle(&mut self, cores: &Cores) -> Result<()> {
        let name = match cores.mode {
            // Frames are received in the flood's own time, and in that of the thread that the kernel
            // wakes when there is too much of it.
            Mode::Same => format!("ksoftirqd/{}", cores.receiver),
            Mode::Split => {
                let threaded = format!("/sys/class/net/{}/threaded", self.device);
                fs::write(self.host.path(threaded), "1")
                    .context("asking for a receiving thread")?;
                format!("napi/{}-", self.device)
            }
        };
        let threads = wait_for("the thread that receives", PATIENCE, || {
            Ok(Some(kernel_threads(&name)?).filter(|threads| !threads.is_empty()))
        })?;
        let [thread] = *threads else { bail!("several threads receive: {threads:?}") };
        if cores.mode == Mode::Split {
            cores::pin(thread, cores.receiver)?;
            prefer(thread)?;
        }
        self.thread = Some(thread);
        Ok(())
    }

    /// The thread that receives, if it has a core of its own, or zero.
    pub(crate) fn thread_elsewhere(&self, cores: &Cores) -> u32 {
        self.thread.filter(|_| cores.mode == Mode::Split).unwrap_or(0)
    }

    /// Nanoseconds that receiving has cost so far, `flood` being the flood's process.
    pub(crate) fn run_time(&self, flood: u32, cores: &Cores) -> Result<u64> {
        let own = cores::run_time(self.thread.context("not settled")?)?;
        Ok(match cores.mode {
            Mode::Same => own + cores::run_time(flood)?,
            Mode::Split => own,
        })
    }

    pub(crate) fn link(&self) -> Result<Link> {
        let folder = self.host.path(format!("/sys/class/net/{}/statistics", self.device));
        Ok(Link { received: number_in(&folder.join("rx_packets"))?, lost: number_in(&self.lost)? })
    }

    /// Waits until frames arrive.
    pub(crate) fn wait_for_flood(&self) -> Result<()> {
        let before = self.link()?.received;
        wait_until("the flood to arrive", PATIENCE, || Ok(self.link()?.received > before + 10_000))
    }

    /// Waits until no more frames arrive.
    pub(crate) fn wait_for_silence(&self) -> Result<()> {
        let mut last = self.link()?.received;
        wait_until("the flood to end", PATIENCE, || {
            let now = self.link()?.received;
            Ok(std::mem::replace(&mut last, now) == now)
        })
    }

    /// Frames that an XDP program on the interface dropped.
    pub(crate) fn dropped_by_xdp(&self) -> Result<u64> {
        let text = self.host.run("ethtool", ["-S", &self.device])?;
        let drops = text.lines().filter_map(|line| {
            let (name, count) = line.split_once(':')?;
            let is_ours = name.contains("rx_queue_") && name.ends_with("_xdp_drops");
            is_ours.then(|| count.trim().parse::<u64>().ok())?
        });
        Ok(drops.sum())
    }
}

fn number_in(file: &std::path::Path) -> Result<u64> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    text.trim().parse().with_context(|| format!("{}: {text}", file.display()))
}

/// Lets the thread run before every ordinary one.
fn prefer(thread: u32) -> Result<()> {
    let priority = libc::sched_param { sched_priority: 1 };
    // SAFETY: a plain system call with a valid parameter.
    let done = unsafe {
        libc::sched_setscheduler(thread.cast_signed(), libc::SCHED_FIFO, &raw const priority)
    };
    if done == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error()).with_context(|| format!("giving thread {thread} a priority"))
}

/// The threads whose names begin with this, by process id.
fn kernel_threads(prefix: &str) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("listing /proc")? {
        let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // One that has ended meanwhile has no name any more.
        let name = fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
        if name.trim_end().starts_with(prefix) {
            found.push(id);
        }
    }
    Ok(found)
}
