//! The servers, each worked with once in each round.

use anyhow::{Result, bail};
use sbc_tests::WorkSample;

use crate::{
    case::Case,
    cores,
    rounds::{Bench, Rounds},
    server::Server,
};

struct Challenges {
    /// The client's core.
    client: usize,
}

pub(crate) fn measure(rounds: &Rounds) -> Result<()> {
    let cases = rounds.cases()?;
    cores::get_ahead()?;
    let allowed = cores::allowed()?;
    let [client, server, ..] = allowed.as_slice() else {
        bail!("one CPU: the client needs one of its own");
    };
    // Whatever is started from here on inherits it.
    cores::pin(0, *server)?;
    rounds.measure(&Challenges { client: *client }, cases)
}

impl Bench for Challenges {
    const NAME: &'static str = "challenge";
    type Case = Case;
    type Subject = Server;
    type Sample = WorkSample;

    fn prepare(&self, case: Case, _number: usize) -> Result<Server> {
        Server::start(case)
    }

    fn sample(&self, server: &mut Server) -> Result<WorkSample> {
        server.sample(self.client)
    }

    fn told(sample: &WorkSample) -> String {
        let (rate, per_cpu) = (sample.per_second(), sample.per_cpu_second());
        format!("{rate:8.0}/s {per_cpu:8.0} per CPU second")
    }
}
