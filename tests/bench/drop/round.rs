//! The run: every case set up once, then rounds in which each is flooded once, in another order each
//! time.

use std::{fs, path::Path, time::Instant};

use anyhow::{Context as _, Result};
use sbc_tests::{DropCase, DropSample, DropSamples, Host};

use crate::{
    Measure,
    case::{self, Case, Kind},
    cores,
    flooded::Flooded,
    placement::Cores,
    quiet::Quiet,
    random::Random,
    repeated::Repeated,
};

/// What all cases share.
pub(crate) struct Setting<'a> {
    /// The host that the flood comes from.
    pub(crate) flood: &'a Host,
    /// The object with the benchmark's own programs.
    pub(crate) object: &'a Path,
    pub(crate) cores: Cores,
}

/// Something that drops and can be measured at it.
pub(crate) trait Subject {
    /// Measures once; fails unless the packets were dropped by what is measured.
    fn sample(&mut self, setting: &Setting<'_>) -> Result<DropSample>;
}

/// A case under measurement.
struct Stand {
    case: Case,
    ready: Result<Box<dyn Subject>>,
    samples: Vec<DropSample>,
}

pub(crate) fn measure(options: &Measure) -> Result<()> {
    let cases = case::select(&options.only)?;
    cores::get_ahead()?;
    let cores = Cores::choose(options.mode)?;
    let flood = Host::new("flood")?;
    let setting = Setting { flood: &flood, object: &options.object, cores };
    let mut stands = Vec::new();
    for (number, case) in cases.into_iter().enumerate() {
        let start = Instant::now();
        let ready = prepare(&case, number, &setting);
        let seconds = start.elapsed().as_secs_f64();
        match &ready {
            Ok(_) => println!("drop: {} is ready ({seconds:.1} s)", case.name),
            Err(error) => println!("drop: {}: {error:#}", case.name),
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
            if let Some(sample) = stand.measure(&setting) {
                println!(
                    "drop: round {round} of {}: {:18} {:6.2} Mpps {:7.1} ns",
                    options.rounds,
                    stand.case.name,
                    sample.mpps(),
                    sample.nanos_per_packet()
                );
            } else if let Err(error) = &stand.ready {
                println!(
                    "drop: round {round} of {}: {}: {error:#}",
                    options.rounds, stand.case.name
                );
            }
        }
    }
    let samples = DropSamples {
        cases: stands.into_iter().map(Stand::end).collect(),
        waited_for_others: quiet.waited.as_secs_f64(),
        disturbed: quiet.disturbed,
    };
    fs::write(&options.samples, serde_json::to_vec(&samples)?)
        .with_context(|| format!("writing {}", options.samples.display()))
}

fn prepare(case: &Case, number: usize, setting: &Setting<'_>) -> Result<Box<dyn Subject>> {
    Ok(match case.defence {
        Kind::RepeatedBare => Box::new(Repeated::bare(case, setting)?),
        Kind::RepeatedSbc => Box::new(Repeated::sbc(case)?),
        Kind::Bare
        | Kind::Read
        | Kind::Sbc
        | Kind::NftablesNetdev
        | Kind::NftablesInput
        | Kind::IptablesIpset
        | Kind::XdpFilter
        | Kind::SocketFilter
        | Kind::SocketWithoutReader => Box::new(Flooded::prepare(case, number, setting)?),
    })
}

impl Stand {
    /// Takes one sample; a case that fails is out for good.
    fn measure(&mut self, setting: &Setting<'_>) -> Option<DropSample> {
        match self.ready.as_mut().ok()?.sample(setting) {
            Ok(sample) => {
                self.samples.push(sample);
                Some(sample)
            }
            Err(error) => {
                self.ready = Err(error);
                None
            }
        }
    }

    fn end(self) -> DropCase {
        DropCase {
            name: self.case.name.to_owned(),
            what: self.case.what.to_owned(),
            samples: self.samples,
            error: self.ready.err().map(|error| format!("{error:#}")),
            is_optional: self.case.defence == Kind::XdpFilter,
        }
    }
}
