//! What is right key by key and cannot be meant together.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sbc_common::maps;

use super::{
    Config, Lifetime, Network, OnShutdown, Peer, PeerCertificate, PostgresHost, PostgresPlace,
    Proof, UserSource, UserStore, Users, admin, directory, ipsec, route, stir, upstream,
};
use crate::kernel::SocketFilter;
use crate::proof::digest::{NonceBinding, OfferedAlgorithms};
use crate::transport::Transport;

/// Where a contradiction is, and what it is.
pub(super) type Found = (String, String);

const MOST_LISTENERS: usize = 32;
const MOST_REMEMBERED_NONCES: usize = 4_000_000;
/// Four times the pause between two heartbeats.
const SHORTEST_SILENCE: Lifetime = Lifetime(Duration::from_secs(2));
/// One less than half of what the table holds, which has to have room for two policies: older kernels do
/// not even replace an entry of a full one, so the trust of a connected peer could not be renewed.
const MOST_NETWORKS: usize = maps::PREFIXES.capacity as usize / 2 - 1;

/// Refuses a configuration that contradicts itself.
pub(super) fn refuse(config: &Config) -> Result<(), Found> {
    let refuse = |place: &str, problem: String| Err((place.to_owned(), problem));
    if config.version != 1 {
        return refuse("version", format!("{} is not 1, the only one", config.version));
    }
    if let Some(inside) = &config.interface.inside
        && inside.name == config.interface.outside.name
    {
        return refuse(
            "[interface.inside]",
            "is the outside one too, where nobody may reach the socket towards the upstream"
                .to_owned(),
        );
    }
    if !(1024..=4_000_000).contains(&config.kernel.trust_entries) {
        return refuse("[kernel]", "trust-entries is not within 1024 and 4000000".to_owned());
    }
    if config.kernel.user.is_some() && config.kernel.on_shutdown == OnShutdown::Detach {
        return refuse(
            "[kernel]",
            "on-shutdown is detach, and the daemon of user cannot detach: write keep, and let `sbc \
             unload` detach"
                .to_owned(),
        );
    }
    if let Some(cgroup) = &config.kernel.cgroup {
        if config.kernel.socket_filter == SocketFilter::Off {
            return refuse("[kernel]", "cgroup is not used: socket-filter is off".to_owned());
        }
        if !cgroup.is_absolute() {
            return refuse(
                "[kernel]",
                "cgroup is not a whole path, like \"/sys/fs/cgroup/sbc.slice\"".to_owned(),
            );
        }
    }
    if config.kernel.silence < SHORTEST_SILENCE {
        return refuse(
            "[kernel]",
            "silence is less than 2s: a daemon that is only busy would be taken for dead"
                .to_owned(),
        );
    }
    let limits = &config.limits;
    if !limits.tls_attempts_per_network.is_within(limits.tls_attempts) {
        return refuse(
            "[limits]",
            "tls-attempts-per-network is more than tls-attempts: one network could keep all others \
             out"
                .to_owned(),
        );
    }
    let longest = config.users.as_ref().map(Users::longest_registration);
    if let Some(problem) = config.session.problem(longest.unwrap_or_default()) {
        return refuse("[session]", problem);
    }
    if let Some(problem) = config.dns.problem() {
        return refuse("[dns]", problem);
    }
    refuse_listeners(config)?;
    admin::refuse(config)?;
    upstream::refuse(config)?;
    refuse_trust(config)?;
    refuse_users(config)?;
    directory::refuse(config)?;
    refuse_peers(config)?;
    route::refuse(config)?;
    stir::refuse(config)?;
    ipsec::refuse(config)?;
    let networks = config.peers.iter().map(|peer| peer.sources.len() + peer.ipsec_gateways.len());
    let named = config.peers.iter().map(|peer| peer.names.len());
    let named = named.sum::<usize>().saturating_mul(config.dns.addresses_per_name());
    let networks = networks.sum::<usize>().saturating_add(named);
    if networks.saturating_add(config.denied.sources.len()) > MOST_NETWORKS {
        return refuse(
            "[denied] and [[peer]]",
            format!(
                "more than {MOST_NETWORKS} sources together, with addresses-per-name for each name; write \
                 them as networks"
            ),
        );
    }
    Ok(())
}

fn refuse_listeners(config: &Config) -> Result<(), Found> {
    if config.listen.is_empty() {
        return Err(("[[listen]]".to_owned(), "there is no listener".to_owned()));
    }
    if config.listen.len() > MOST_LISTENERS {
        return Err(("[[listen]]".to_owned(), format!("more than {MOST_LISTENERS} listeners")));
    }
    for (index, listen) in config.listen.iter().enumerate() {
        let refuse = |problem: &str| {
            let place = format!("[[listen]] {} {}", listen.transport.name(), listen.address);
            Err((place, problem.to_owned()))
        };
        if let Some(problem) = unusable(listen.address) {
            return refuse(problem);
        }
        let is_tls = listen.transport == Transport::Tls;
        if is_tls && config.tls.is_none() {
            return refuse("a TLS listener needs the table [tls]");
        }
        if !is_tls && listen.client_certificate.is_some() {
            return refuse("client-certificate is for TLS listeners");
        }
        let twin = config.listen.iter().take(index).any(|other| {
            other.address == listen.address
                && other.transport.is_stream() == listen.transport.is_stream()
        });
        if twin {
            return refuse("another listener has the same address");
        }
    }
    Ok(())
}

