//! The run: every server started once, then rounds in which each is worked with once, in another
//! order each time.

use std::{fs, time::Instant};

use anyhow::{Context as _, Result, bail};
use sbc_tests::{ChallengeCase, ChallengeSample, ChallengeSamples};

use crate::{
    Measure,
    case::{self, Case},
    cores,
    quiet::Quiet,
    random::Random,
    server::Server,
};

/// A case under measurement.
struct Stand {
    case: Case,
    ready: Result<Server>,
    samples: Vec<ChallengeSample>,
}

pub(crate) fn measure(options: &Measure) -> Result<()> {
    let cases = case::select(&options.only)?;
    cores::get_ahead()?;
    let allowed = cores::allowed()?;
    let [client, server, ..] = allowed.as_slice() else {
        bail!("one CPU: the client needs one of its own");
    };
    // Whatever is started from here on inherits it.
    cores::pin(0, *server)?;
    let mut stands = Vec::new();
    for case in cases {
        let start = Instant::now();
        let ready = Server::start(case);
        let seconds = start.elapsed().as_secs_f64();
        match &ready {
            Ok(_) => println!("challenge: {} is ready ({seconds:.1} s)", case.name),
            Err(error) => println!("challenge: {}: {error:#}", case.name),
        }
        stands.push(Stand { case, ready, samples: Vec::new() });
    }
    let mut quiet = Quiet::default();
    let mut random = Random::new(0);
    for round in 1..=options.rounds {
        let mut order: Vec<&mut Stand> = stands.iter_mut().collect();
        while !order.is_empty() {
            let stand = order.swap_remove(random.below(order.len()));
            quiet.wait()?;
            let told = stand.measure(*client);
            println!("challenge: round {round} of {}: {told}", options.rounds);
        }
    }
    let samples = ChallengeSamples {
        cases: stands.into_iter().map(Stand::end).collect(),
        waited_for_others: quiet.waited.as_secs_f64(),
        disturbed: quiet.disturbed,
    };
    fs::write(&options.samples, serde_json::to_vec(&samples)?)
        .with_context(|| format!("writing {}", options.samples.display()))
}

impl Stand {
    /// Takes one sample, and says what it was; a case that fails is out for good.
    fn measure(&mut self, core: usize) -> String {
        let name = self.case.name;
        let taken = match self.ready.as_mut() {
            Ok(server) => server.sample(core),
            Err(error) => return format!("{name}: {error:#}"),
        };
        match taken {
            Ok(sample) => {
                self.samples.push(sample);
                let (rate, per_cpu) = (sample.per_second(), sample.per_cpu_second());
                format!("{name:20} {rate:8.0}/s {per_cpu:8.0} per CPU second")
            }
            Err(error) => {
                let told = format!("{name}: {error:#}");
                self.ready = Err(error);
                told
            }
        }
    }

    fn end(self) -> ChallengeCase {
        ChallengeCase {
            name: self.case.name.to_owned(),
            what: self.case.what.to_owned(),
            samples: self.samples,
            error: self.ready.err().map(|error| format!("{error:#}")),
        }
    }
}
