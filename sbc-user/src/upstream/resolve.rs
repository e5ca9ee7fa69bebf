//! Where a SIP URI leads to (RFC 3263).

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::Found;
use crate::config::{SipTarget, TargetHost};
use crate::transport::Transport;

/// More are not asked for.
const MOST_PLACES: usize = 16;
/// More addresses of a host are not read.
const MOST_ADDRESSES: usize = 64;
/// More addresses are not told of a domain.
const MOST_SOURCES: usize = 256;

/// What the DNS says, for as long as it says so.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// The records; none if there are none.
    pub records: Vec<T>,
    /// When they have to be asked for again.
    pub until: Instant,
    /// Whether everything that was asked for this was answered: where not, there may be more.
    pub is_whole: bool,
}

/// The DNS did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the DNS does not answer")]
pub struct NoAnswer;

/// A NAPTR record that leads to SRV records (RFC 3263 §4.1).
#[derive(Clone, Debug)]
pub struct Service {
    /// The lowest comes first, then the lowest preference.
    pub order: (u16, u16),
    /// The transport that its service stands for.
    pub transport: Transport,
    /// Where the SRV records are.
    pub replacement: String,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug)]
pub struct Server {
    /// The lowest comes first.
    pub priority: u16,
    /// The share among those of the same priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host.
    pub host: String,
}

/// Who is asked.
pub trait Names: Send + Sync {
    /// The NAPTR records of a domain that lead to SIP, in any order.
    fn services(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<Answer<Service>, NoAnswer>> + Send;

    /// The SRV records of a name.
    fn servers(&self, name: &str) -> impl Future<Output = Result<Answer<Server>, NoAnswer>> + Send;

    /// The addresses of a host.
    fn addresses(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<Answer<IpAddr>, NoAnswer>> + Send;
}

/// Finds the places of a target, in the order of RFC 3263 §4, and when to look again. What is not answered
/// is left out and asked for again soon; that is no answer only if nothing else was found.
pub async fn places(target: &SipTarget, names: &impl Names) -> Result<Answer<Found>, NoAnswer> {
    let until = Instant::now() + super::directory::LONGEST;
    let mut search = Search { names, found: Vec::new(), until, lacks_an_answer: false };
    match (&target.host, target.port) {
        (TargetHost::Address(_), _) => {
            let found = target.place().map(|(transport, remote)| Found::at(transport, remote));
            search.found.extend(found);
        }
        // A port that is written leaves nothing to SRV records.
        (TargetHost::Name(name), Some(port)) => {
            let transport = target.transport().unwrap_or(Transport::Udp);
            search.host(name, Found::at(transport, SocketAddr::from(([0; 4], port)))).await;
        }
        (TargetHost::Name(name), None) => search.domain(target, name).await,
    }
    let Search { mut found, mut until, lacks_an_answer, .. } = search;
    if lacks_an_answer {
        if found.is_empty() {
            return Err(NoAnswer);
        }
        until = until.min(Instant::now() + super::directory::PAUSE);
    }
    found.sort_by_key(|place| place.order);
    found.truncate(MOST_PLACES);
    Ok(Answer { records: found, until, is_whole: !lacks_an_answer })
}

/// Finds the addresses that a domain's servers have, over whichever transport (RFC 3263 §4).
pub async fn sources(domain: &str, names: &impl Names) -> Result<Answer<IpAddr>, NoAnswer> {
    let until = Instant::now() + super::directory::LONGEST;
    let mut search = Search { names, found: Vec::new(), until, lacks_an_answer: false };
    search.every_service(domain).await;
    let Search { found, until, lacks_an_answer, .. } = search;
    if lacks_an_answer && found.is_empty() {
        return Err(NoAnswer);
    }
    let mut records: Vec<_> = found.iter().map(|place| place.remote.ip()).collect();
    records.sort_unstable();
    records.dedup();
    let is_whole = !lacks_an_answer && records.len() <= MOST_SOURCES;
    records.truncate(MOST_SOURCES);
    Ok(Answer { records, until, is_whole })
}

struct Search<'n, N> {
    names: &'n N,
    found: Vec<Found>,
    until: Instant,
    lacks_an_answer: bool,
}

impl<N: Names> Search<'_, N> {
    async fn domain(&mut self, target: &SipTarget, name: &str) {
        let mut has_no_naptr = false;
        if let Some(transport) = target.transport() {
            self.service(transport, &srv_name(transport, name), 0).await;
        } else {
            has_no_naptr = self.chosen_services(name, &[Transport::Udp, Transport::Tcp]).await;
        }
        // SRV records that were not told may well lead elsewhere.
        if self.found.is_empty() && !self.lacks_an_answer {
            let transport = target.transport().unwrap_or(Transport::Udp);
            let port = target.port_over(transport);
            self.host(name, Found::at(transport, SocketAddr::from(([0; 4], port)))).await;
        }
        self.lacks_an_answer |= has_no_naptr;
    }

