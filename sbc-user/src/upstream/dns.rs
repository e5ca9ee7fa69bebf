use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::rdata::NAPTR;
use hickory_resolver::proto::rr::{RData, RecordType};

use super::resolve::{Answer, Names, NoAnswer, Server, Service};
use crate::transport::Transport;

/// How long it is believed that there are no records.
const NOTHING: Duration = Duration::from_mins(1);

/// The DNS.
pub struct Dns(TokioResolver);

impl Dns {
    /// Asks these servers, or if there are none those of `/etc/resolv.conf`.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, NetError> {
        Self::with_cache(servers, None)
    }

    fn with_cache(servers: &[SocketAddr], size: Option<u64>) -> Result<Self, NetError> {
        let mut builder = if servers.is_empty() {
            TokioResolver::builder_tokio()?
        } else {
            let name_server = |server: &SocketAddr| {
                let at_its_port = |mut connection: ConnectionConfig| {
                    connection.port = server.port();
                    connection
                };
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
                NameServerConfig::new(server.ip(), true, connections.map(at_its_port).into())
            };
            let servers = servers.iter().map(name_server).collect();
            let config = ResolverConfig::from_name_servers(servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.timeout = Duration::from_secs(2);
        if let Some(size) = size {
            options.cache_size = size;
        }
        Ok(Self(builder.build()?))
    }

    async fn ask<T>(
        &self,
        name: &str,
        kind: RecordType,
        read: impl Fn(&RData) -> Option<T> + Send,
    ) -> Result<Answer<T>, NoAnswer> {
        match self.0.lookup(whole(name), kind).await {
            Ok(found) => {
                let records = found.answers().iter().filter_map(|record| read(&record.data));
                let until = found.valid_until();
                Ok(Answer { records: records.collect(), until, is_whole: true })
            }
            Err(error) => nothing(name, &error),
        }
    }
}

impl Names for Dns {
    async fn services(&self, name: &str) -> Result<Answer<Service>, NoAnswer> {
        let read =
            |data: &RData| if let RData::NAPTR(record) = data { service(record) } else { None };
        self.ask(name, RecordType::NAPTR, read).await
    }

    async fn servers(&self, name: &str) -> Result<Answer<Server>, NoAnswer> {
        let read = |data: &RData| {
            let RData::SRV(record) = data else { return None };
            Some(Server {
                priority: record.priority,
                weight: record.weight,
                port: record.port,
                host: record.target.to_ascii(),
            })
        };
        self.ask(name, RecordType::SRV, read).await
    }

    async fn addresses(&self, name: &str) -> Result<Answer<IpAddr>, NoAnswer> {
        match self.0.lookup_ip(whole(name)).await {
            Ok(found) => {
                let until = found.valid_until();
                Ok(Answer { records: found.iter().collect(), until, is_whole: true })
            }
            Err(error) => nothing(name, &error),
        }
    }
}

/// The DNS, asked anew each time: what it says twice it has said twice.
pub struct FreshDns(Dns);

impl FreshDns {
    /// One for each of these servers, or one for those of `/etc/resolv.conf` if there are none.
    pub fn each(servers: &[SocketAddr]) -> Result<Vec<Self>, NetError> {
        let asking = |servers: &[SocketAddr]| Ok(Self(Dns::with_cache(servers, Some(0))?));
        if servers.is_empty() {
            return Ok(vec![asking(servers)?]);
        }
        servers.chunks(1).map(asking).collect()
    }
}

impl Names for FreshDns {
    async fn services(&self, name: &str) -> Result<Answer<Service>, NoAnswer> {
        self.0.services(name).await
    }

    async fn servers(&self, name: &str) -> Result<Answer<Server>, NoAnswer> {
        self.0.servers(name).await
    }

    /// Of each family by itself: where one is not answered the other may be.
    async fn addresses(&self, name: &str) -> Result<Answer<IpAddr>, NoAnswer> {
        let v4 = |data: &RData| if let RData::A(it) = data { Some(IpAddr::V4(it.0)) } else { None };
        let v6 =
            |data: &RData| if let RData::AAAA(it) = data { Some(IpAddr::V6(it.0)) } else { None };
        let (v4, v6) = tokio::join!(
            self.0.ask(name, RecordType::A, v4),
            self.0.ask(name, RecordType::AAAA, v6)
        );
        match (v4, v6) {
            (Ok(v4), Ok(v6)) => {
                let until = v4.until.min(v6.until);
                Ok(Answer { records: [v4.records, v6.records].concat(), until, is_whole: true })
            }
            (Ok(one), Err(NoAnswer)) | (Err(NoAnswer), Ok(one)) => {
                Ok(Answer { is_whole: false, ..one })
            }
            (Err(NoAnswer), Err(NoAnswer)) => Err(NoAnswer),
        }
    }
}

/// That there are no such records is an answer.
fn nothing<T>(name: &str, error: &NetError) -> Result<Answer<T>, NoAnswer> {
    if error.is_no_records_found() {
        let until = Instant::now() + NOTHING;
        return Ok(Answer { records: Vec::new(), until, is_whole: true });
    }
    tracing::debug!(name, %error, "the DNS does not answer");
    Err(NoAnswer)
}

/// A name with a dot is one from the root: no domain is searched for it.
fn whole(name: &str) -> String {
    if name.contains('.') && !name.ends_with('.') { format!("{name}.") } else { name.to_owned() }
}

/// RFC 3263 §4.1: terminal records for the services that we know.
fn service(record: &NAPTR) -> Option<Service> {
    let services: [(&[u8], Transport); 3] =
        [(b"SIP+D2U", Transport::Udp), (b"SIP+D2T", Transport::Tcp), (b"SIPS+D2T", Transport::Tls)];
    let is_it = |(name, _): &&(&[u8], Transport)| record.services.eq_ignore_ascii_case(name);
    let (_, transport) = services.iter().find(is_it)?;
    record.flags.eq_ignore_ascii_case(b"s").then(|| Service {
        order: (record.order, record.preference),
        transport: *transport,
        replacement: record.replacement.to_ascii(),
    })
}
