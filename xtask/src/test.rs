//! `cargo xtask test`: every test, told suite by suite.

use anyhow::{Result, bail};

use crate::{
    setup::{self, Scope},
    tool::Tool,
};

/// Options of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Run only tests whose name contains this
    filter: Option<String>,
}

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

/// Which of a suite's lines are shown.
#[derive(Clone, Copy)]
enum Detail {
    /// Only its result.
    Result,
    /// Each test as it ends: these take seconds, and their names say what the product does.
    Tests,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    setup::ensure(Scope::Everything)?;
    let mut counts = Counts::default();
    let mut failed = Vec::new();

    println!("test: building");
    // The tests in namespaces start the program `sbc`, which building tests alone does not make.
    let program = ["build", "--package", "sbc-user", "--bin", "sbc"];
    let units = ["test", "--workspace", "--exclude", "sbc-tests"];
    let namespaces = ["test", "--package", "sbc-tests"];
    build(&units, &["--no-run"])?;
    build(&namespaces, &["--no-run"])?;
    build(&program, &[])?;

    println!("test: units, on the host");
    failed.extend(suites(&units, options, Detail::Result, &mut counts)?);
    println!("test: the daemon and the XDP program, in network namespaces");
    failed.extend(suites(&namespaces, options, Detail::Tests, &mut counts)?);

    let Counts { passed, failed: failures, ignored } = counts;
    println!("test: {passed} passed, {failures} failed");
    if !failed.is_empty() {
        bail!("tests failed; run again with:\n    {}", failed.join("\n    "));
    }
    if ignored > 0 {
        bail!("{ignored} tests are ignored: a test that cannot run has to fail");
    }
    if passed == 0 {
        bail!("no test's name contains {:?}", options.filter.as_deref().unwrap_or_default());
    }
    println!("test: ok");
    Ok(())
}

fn build(command: &[&str], arguments: &[&str]) -> Result<()> {
    Tool::cargo()
        .args(command)
        .args(arguments)
        .quiet_unless_on_terminal()
        .advice("The compiler's message is above.")
        .run()
}

/// Runs the suites of a `cargo test`, and returns the command if any failed.
fn suites(
    command: &[&str],
    options: &Options,
    detail: Detail,
    counts: &mut Counts,
) -> Result<Option<String>> {
    let tool = Tool::cargo()
        .args(command)
        .args(["--no-fail-fast"])
        .args(options.filter.as_deref())
        // Cargo's own colours would hide its words from us.
        .env("CARGO_TERM_COLOR", "never")
        .env("CARGO_TERM_PROGRESS_WHEN", "never");
    let typed = tool.as_typed();
    let mut report = Report { detail, suite: String::new(), failing: false };
    let status = tool.run_told(|line| report.tell(line, counts))?;
    Ok(if status.success() { None } else { Some(typed) })
}

impl Counts {
    /// Those in what libtest says after "test result: ".
    pub(crate) fn of(result: &str) -> Self {
        let count_before = |word: &str| -> u64 {
            let before = result.split(word).next().unwrap_or_default();
            before.split_whitespace().next_back().and_then(|count| count.parse().ok()).unwrap_or(0)
        };
        Self {
            passed: count_before(" passed"),
            failed: count_before(" failed"),
            ignored: count_before(" ignored"),
        }
    }

    pub(crate) fn add(&mut self, more: Self) {
        self.passed += more.passed;
        self.failed += more.failed;
        self.ignored += more.ignored;
    }
}

/// Turns the lines of `cargo test` into ours.
struct Report {
    detail: Detail,
    suite: String,
    /// Within a failure's own output, which is shown as it is.
    failing: bool,
}

impl Report {
    fn tell(&mut self, line: &str, counts: &mut Counts) {
        if let Some(suite) = line.trim_start().strip_prefix("Running ") {
            self.start(suite.split(" (").next().unwrap_or(suite), line);
        } else if let Some(suite) = line.trim_start().strip_prefix("Doc-tests ") {
            self.start("examples", &format!("(deps/{suite}-)"));
        } else if let Some(result) = line.strip_prefix("test result: ") {
            self.failing = false;
            self.finish(result, counts);
        } else if line == "failures:" || line.starts_with("error") {
            self.failing = true;
            println!("{line}");
        } else if self.failing || line.starts_with("test ") && self.shows_test(line) {
            println!("  {line}");
        }
    }

    fn start(&mut self, kind: &str, line: &str) {
        // "Running unittests src/lib.rs (target/debug/deps/sbc_common-0123456789abcdef)"
        let file = line.rsplit("deps/").next().unwrap_or_default();
        let package = file.rsplit_once('-').map_or(file, |(package, _)| package);
        self.failing = false;
        self.suite = format!("{package}, {}", kind.trim_start_matches("unittests "));
    }

    fn shows_test(&self, line: &str) -> bool {
        matches!(self.detail, Detail::Tests) || line.ends_with("FAILED")
    }

    fn finish(&self, result: &str, counts: &mut Counts) {
        let of_suite = Counts::of(result);
        counts.add(of_suite);
        let Counts { passed, failed, ignored } = of_suite;
        if passed + failed + ignored > 0 {
            println!("  {}: {passed} passed, {failed} failed, {ignored} ignored", self.suite);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Detail, Report};

    #[test]
    fn counts_what_cargo_says_and_names_the_suite() {
        let mut report = Report { detail: Detail::Result, suite: String::new(), failing: false };
        let mut counts = Counts::default();
        for line in [
            "     Running unittests src/lib.rs (target/debug/deps/sbc_common-0123456789abcdef)",
            "running 3 tests",
            "test a ... ok",
            "test result: FAILED. 20 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out",
        ] {
            report.tell(line, &mut counts);
        }
        assert_eq!(report.suite, "sbc_common, src/lib.rs");
        assert_eq!((counts.passed, counts.failed, counts.ignored), (20, 1, 2));
    }
}