    /// Those that NAPTR records choose, or these if there are none. Says whether it is not known that there are
    /// none.
    async fn chosen_services(&mut self, name: &str, otherwise: &[Transport]) -> bool {
        let mut services = self.records(self.names.services(name).await);
        // There are resolvers that know nothing of NAPTR; they know SRV, and addresses.
        let has_no_naptr = std::mem::take(&mut self.lacks_an_answer);
        services.sort_by_key(|service| service.order);
        for (rank, service) in (0..).zip(services.iter().take(3)) {
            self.service(service.transport, &service.replacement, rank).await;
        }
        if services.is_empty() {
            for (rank, transport) in (0..).zip(otherwise) {
                self.service(*transport, &srv_name(*transport, name), rank).await;
            }
        }
        has_no_naptr
    }

    /// Where a domain may be called is not known, and does not matter: it may call from everywhere there. Its
    /// own addresses count where it has no services, as for who calls it.
    async fn every_service(&mut self, name: &str) {
        let every = [Transport::Udp, Transport::Tcp, Transport::Tls];
        let has_no_naptr = self.chosen_services(name, &every).await;
        if self.found.is_empty() && !self.lacks_an_answer {
            self.host(name, Found::at(Transport::Udp, SocketAddr::from(([0; 4], 0)))).await;
        }
        // Others may be where these records lead, if there are any.
        self.lacks_an_answer |= has_no_naptr;
    }

    async fn service(&mut self, transport: Transport, name: &str, rank: u32) {
        let mut servers = self.records(self.names.servers(name).await);
        servers.sort_by_key(|server| server.priority);
        for server in servers.iter().take(MOST_PLACES) {
            // RFC 2782: "." says that there is no such service.
            if server.host.trim_end_matches('.').is_empty() {
                continue;
            }
            let like = Found {
                transport,
                remote: SocketAddr::from(([0; 4], server.port)),
                order: rank << 16 | u32::from(server.priority),
                // Of those with weight 0 each should have a small chance.
                weight: u32::from(server.weight).max(1),
            };
            self.host(&server.host, like).await;
        }
    }

    /// Adds the addresses of a host, each `like` this but for the address.
    async fn host(&mut self, name: &str, like: Found) {
        let addresses = self.records(self.names.addresses(name).await);
        let port = like.remote.port();
        let found = addresses
            .into_iter()
            .take(MOST_ADDRESSES)
            .map(|address| Found { remote: SocketAddr::new(address.to_canonical(), port), ..like });
        self.found.extend(found);
    }

    fn records<T>(&mut self, answer: Result<Answer<T>, NoAnswer>) -> Vec<T> {
        let Ok(answer) = answer else {
            self.lacks_an_answer = true;
            return Vec::new();
        };
        self.until = self.until.min(answer.until);
        self.lacks_an_answer |= !answer.is_whole;
        answer.records
    }
}

fn srv_name(transport: Transport, domain: &str) -> String {
    let prefix = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
    };
    format!("{prefix}.{domain}")
}

#[cfg(test)]
mod tests;