fn refuse_trust(config: &Config) -> Result<(), Found> {
    let entries = config.kernel.trust_entries;
    if usize::try_from(entries).is_ok_and(|entries| config.trust.sources_per_peer.get() > entries) {
        let problem = format!("sources-per-peer is more than trust-entries, {entries}");
        return Err(("[trust]".to_owned(), problem));
    }
    Ok(())
}

fn refuse_users(config: &Config) -> Result<(), Found> {
    let Some(users) = &config.users else { return Ok(()) };
    let refuse = |problem: String| Err(("[users]".to_owned(), problem));
    let entries = config.kernel.trust_entries;
    if usize::try_from(entries).is_ok_and(|entries| users.sources_per_user.get() > entries) {
        return refuse(format!("sources-per-user is more than trust-entries, {entries}"));
    }
    if users.remembered_nonces.get() > MOST_REMEMBERED_NONCES {
        return refuse(format!("remembered-nonces is more than {MOST_REMEMBERED_NONCES}"));
    }
    let problem = problem_of_postgres(users).or_else(|| problem_of_upstream_users(config, users));
    problem.map_or(Ok(()), |problem| refuse(problem.to_owned()))
}

/// What is wrong with the way into a database of `PostgreSQL`.
fn problem_of_postgres(users: &Users) -> Option<&'static str> {
    let ca = users.postgres.as_ref().and_then(|access| access.ca.as_ref());
    match users.store.store() {
        Some(UserStore::Postgres(place)) if ca.is_none() && !place.is_on_this_machine() => {
            Some("store is not on this machine: [users.postgres] needs a ca")
        }
        Some(UserStore::Postgres(PostgresPlace { host: PostgresHost::Directory(_), .. }))
            if ca.is_some() =>
        {
            Some("[users.postgres] has a ca, but store is a socket")
        }
        None | Some(UserStore::File(_) | UserStore::Sqlite(_)) if users.postgres.is_some() => {
            Some("there is a table [users.postgres], but store is another one")
        }
        None | Some(UserStore::File(_) | UserStore::Sqlite(_) | UserStore::Postgres(_)) => None,
    }
}

/// What is wrong with users whose passwords the upstream keeps.
fn problem_of_upstream_users(config: &Config, users: &Users) -> Option<&'static str> {
    let Some(upstream) = &users.upstream else {
        return (users.store == UserSource::Upstream).then_some(
            "store is upstream, but there is no table [users.upstream], which has the realm",
        );
    };
    if users.store != UserSource::Upstream {
        Some("upstream is a table for store = \"upstream\"")
    } else if users.algorithms != OfferedAlgorithms::default()
        || config.peers.iter().any(|peer| peer.algorithms.is_some())
    {
        Some(
            "algorithms are the upstream's business: write that of its challenges in [users.upstream]",
        )
    } else if config.digest.bind_nonce == NonceBinding::None {
        Some("bind-nonce is none: nothing would tell who the upstream's challenges were for")
    } else if !upstream.budget_per_source.is_within(upstream.budget) {
        Some("budget-per-source is more than budget: one source could keep all others out")
    } else {
        None
    }
}

fn refuse_peers(config: &Config) -> Result<(), Found> {
    for (index, peer) in config.peers.iter().enumerate() {
        let refuse = |problem: String| Err((format!("[[peer]] {:?}", peer.name), problem));
        if let Some(problem) = problem_of(peer) {
            return refuse(problem.to_owned());
        }
        if peer.requires(Proof::Tls)
            && config.listen.iter().all(|listen| listen.transport != Transport::Tls)
        {
            return refuse("require has tls, but there is no TLS listener".to_owned());
        }
        if peer.requires(Proof::Digest) && config.users.is_none() {
            return refuse("require has digest, but there is no table [users]".to_owned());
        }
        for other in config.peers.iter().take(index) {
            if other.name == peer.name {
                return refuse("another peer has the same name".to_owned());
            }
            for network in &peer.sources {
                if let Some(shared) = other.sources.iter().find(|it| it.overlaps(*network)) {
                    return refuse(format!(
                        "source {network} overlaps {shared} of peer {:?}: whose would it be?",
                        other.name
                    ));
                }
            }
            if let Some(problem) = gateway_of_both(peer, other) {
                return refuse(problem);
            }
            if let Some(name) = peer.names.iter().find(|name| other.names.contains(name)) {
                return refuse(format!("peer {:?} has the name {name}, too", other.name));
            }
            if peer.identities.iter().any(|identity| other.identities.contains(identity)) {
                return refuse(format!("peer {:?} has one of its identities", other.name));
            }
        }
        // The kernel asks for the longest prefix, so the smaller of the two would win.
        for network in peer.sources.iter().chain(&peer.ipsec_gateways) {
            if let Some(denied) = config.denied.sources.iter().find(|it| it.overlaps(*network)) {
                return refuse(format!(
                    "source {network} overlaps {denied} in [denied], which is dropped whatever it \
                     proves"
                ));
            }
        }
    }
    Ok(())
}

