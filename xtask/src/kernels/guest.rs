//! A machine emulated by QEMU.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use super::{
    initramfs,
    kernel::Kernel,
    report::{Report, Tally},
    suite::Suite,
};

/// A guest takes less than half of it, and more than two thirds on processors that are busy with something
/// else.
const LIMIT: Duration = Duration::from_mins(15);

const POLL: Duration = Duration::from_millis(100);

/// Why a guest came to no good end, as it is shown.
type Failure = String;

/// How a guest ended.
enum Ending {
    /// By itself.
    Done(Report),
    TimedOut(Report),
    /// Its kernel gave up.
    Panicked(Report),
    /// Without a word of its kernel, or with QEMU itself.
    Crashed(ExitStatus),
}

/// Boots `kernel`, runs `suites` there, and returns how they went.
pub(super) fn run(kernel: &Kernel, suites: &[Suite]) -> Result<Result<Tally, Failure>> {
    let initramfs = initramfs::write(kernel, suites)?;
    let mut ending = boot(kernel, &initramfs)?;
    if let Ending::Crashed(status) = ending {
        // QEMU's emulation does that now and then; kernels and tests do not get away with it.
        println!("  {kernel}: QEMU crashed ({status}); once more");
        ending = boot(kernel, &initramfs)?;
    }
    // As large as everything else that is kept of a kernel, and soon made again.
    fs::remove_file(&initramfs).with_context(|| format!("removing {}", initramfs.display()))?;
    let names: Vec<_> = suites.iter().map(|suite| suite.name).collect();
    let failed = |why: String, report: &Report| Err(failure(&why, report, kernel));
    Ok(match ending {
        Ending::Done(report) => report.tally(&names).or_else(|why| failed(why, &report)),
        Ending::TimedOut(report) => failed(format!("not done in {} s", LIMIT.as_secs()), &report),
        Ending::Panicked(report) => failed("its kernel panicked".to_owned(), &report),
        Ending::Crashed(status) => {
            failed(format!("QEMU crashed twice ({status})"), &Report::default())
        }
    })
}

fn boot(kernel: &Kernel, initramfs: &Path) -> Result<Ending> {
    let (console, tests) = (console_log(kernel), tests_log(kernel));
    let log = File::create(&console).with_context(|| format!("creating {}", console.display()))?;
    // What an earlier boot said must not be read for what this one does.
    fs::write(&tests, "").with_context(|| format!("creating {}", tests.display()))?;

    let mut qemu = Command::new("qemu-system-x86_64");
    // Five-level page tables are slow to emulate, and nothing here uses them.
    qemu.args(["-accel", "tcg,thread=multi", "-cpu", "max,la57=off", "-smp", "2", "-m", "1024"])
        .args(["-nodefaults", "-display", "none", "-no-reboot"])
        .args(["-serial", "stdio", "-serial"])
        .arg(format!("file:{}", tests.display()))
        .arg("-kernel")
        .arg(kernel.image())
        .arg("-initrd")
        .arg(initramfs)
        .args(["-append", "console=ttyS0 loglevel=5 panic=-1"])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    // SAFETY: between fork and exec this makes one system call and touches no memory.
    unsafe {
        qemu.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    let mut qemu = qemu.spawn().context("starting qemu-system-x86_64")?;
    let status = end_of(&mut qemu)?;

    let told = |path: &Path| -> Result<String> {
        let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let report = Report::read(&told(&tests)?);
    Ok(match status {
        _ if report.is_whole => Ending::Done(report),
        None => Ending::TimedOut(report),
        Some(status) if status.success() && told(&console)?.contains("Kernel panic") => {
            Ending::Panicked(report)
        }
        Some(status) => Ending::Crashed(status),
    })
}

/// Waits for its end, and makes one when the time is up: then it has no status.
fn end_of(qemu: &mut Child) -> Result<Option<ExitStatus>> {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if let Some(status) = qemu.try_wait().context("waiting for QEMU")? {
            return Ok(Some(status));
        }
        thread::sleep(POLL);
    }
    qemu.kill().context("ending QEMU")?;
    qemu.wait().context("waiting for QEMU")?;
    Ok(None)
}

fn failure(why: &str, report: &Report, kernel: &Kernel) -> Failure {
    let mut lines = vec![why.to_owned()];
    lines.extend(report.failures().iter().map(|line| format!("    | {line}")));
    lines.push(format!("    its tests' output: {}", tests_log(kernel).display()));
    lines.push(format!("    its console: {}", console_log(kernel).display()));
    lines.join("\n")
}

fn console_log(kernel: &Kernel) -> std::path::PathBuf {
    kernel.file("console.log")
}

fn tests_log(kernel: &Kernel) -> std::path::PathBuf {
    kernel.file("tests.log")
}
