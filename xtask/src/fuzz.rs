//! `cargo xtask fuzz`: a fuzz target, built for coverage with the pinned compiler, from its committed corpus.

use std::{
    env::consts::ARCH,
    fs, io,
    num::NonZero,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::{
    setup::{self, Scope},
    tool::Tool,
    workspace,
};

/// What libFuzzer counts. The names of the passes are LLVM's: the compiler's own option for them is unstable.
const COVERAGE: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// More than a message may have, so that the limit is met.
const LONGEST_INPUT: usize = 70_000;

/// Inputs in the repository are replayed by tests, and are to stay small.
const LONGEST_COMMITTED: usize = 4096;

/// An input of which this is not enough costs more than linear time.
const SECONDS_PER_INPUT: u32 = 5;

/// Options of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub(crate) struct Options {
    target: Target,
    /// How long to look for something new
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    time: Duration,
    /// How many processes look at once
    #[arg(long, value_name = "N", default_value = "1")]
    jobs: NonZero<u8>,
    /// Afterwards, write the fewest inputs that cover as much into the committed corpus
    #[arg(long)]
    merge: bool,
    /// Run this input alone, as told when one was found that fails
    #[arg(long, value_name = "FILE", conflicts_with_all = ["time", "jobs", "merge"])]
    input: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// What the scanner accepts is inside the message, and told the same way by all accessors
    Scanner,
    /// A stream yields the same messages however it is cut
    Framing,
    /// What is not rewritten passes byte for byte
    Rewrite,
    /// What the relay takes leaves it with the same body, and its answer finds back
    Relay,
    /// Credentials are read or refused, and say the same when written anew
    Digest,
    /// Identity headers are read or refused, and a verstat is taken away whole
    Identity,
    /// Another reader understands what we accept as we do
    Differential,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    // The input was named from where we were called.
    let input = options.input.as_deref().map(std::path::absolute).transpose()?;
    setup::ensure(Scope::Fuzz)?;
    let target = options.target;
    println!("fuzz: building {}", target.name());
    let program = target.build()?;
    if let Some(input) = input {
        return Tool::new(program)
            .args([input])
            .advice("The property does not hold for this input; the panic above says why.")
            .run();
    }
    let finds = Finds::in_folder(target.working_folder("failing"))?;
    let outcome = target.look(&program, options, &finds.folder);
    if outcome.is_err() {
        finds.tell(target)?;
    }
    outcome?;
    if options.merge {
        target.merge(&program)?;
    }
    println!("fuzz: ok");
    Ok(())
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::Scanner => "scanner",
            Self::Framing => "framing",
            Self::Rewrite => "rewrite",
            Self::Relay => "relay",
            Self::Digest => "digest",
            Self::Identity => "identity",
            Self::Differential => "differential",
        }
    }

    fn build(self) -> Result<PathBuf> {
        let triple = format!("{ARCH}-unknown-linux-gnu");
        let folder = workspace::target().join("fuzz");
        Tool::cargo()
            .args(["build", "--manifest-path", "fuzz/Cargo.toml", "--release", "--locked"])
            // Naming the target keeps the flags away from build scripts and macros.
            .args(["--bin", self.name(), "--target", &triple, "--target-dir"])
            .args([&folder])
            .quiet_unless_on_terminal()
            .env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\x1f"))
            .env("PATH", workspace::path_with_tools())
            .advice("The compiler's message is above.")
            .run()?;
        Ok(folder.join(triple).join("release").join(self.name()))
    }

    fn look(self, program: &Path, options: &Options, failing: &Path) -> Result<()> {
        let found = self.working_folder("corpus");
        fs::create_dir_all(&found).with_context(|| format!("creating {}", found.display()))?;
        println!("fuzz: running {} for {} s", self.name(), options.time.as_secs());
        let mut tool = Tool::new(program)
            .args([format!("-max_total_time={}", options.time.as_secs().max(1))])
            .args([format!("-max_len={LONGEST_INPUT}"), format!("-timeout={SECONDS_PER_INPUT}")])
            .args([format!("-dict={}", workspace::root().join("fuzz/sip.dict").display())])
            .args([format!("-artifact_prefix={}/", failing.display())])
            .args(["-print_final_stats=1"]);
        if options.jobs.get() > 1 {
            tool = tool.args([format!("-fork={}", options.jobs)]);
        }
        // New inputs go to the first folder.
        tool.args([found]).args(self.committed()).run()
    }

    /// Where the inputs are that every run begins with; the first is the target's own.
    fn committed(self) -> Vec<PathBuf> {
        let mut folders = vec![workspace::root().join("fuzz/corpus").join(self.name())];
        if self != Self::Digest {
            let messages = workspace::root().join("tests/corpus");
            folders.extend(["rfc4475", "rfc5118"].map(|rfc| messages.join(rfc)));
        }
        folders
    }

    /// Inputs that someone named stay; those that libFuzzer named are chosen anew.
    fn merge(self, program: &Path) -> Result<()> {
        let committed = workspace::root().join("fuzz/corpus").join(self.name());
        let chosen = self.working_folder("merged");
        remove(&chosen)?;
        fs::create_dir_all(&chosen)?;
        for file in files(&committed)?.iter().filter(|file| !is_named_by_libfuzzer(file)) {
            fs::copy(file, chosen.join(file.file_name().unwrap_or_default()))?;
        }
        Tool::new(program)
            // Without counters: how often a loop ran is worth remembering only while fuzzing.
            .args(["-set_cover_merge=1", "-use_counters=0"])
            .args([format!("-max_len={LONGEST_COMMITTED}")])
            .args([&chosen, &self.working_folder("corpus"), &committed])
            .run()?;
        for file in files(&committed)? {
            fs::remove_file(file)?;
        }
        let chosen = files(&chosen)?;
        for file in &chosen {
            fs::copy(file, committed.join(file.file_name().unwrap_or_default()))?;
        }
        println!("fuzz: {} has {} inputs", committed.display(), chosen.len());
        Ok(())
    }

    fn working_folder(self, purpose: &str) -> PathBuf {
        workspace::target().join("fuzz").join(purpose).join(self.name())
    }
}

