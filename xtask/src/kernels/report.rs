//! What a guest tells of its tests.

use crate::test::Counts;

/// What `init.sh` begins its own lines with.
const OURS: &str = "guest: ";

/// How much is shown of what failed tests said.
const SHOWN_LINES: usize = 100;

/// A guest's account, as far as it got.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The guest came to its end.
    pub(super) is_whole: bool,
    counts: Counts,
    /// The suites that ended, and well.
    passed: Vec<String>,
    verified_instructions: Option<u32>,
    /// Of the failed tests, and of a suite that did not end.
    failures: Vec<String>,
}

/// What there is to say of a guest in which all is well.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: u64,
    pub(super) verified_instructions: u32,
}

impl Report {
    pub(super) fn read(text: &str) -> Self {
        let mut report = Self::default();
        let mut of_suite = Vec::new();
        for line in text.lines().map(str::trim_end) {
            if let Some(ours) = line.strip_prefix(OURS) {
                report.note(ours, &mut of_suite);
            } else if let Some(result) = line.strip_prefix("test result: ") {
                report.counts.add(Counts::of(result));
            } else {
                report.verified_instructions =
                    verified_instructions(line).or(report.verified_instructions);
                of_suite.push(line.to_owned());
            }
        }
        report.failures.append(&mut of_suite);
        report
    }

    /// The tally, or what is wrong. `suites` are those that have to be among the passed ones.
    pub(super) fn tally(&self, suites: &[&str]) -> Result<Tally, String> {
        let lacking: Vec<_> = suites
            .iter()
            .copied()
            .filter(|suite| !self.passed.iter().any(|passed| passed == suite))
            .collect();
        if !lacking.is_empty() {
            return Err(format!("not passed: {}", lacking.join(", ")));
        }
        let Counts { passed, failed: 0, ignored: 0 } = self.counts else {
            return Err("tests failed or were ignored".to_owned());
        };
        let Some(verified_instructions) = self.verified_instructions else {
            return Err("no test told what the verifier walked".to_owned());
        };
        Ok(Tally { passed, verified_instructions })
    }

    /// The end of what failed tests said.
    pub(super) fn failures(&self) -> &[String] {
        let beginning = self.failures.len().saturating_sub(SHOWN_LINES);
        self.failures.get(beginning..).unwrap_or_default()
    }

    fn note(&mut self, ours: &str, of_suite: &mut Vec<String>) {
        if ours == "done" {
            self.is_whole = true;
        } else if let Some((suite, status)) = ours.split_once(" ended with ") {
            let said = std::mem::take(of_suite);
            if status == "0" {
                self.passed.push(suite.to_owned());
            } else {
                // libtest names each test first, and then shows what the failed ones said.
                let told = said.iter().position(|line| line == "failures:").unwrap_or_default();
                self.failures.extend(said.into_iter().skip(told));
            }
        }
    }
}

/// The count that the test `the_verifier_has_headroom` prints.
fn verified_instructions(line: &str) -> Option<u32> {
    line.strip_prefix("the verifier walked ")?.strip_suffix(" instructions")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Report, Tally};

    const SUITES: [&str; 2] = ["ipsec", "datapath"];

    const WELL: &str = "guest: running ipsec --test-threads=1\r\n\
        test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\r\n\
        guest: ipsec ended with 0\r\n\
        guest: running datapath\r\n\
        the verifier walked 131072 instructions\r\n\
        test result: ok. 14 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\r\n\
        guest: datapath ended with 0\r\n\
        guest: done\r\n";

    #[test]
    fn a_guest_in_which_all_is_well_is_tallied() {
        let report = Report::read(WELL);
        assert!(report.is_whole);
        let tally = Tally { passed: 18, verified_instructions: 131_072 };
        assert_eq!(report.tally(&SUITES), Ok(tally));
        assert!(report.failures().is_empty());
    }

    #[test]
    fn every_line_that_is_missing_fails() {
        let lines: Vec<_> = WELL.lines().collect();
        for missing in [2, 4, 6] {
            let rest: Vec<_> = lines
                .iter()
                .enumerate()
                .filter(|(at, _)| *at != missing)
                .map(|(_, l)| *l)
                .collect();
            assert!(Report::read(&rest.join("\n")).tally(&SUITES).is_err(), "{}", lines[missing]);
        }
        assert!(!Report::read(&WELL.replace("guest: done", "")).is_whole);
    }

    #[test]
    fn failed_and_ignored_tests_fail() {
        for (before, after) in [
            ("ended with 0", "ended with 101"),
            ("0 failed", "1 failed"),
            ("0 ignored", "1 ignored"),
        ] {
            assert!(Report::read(&WELL.replacen(before, after, 1)).tally(&SUITES).is_err());
        }
    }

    #[test]
    fn what_a_failed_test_said_is_kept() {
        let report = Report::read(
            "guest: running ipsec\ntest a ... FAILED\nfailures:\n---- a ----\nwhy\n\
             test result: FAILED. 0 passed; 1 failed; 0 ignored\nguest: ipsec ended with 101\n\
             guest: running datapath\ntest b has been running for over 60 seconds\n",
        );
        let told =
            ["failures:", "---- a ----", "why", "test b has been running for over 60 seconds"];
        assert_eq!(report.failures(), told);
    }
}
