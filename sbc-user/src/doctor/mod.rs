//! What is wrong with a machine, a configuration and a running daemon, and what to do about it.
//!
//! Everything here is a function of [`Facts`], which `sbc doctor` gathers: a fact that could not be seen is absent,
//! and is told as such.

mod certificates;
mod check;
mod clock;
mod daemon;
mod facts;
mod files;
mod filter;
mod finding;
mod interface;
mod machine;
mod network;
#[cfg(test)]
mod tests;

pub use check::Check;
pub use facts::{
    AddressFact, CertificateFact, CertificateRole, ClockFacts, ConfigurationFacts, DaemonFacts,
    Facts, FileFact, FileNeed, FilterFacts, InterfaceFacts, KernelFacts, LimitFacts, ListFact,
    NameFact, NetworkFacts, Pinned, PortFact, PortHolder, Presence, RuleFact,
};
pub use finding::{Finding, Level};

/// Says of everything that is known how it is, in the order of [`Check::ALL`].
#[must_use]
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let told = &mut findings;
    machine::examine(facts, told);
    clock::examine(facts, told);
    filter::examine(facts, told);
    interface::examine(facts, told);
    network::examine(facts, told);
    certificates::examine(facts, told);
    files::examine(facts, told);
    daemon::examine(facts, told);
    findings.sort_by_key(|finding| finding.check);
    findings
}
