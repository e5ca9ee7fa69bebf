//! The run: every case set up once, then rounds in which each is measured once, in another order each
//! time.

use std::{fs, path::PathBuf, time::Instant};

use anyhow::{Context as _, Result, bail};
use sbc_tests::Samples;
use serde::Serialize;

use crate::{quiet::Quiet, random::Random};

/// What every benchmark is told.
#[derive(clap::Args)]
pub(crate) struct Rounds {
    /// Where the samples go
    #[arg(long)]
    samples: PathBuf,
    #[arg(long = "rounds")]
    count: usize,
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// What is measured in one row of the table.
pub(crate) trait Case: Copy + 'static {
    /// All of them, in the order in which they are shown.
    const ALL: &'static [Self];

    /// As in `--only`.
    fn name(&self) -> &'static str;

    /// What it is, for people.
    fn what(&self) -> &'static str;

    /// Whether it may be missing on this machine.
    fn is_optional(&self) -> bool {
        false
    }
}

/// How cases are set up and measured.
pub(crate) trait Bench {
    /// As it is told how far it is.
    const NAME: &'static str;
    type Case: Case;
    /// A case that is set up.
    type Subject;
    type Sample: Serialize;

    /// Sets a case up; `number` is its place among those of this run.
    fn prepare(&self, case: Self::Case, number: usize) -> Result<Self::Subject>;

    /// Measures once.
    fn sample(&self, subject: &mut Self::Subject) -> Result<Self::Sample>;

    /// A sample in a few words.
    fn told(sample: &Self::Sample) -> String;
}

/// A case under measurement.
struct Stand<B: Bench> {
    case: B::Case,
    ready: Result<B::Subject>,
    samples: Vec<B::Sample>,
}

impl Rounds {
    /// The cases that are wanted: all where none is named.
    pub(crate) fn cases<C: Case>(&self) -> Result<Vec<C>> {
        let known: Vec<&str> = C::ALL.iter().map(Case::name).collect();
        if let Some(unknown) = self.only.iter().find(|name| !known.contains(&name.as_str())) {
            bail!("no case {unknown}; there are: {}", known.join(", "));
        }
        let is_wanted =
            |case: &C| self.only.is_empty() || self.only.iter().any(|name| name == case.name());
        Ok(C::ALL.iter().copied().filter(is_wanted).collect())
    }

    /// Measures these cases, and writes every sample down.
    pub(crate) fn measure<B: Bench>(&self, bench: &B, cases: Vec<B::Case>) -> Result<()> {
        let mut stands: Vec<Stand<B>> = cases
            .into_iter()
            .enumerate()
            .map(|(number, case)| Stand::set_up(bench, case, number))
            .collect();
        let mut quiet = Quiet::default();
        let mut random = Random::new(0);
        for round in 1..=self.count {
            let mut order: Vec<&mut Stand<B>> = stands.iter_mut().collect();
            while !order.is_empty() {
                let stand = order.swap_remove(random.below(order.len()));
                quiet.wait()?;
                let told = stand.measure(bench);
                println!("{}: round {round} of {}: {told}", B::NAME, self.count);
            }
        }
        let samples = Samples {
            cases: stands.into_iter().map(Stand::end).collect(),
            waited_for_others: quiet.waited.as_secs_f64(),
            disturbed: quiet.disturbed,
        };
        fs::write(&self.samples, serde_json::to_vec(&samples)?)
            .with_context(|| format!("writing {}", self.samples.display()))
    }
}

impl<B: Bench> Stand<B> {
    fn set_up(bench: &B, case: B::Case, number: usize) -> Self {
        let start = Instant::now();
        let ready = bench.prepare(case, number);
        let seconds = start.elapsed().as_secs_f64();
        match &ready {
            Ok(_) => println!("{}: {} is ready ({seconds:.1} s)", B::NAME, case.name()),
            Err(error) => println!("{}: {}: {error:#}", B::NAME, case.name()),
        }
        Self { case, ready, samples: Vec::new() }
    }

    /// Takes one sample, and says what it was; a case that fails is out for good.
    fn measure(&mut self, bench: &B) -> String {
        let name = self.case.name();
        let taken = match self.ready.as_mut() {
            Ok(subject) => bench.sample(subject),
            Err(error) => return format!("{name}: {error:#}"),
        };
        match taken {
            Ok(sample) => {
                let told = format!("{name:20} {}", B::told(&sample));
                self.samples.push(sample);
                told
            }
            Err(error) => {
                let told = format!("{name}: {error:#}");
                self.ready = Err(error);
                told
            }
        }
    }

    fn end(self) -> sbc_tests::Case<B::Sample> {
        sbc_tests::Case {
            name: self.case.name().to_owned(),
            what: self.case.what().to_owned(),
            samples: self.samples,
            error: self.ready.err().map(|error| format!("{error:#}")),
            is_optional: self.case.is_optional(),
        }
    }
}
