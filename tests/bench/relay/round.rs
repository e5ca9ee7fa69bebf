//! The servers, each worked with once in each round.

use anyhow::{Result, bail};
use sbc_tests::RelaySample;

use crate::{
    case::Case,
    cores,
    rounds::{Bench, Rounds},
    server::Server,
};

struct Relays {
    /// The core of both ends of the calls.
    ends: usize,
}

pub(crate) fn measure(rounds: &Rounds) -> Result<()> {
    let cases = rounds.cases()?;
    cores::get_ahead()?;
    let allowed = cores::allowed()?;
    let [ends, server, ..] = allowed.as_slice() else {
        bail!("one CPU: those who call need one of their own");
    };
    // Whatever is started from here on inherits it.
    cores::pin(0, *server)?;
    rounds.measure(&Relays { ends: *ends }, cases)
}

impl Bench for Relays {
    const NAME: &'static str = "relay";
    type Case = Case;
    type Subject = Server;
    type Sample = RelaySample;

    fn prepare(&self, case: Case, _number: usize) -> Result<Server> {
        Server::start(case, self.ends)
    }

    fn sample(&self, server: &mut Server) -> Result<RelaySample> {
        server.sample(self.ends)
    }

    fn told(sample: &RelaySample) -> String {
        let (rate, per_cpu) = (sample.work.per_second(), sample.work.per_cpu_second());
        let (median, most) = (sample.set_up_median, sample.set_up_99th);
        format!("{rate:8.0}/s {per_cpu:8.0} per CPU second, set up in {median:.0} us, {most:.0} us")
    }
}
