//! Another program that a command runs, and what to tell when it fails.

use std::{
    env,
    ffi::OsStr,
    fmt::Write as _,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// How much of a log is shown when its program failed.
const TAIL_LINES: usize = 30;

/// How often a program that writes to a log is looked at.
const POLL: Duration = Duration::from_millis(100);

/// How long what an interrupted program started has to end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A program with its arguments, run in the repository's root unless told otherwise, and advice for when it fails.
pub(crate) struct Tool {
    command: Command,
    advice: String,
}

impl Tool {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.current_dir(workspace::root()).stdin(Stdio::null());
        // We run under `cargo run`, which describes *this* package in the environment. A nested
        // Cargo must not see that: build scripts would re-run, or read our package for theirs.
        for (name, _) in env::vars_os() {
            if describes_our_package(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        if env::var_os("CARGO_TARGET_DIR").is_some() {
            // It may be relative to where we were called, and this runs elsewhere.
            command.env("CARGO_TARGET_DIR", workspace::target());
        }
        Self { command, advice: String::new() }
    }

    /// The Cargo of the pinned toolchain.
    pub(crate) fn cargo() -> Self {
        Self::new("cargo")
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Runs it in `folder`.
    pub(crate) fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Cargo's progress bar where someone can see it; elsewhere only its warnings and errors.
    pub(crate) fn quiet_unless_on_terminal(self) -> Self {
        if io::stderr().is_terminal() { self } else { self.args(["--quiet"]) }
    }

    /// What to do when it fails, as a sentence.
    pub(crate) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    /// Runs it on our own terminal.
    pub(crate) fn run(mut self) -> Result<()> {
        let status = self.command.status().with_context(|| self.not_started())?;
        if status.success() { Ok(()) } else { bail!(self.failed(status)) }
    }

    /// As [`Self::run`], for a command that catches signals itself: on an interruption the program
    /// and all that it started are ended too.
    pub(crate) fn run_until_interrupted(mut self) -> Result<()> {
        // In a session of its own, and so in a group of its own: nobody else gets our signal, and what
        // it does to its session's priority is no matter of the terminal's.
        // SAFETY: a plain system call.
        let session = || match unsafe { libc::setsid() } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        };
        // SAFETY: `session` makes one system call, which is allowed between `fork` and `exec`.
        unsafe { self.command.pre_exec(session) };
        let mut child = self.command.spawn().with_context(|| self.not_started())?;
        let group = -child.id().cast_signed();
        let status = loop {
            if let Some(status) = child.try_wait().context("waiting for it to end")? {
                break status;
            }
            if sbc_tests::is_interrupted() {
                // SAFETY: a plain system call; the group was made for our child, which is not yet
                // waited for, so that its id is still its own.
                unsafe { libc::kill(group, libc::SIGTERM) };
            }
            thread::sleep(POLL);
        };
        // What it started, compilers say, may take a moment longer than it does. Not for ever: where
        // nobody reaps orphans, the group seems to live on.
        let ended = Instant::now();
        // SAFETY: a plain system call, which only asks whether the group has a process.
        let has_process = || unsafe { libc::kill(group, 0) } == 0;
        while sbc_tests::is_interrupted() && ended.elapsed() < LAST_WORDS && has_process() {
            thread::sleep(POLL);
        }
        if status.success() { Ok(()) } else { bail!(self.failed(status)) }
    }

    /// Runs it with everything it says in `target/NAME.log`; the end of that is shown on failure.
    pub(crate) fn run_logged(self, name: &str) -> Result<()> {
        let path = log_path(name)?;
        self.try_logged(name).inspect_err(|_| eprint!("{}", tail(&path)))
    }

    /// As [`Self::run_logged`], for a failure that the caller expects and copes with.
    pub(crate) fn try_logged(mut self, name: &str) -> Result<()> {
        let path = log_path(name)?;
        let log = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        self.command.stdout(log.try_clone()?).stderr(log);
        let mut child = self.command.spawn().with_context(|| self.not_started())?;
        let status = loop {
            if let Some(status) = child.try_wait().context("waiting for it to end")? {
                break status;
            }
            thread::sleep(POLL);
            show_progress(&path);
        };
        clear_progress();
        if status.success() {
            return Ok(());
        }
        bail!("{}\n  all of its output: {}", self.failed(status), path.display())
    }

    /// Runs it, giving each line it writes, on either stream and in order, to `tell`.
    pub(crate) fn run_told(mut self, mut tell: impl FnMut(&str)) -> Result<ExitStatus> {
        let (reader, writer) = io::pipe().context("opening a pipe")?;
        self.command.stdout(writer.try_clone()?).stderr(writer);
        let mut child = self.command.spawn().with_context(|| self.not_started())?;
        // The command owns our copies of the writing end: the pipe ends only once they are gone.
        drop(self.command);
        for line in BufReader::new(reader).split(b'\n') {
            tell(&String::from_utf8_lossy(&line.context("reading the output")?));
        }
        child.wait().context("waiting for it to end")
    }

    /// Runs it and returns what it wrote to standard output.
    pub(crate) fn output(mut self) -> Result<String> {
        let output = self.command.output().with_context(|| self.not_started())?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        bail!(self.failed(output.status))
    }

    /// The command as one would type it.
    pub(crate) fn as_typed(&self) -> String {
        let mut line = self.command.get_program().to_string_lossy().into_owned();
        for argument in self.command.get_args() {
            let _ = write!(line, " {}", argument.to_string_lossy());
        }
        line
    }

    fn not_started(&self) -> String {
        format!("could not start `{}`{}", self.as_typed(), self.spaced_advice())
    }

    fn failed(&self, status: ExitStatus) -> String {
        format!("`{}` failed ({status}){}", self.as_typed(), self.spaced_advice())
    }

    fn spaced_advice(&self) -> String {
        if self.advice.is_empty() { String::new() } else { format!("\n  {}", self.advice) }
    }
}

fn describes_our_package(variable: &str) -> bool {
    matches!(variable, "CARGO" | "CARGO_PRIMARY_PACKAGE" | "OUT_DIR")
        || ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
            .iter()
            .any(|prefix| variable.starts_with(prefix))
}

fn log_path(name: &str) -> Result<PathBuf> {
    let folder = workspace::target();
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    Ok(folder.join(format!("{name}.log")))
}

/// On a terminal, the last line of a log that grows; elsewhere nothing, as lines could not be
/// taken back.
fn show_progress(log: &Path) {
    if !io::stdout().is_terminal() {
        return;
    }
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().next_back().unwrap_or_default().trim();
    let last: String = last.chars().filter(|c| !c.is_control()).take(72).collect();
    print!("\r\x1b[K  {last}");
    let _ = io::stdout().flush();
}

fn clear_progress() {
    if io::stdout().is_terminal() {
        print!("\r\x1b[K");
    }
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let mut shown = String::new();
    for line in lines.iter().skip(lines.len().saturating_sub(TAIL_LINES)) {
        let _ = writeln!(shown, "  | {line}");
    }
    shown
}