/// The inputs that a target failed on, now and before.
struct Finds {
    folder: PathBuf,
    before: Vec<PathBuf>,
}

impl Finds {
    fn in_folder(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let before = files(&folder)?;
        Ok(Self { folder, before })
    }

    fn tell(&self, target: Target) -> Result<()> {
        for file in files(&self.folder)?.iter().filter(|file| !self.before.contains(file)) {
            let file = file.display();
            println!("fuzz: fails for {file}");
            println!("  again: cargo xtask fuzz {} --input {file}", target.name());
            println!(
                "  to keep it: copy it to fuzz/corpus/{}/ under a name that says what it is",
                target.name()
            );
        }
        Ok(())
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    files.sort();
    Ok(files)
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            bail!("removing {}: {error}", folder.display())
        }
        _ => Ok(()),
    }
}

/// libFuzzer names an input after its SHA-1.
fn is_named_by_libfuzzer(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::ValueEnum as _;

    use super::{Target, is_named_by_libfuzzer};
    use crate::workspace;

    #[test]
    fn every_target_is_there_and_no_other() {
        let mut files = super::files(&workspace::root().join("fuzz/targets")).unwrap();
        files.retain(|file| {
            let stem = file.file_stem().unwrap().to_str().unwrap();
            !Target::value_variants().iter().any(|target| target.name() == stem)
        });
        assert!(files.is_empty(), "{files:?}");
        for target in Target::value_variants() {
            let source = format!("fuzz/targets/{}.rs", target.name());
            assert!(workspace::root().join(&source).is_file(), "{source}");
            assert!(target.committed().iter().all(|folder| folder.is_dir()));
        }
    }

    #[test]
    fn what_someone_named_stays() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        assert!(is_named_by_libfuzzer(Path::new("corpus").join(hash).as_path()));
        assert!(!is_named_by_libfuzzer(Path::new("corpus/two-lengths")));
    }
}
