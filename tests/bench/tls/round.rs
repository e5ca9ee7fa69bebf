//! The servers, each worked with once in each round.

use anyhow::{Result, bail};
use sbc_tests::TlsSample;

use crate::{
    case::Case,
    cores,
    rounds::{Bench, Rounds},
    server::Server,
};

struct Handshakes {
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
    rounds.measure(&Handshakes { client: *client }, cases)
}

impl Bench for Handshakes {
    const NAME: &'static str = "tls";
    type Case = Case;
    type Subject = Server;
    type Sample = TlsSample;

    fn prepare(&self, case: Case, _number: usize) -> Result<Server> {
        Server::start(case)
    }

    fn sample(&self, server: &mut Server) -> Result<TlsSample> {
        server.sample(self.client)
    }

    fn told(sample: &TlsSample) -> String {
        let (rate, per_cpu) = (sample.work.per_second(), sample.work.per_cpu_second());
        let opened = match (sample.opened_median, sample.opened_99th) {
            (Some(median), Some(most)) => format!(", open after {median:.0} us, {most:.0} us"),
            (_, _) => String::new(),
        };
        format!("{rate:8.0}/s {per_cpu:8.0} per CPU second{opened}")
    }
}