/// An address from which ESP comes is one peer's.
fn gateway_of_both(one: &Peer, other: &Peer) -> Option<String> {
    let all = |peer: &Peer| [&peer.sources[..], &peer.ipsec_gateways].concat();
    let shared = |gateways: &[Network], others: &[Network]| {
        gateways.iter().copied().find(|gateway| others.iter().any(|it| it.overlaps(*gateway)))
    };
    let gateway = shared(&one.ipsec_gateways, &all(other))
        .or_else(|| shared(&other.ipsec_gateways, &all(one)))?;
    Some(format!(
        "{gateway} in ipsec-gateways overlaps an address of peer {:?}: whose associations would it have?",
        other.name
    ))
}

/// What is wrong with a peer on its own.
fn problem_of(peer: &Peer) -> Option<&'static str> {
    let has_tls = peer.requires(Proof::Tls);
    let has_static = peer.requires(Proof::Static);
    let has_ipsec = peer.requires(Proof::Ipsec);
    let has_dns = peer.requires(Proof::Dns);
    let opens_by_itself = has_tls || has_static || has_ipsec || has_dns;
    if peer.name.is_empty() {
        Some("name is empty")
    } else if peer.require.is_empty() {
        Some("require is empty: name at least one of static, dns, digest, tls, ipsec")
    } else if has_tls && peer.identities.is_empty() {
        Some("require has tls, but identities is empty: no certificate could be this peer's")
    } else if !has_tls && !peer.identities.is_empty() {
        Some("identities without tls in require: nobody would ever check them")
    } else if !has_tls && peer.certificate != PeerCertificate::default() {
        Some("certificate without tls in require: nobody would ever look at it")
    } else if let Some(problem) = peer.certificate.problem() {
        Some(problem)
    } else if has_dns && peer.names.is_empty() {
        Some("require has dns, but names is empty: no address would be this peer's")
    } else if !has_dns && !peer.names.is_empty() {
        Some("names without dns in require: nobody would ever look them up")
    } else if has_static && peer.sources.is_empty() {
        Some("require has static, but sources is empty")
    } else if has_ipsec && peer.sources.is_empty() {
        Some(
            "require has ipsec, but sources is empty: nothing would tell what has to come out of it",
        )
    } else if !has_tls && !has_dns && peer.sources.is_empty() {
        Some("sources is empty: nothing would tell that a message is this peer's")
    } else if peer.opens_ipsec() && peer.sources.is_empty() {
        Some("opens has ipsec, but sources is empty: nobody's IKE and ESP would pass")
    } else if !peer.opens_ipsec() && !peer.ipsec_gateways.is_empty() {
        Some("ipsec-gateways without ipsec in require or opens: their IKE and ESP are nobody's")
    } else if has_ipsec && peer.budget.is_some() {
        Some("budget is about SIP in clear, which is dropped on the wire where require has ipsec")
    } else if (has_static || has_ipsec || has_dns) && !has_tls && !peer.opens_clear_text() {
        Some("opens has neither udp nor tcp: its SIP would be dropped; write opens = [\"udp\"]")
    } else if !opens_by_itself && peer.opens_clear_text() {
        Some(
            "opens has udp or tcp without static, dns, tls or ipsec in require: digest alone opens the port \
             that answered",
        )
    } else if !opens_by_itself && peer.budget.is_some() {
        Some("budget without static, dns or tls in require: its sources have that of [users]")
    } else if !peer.requires(Proof::Digest) && peer.algorithms.is_some() {
        Some("algorithms without digest in require: it is never challenged")
    } else if !has_tls && peer.has_connection_settings() {
        Some("lifetime and on-disconnect are about TLS connections: require has no tls")
    } else {
        None
    }
}

/// An address that cannot stand in SIP messages, or that the filter could not tell from others.
pub(super) fn unusable(address: SocketAddr) -> Option<&'static str> {
    let ip: IpAddr = address.ip().to_canonical();
    if ip.is_unspecified() {
        Some("the address stands in messages, so it cannot be a wildcard")
    } else if ip != address.ip() {
        Some("an IPv4 address is written as one, not as ::ffff:")
    } else if address.port() == 0 {
        Some("port 0 is none: the filter has to know it")
    } else {
        None
    }
}
