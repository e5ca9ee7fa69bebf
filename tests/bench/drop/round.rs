//! The floods, each let loose once in each round.

use std::path::Path;

use anyhow::Result;
use sbc_tests::{DropSample, Host};

use crate::{
    Measure,
    case::{Case, Kind},
    cores,
    flooded::Flooded,
    placement::Cores,
    repeated::Repeated,
    rounds::Bench,
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

pub(crate) fn measure(options: &Measure) -> Result<()> {
    let cases = options.rounds.cases()?;
    cores::get_ahead()?;
    let cores = Cores::choose(options.mode)?;
    let flood = Host::new("flood")?;
    let setting = Setting { flood: &flood, object: &options.object, cores };
    options.rounds.measure(&setting, cases)
}

impl Bench for Setting<'_> {
    const NAME: &'static str = "drop";
    type Case = Case;
    type Subject = Box<dyn Subject>;
    type Sample = DropSample;

    fn prepare(&self, case: Case, number: usize) -> Result<Box<dyn Subject>> {
        Ok(match case.defence {
            Kind::RepeatedBare => Box::new(Repeated::bare(&case, self)?),
            Kind::RepeatedSbc => Box::new(Repeated::sbc(&case)?),
            Kind::Bare
            | Kind::Read
            | Kind::Sbc
            | Kind::NftablesNetdev
            | Kind::NftablesInput
            | Kind::IptablesIpset
            | Kind::XdpFilter
            | Kind::SocketFilter
            | Kind::SocketWithoutReader => Box::new(Flooded::prepare(&case, number, self)?),
        })
    }

    fn sample(&self, subject: &mut Box<dyn Subject>) -> Result<DropSample> {
        subject.sample(self)
    }

    fn told(sample: &DropSample) -> String {
        format!("{:6.2} Mpps {:7.1} ns", sample.mpps(), sample.nanos_per_packet())
    }
}
