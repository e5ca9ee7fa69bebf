use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::last_answers::LastAnswers;
use super::{Names, Place, Pool, places};
use crate::config::{Network, SipTarget};
use crate::transport::{Destination, DialTls, Flow, Outbox, Transport};

/// However long the DNS says that an answer holds.
pub(super) const LONGEST: Duration = Duration::from_hours(1);
const SHORTEST: Duration = Duration::from_secs(5);
/// After a name was asked for in vain.
pub(super) const PAUSE: Duration = Duration::from_secs(10);

/// Those who are written into the configuration to be sent requests, and where they are.
pub struct Directory {
    listeners: Vec<(Transport, SocketAddr)>,
    groups: Vec<Group>,
    /// By group and source.
    found: Mutex<Vec<Vec<Vec<Found>>>>,
    outbox: Outbox,
}

/// The sources of one pool.
pub struct Group {
    /// Where they are put.
    pub pool: Arc<Pool>,
    /// The sources.
    pub sources: Vec<Source>,
    /// The positions of the listeners that their messages leave by.
    pub listeners: Range<usize>,
    /// The interface that connections to them are made by; `None` for whichever leads there.
    pub interface: Option<String>,
}

/// Who is to be sent requests.
pub struct Source {
    /// The URI.
    pub target: SipTarget,
    /// The targets with the lowest number are asked for as long as one of them lives.
    pub priority: u16,
    /// The share among those of the same priority.
    pub weight: u32,
    /// The networks that it has to be in; none for any.
    pub within: Vec<Network>,
    /// How connections over TLS are made, if they are.
    pub tls: Option<DialTls>,
}

/// A place that a source was found at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The transport.
    pub transport: Transport,
    /// The address and port.
    pub remote: SocketAddr,
    /// The lowest comes first.
    pub order: u32,
    /// The share among those of the same order; 0 for one that is never chosen by itself.
    pub weight: u32,
}

impl Found {
    /// The one place.
    #[must_use]
    pub const fn at(transport: Transport, remote: SocketAddr) -> Self {
        Self { transport, remote, order: 0, weight: 1 }
    }
}

impl Directory {
    /// Puts every source whose place needs no asking into its pool, and lets connections be made there.
    #[must_use]
    pub fn new(
        listeners: Vec<(Transport, SocketAddr)>,
        groups: Vec<Group>,
        outbox: Outbox,
    ) -> Self {
        let directory = Self::unpublished(listeners, groups, outbox, &HashMap::new());
        directory.publish();
        directory
    }

    /// The same of nobody yet, until it is [published](Self::publish); what was known of where names are is `known`.
    #[must_use]
    pub fn unpublished(
        listeners: Vec<(Transport, SocketAddr)>,
        groups: Vec<Group>,
        outbox: Outbox,
        known: &HashMap<String, Vec<Found>>,
    ) -> Self {
        let found = |source: &Source| {
            let known = || known.get(&source.target.to_string()).cloned().unwrap_or_default();
            let place = source.target.place();
            place.map_or_else(known, |(transport, remote)| vec![Found::at(transport, remote)])
        };
        let of_group = |group: &Group| group.sources.iter().map(found).collect();
        let found = groups.iter().map(of_group).collect();
        Self { listeners, groups, found: Mutex::new(found), outbox }
    }

    /// Where the sources were found that are names.
    #[must_use]
    pub fn known(&self) -> HashMap<String, Vec<Found>> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let sources = self.groups.iter().zip(&*found).flat_map(|(group, found)| {
            group.sources.iter().zip(found).filter(|(source, _)| source.target.place().is_none())
        });
        sources.map(|(source, found)| (source.target.to_string(), found.clone())).collect()
    }

    /// Looks up the names of which nothing is known, one after the other.
    pub async fn look_up_unknown(&self, names: &impl Names) {
        for (number, group) in self.groups.iter().enumerate() {
            for (position, source) in group.sources.iter().enumerate() {
                let is_known = {
                    let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
                    let found = found.get(number).and_then(|found| found.get(position));
                    found.is_some_and(|found| !found.is_empty())
                };
                if is_known {
                    continue;
                }
                if let Ok(answer) = places(&source.target, names).await {
                    let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
                    let found = found.get_mut(number).and_then(|found| found.get_mut(position));
                    if let Some(found) = found {
                        *found = answer.records;
                    }
                }
            }
        }
    }

    /// The groups.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Asks the targets of every group that is probed whether they live, for ever.
    pub async fn keep_asking(&self) {
        for group in &self.groups {
            group.pool.keep_asking(&self.outbox, &self.listeners).await;
        }
    }

    /// Looks up every source that is a name, again and again; ends at once if there is none. What the DNS
    /// said last holds for as long as it says nothing else: also while it does not answer.
    pub async fn keep_resolving(&self, names: &impl Names) {
        let last = LastAnswers::default();
        let mut due = Vec::new();
        for (group, of_group) in self.groups.iter().enumerate() {
            for (source, it) in of_group.sources.iter().enumerate() {
                if it.target.place().is_none() {
                    due.push((Instant::now(), group, source));
                }
            }
        }
        while let Some((when, group, source)) = due.iter_mut().min() {
            tokio::time::sleep_until((*when).into()).await;
            let of_group = self.groups.get(*group);
            let Some(it) = of_group.and_then(|of_group| of_group.sources.get(*source)) else {
                return;
            };
            let answer = places(&it.target, &last.over(names)).await;
            let now = Instant::now();
            *when = match answer {
                Ok(answer) if !answer.records.is_empty() => {
                    self.moved(*group, *source, answer.records);
                    answer.until.clamp(now + SHORTEST, now + LONGEST)
                }
                Ok(_) => {
                    tracing::warn!(target = %it.target, "the DNS has no address for it");
                    now + PAUSE
                }
                Err(error) => {
                    tracing::warn!(target = %it.target, %error, "what it said before holds");
                    now + PAUSE
                }
            };
        }
    }

    /// Takes note of where a source is now.
    pub fn moved(&self, group: usize, source: usize, places: Vec<Found>) {
        {
            let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            let of_source = found.get_mut(group).and_then(|group| group.get_mut(source));
            let Some(of_source) = of_source.filter(|known| **known != places) else { return };
            *of_source = places;
        }
        self.publish();
    }

    /// Lets connections be made, and then puts everybody into his pool: nothing is to be chosen that nothing leads to.
    pub fn publish(&self) {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let mut destinations: HashMap<Flow, Destination> = HashMap::new();
        let mut pools = Vec::new();
        for (group, found) in self.groups.iter().zip(&*found) {
            let mut places: Vec<Place> = Vec::new();
            for (source, found) in group.sources.iter().zip(found) {
                for found in found.iter().flat_map(|found| group.ways_to(found)) {
                    let Some(place) = group.place(source, &found, &self.listeners) else {
                        continue;
                    };
                    if let Some(destination) = group.destination(source, &place, &self.listeners) {
                        match destinations.entry(place.flow) {
                            Entry::Vacant(entry) => {
                                entry.insert(destination);
                            }
                            // One connection cannot prove to be two.
                            Entry::Occupied(entry) if !entry.get().is_like(&destination) => {
                                let (target, remote) = (&source.target, place.flow.remote);
                                tracing::warn!(%target, %remote, "somebody else is expected there");
                                continue;
                            }
                            Entry::Occupied(_) => {}
                        }
                    }
                    // Two names of one host are one target.
                    if let Some(known) = places.iter_mut().find(|known| known.flow == place.flow) {
                        if known.weight == 0 {
                            *known = place;
                        }
                        continue;
                    }
                    places.push(place);
                }
            }
            pools.push((&group.pool, places));
        }
        self.outbox.lead_to(destinations.into_values().collect());
        for (pool, places) in pools {
            pool.replace(places);
        }
    }
}

impl Group {
    /// The transport that a place was found with, and for one over UDP that is asked whether it lives TCP as
    /// well: only requests that are too large for UDP go there, and only if it answers.
    fn ways_to(&self, found: &Found) -> impl Iterator<Item = Found> + use<> {
        let is_twofold = found.transport == Transport::Udp && self.pool.is_probed();
        let over_tcp = Found { transport: Transport::Tcp, weight: 0, ..*found };
        [*found].into_iter().chain(is_twofold.then_some(over_tcp))
    }

    /// `None` where none of our listeners is of that transport and family, or nothing says whom to believe.
    fn place(
        &self,
        source: &Source,
        found: &Found,
        listeners: &[(Transport, SocketAddr)],
    ) -> Option<Place> {
        let Found { transport, remote, order, weight } = *found;
        let leads_there = |position: &usize| {
            listeners.get(*position).is_some_and(|(over, address)| {
                *over == transport && address.is_ipv4() == remote.is_ipv4()
            })
        };
        let by = self.listeners.clone().find(leads_there)?;
        let is_within = |network: &Network| network.contains(remote.ip());
        if !source.within.is_empty() && !source.within.iter().any(is_within) {
            tracing::warn!(target = %source.target, %remote, "not one of the peer's sources");
            return None;
        }
        if transport == Transport::Tls && source.tls.is_none() {
            return None;
        }
        Some(Place {
            flow: Flow::leading_to(transport, u8::try_from(by).ok()?, remote),
            name: source.target.to_string().into(),
            rank: (source.priority, order),
            weight: source.weight.saturating_mul(weight),
        })
    }

    /// How a connection to `place` is made; `None` for one that needs none.
    fn destination(
        &self,
        source: &Source,
        place: &Place,
        listeners: &[(Transport, SocketAddr)],
    ) -> Option<Destination> {
        let Flow { transport, listener, .. } = place.flow;
        let (_, from) = listeners.get(usize::from(listener)).filter(|_| transport.is_stream())?;
        Some(Destination {
            flow: place.flow,
            from: from.ip(),
            interface: self.interface.clone(),
            // A source that may be reached over TLS may have been found over TCP.
            tls: source.tls.clone().filter(|_| transport == Transport::Tls),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::tls::Live;
    use crate::transport::{Limits, Listeners};

    fn source(uri: &str) -> Source {
        Source {
            target: uri.parse().unwrap(),
            priority: 1,
            weight: 2,
            within: Vec::new(),
            tls: None,
        }
    }

    fn flows(pool: &Pool) -> Vec<String> {
        let targets = pool.targets();
        targets
            .iter()
            .map(|target| format!("{} by {}", target.flow, target.flow.listener))
            .collect()
    }

    #[test]
    fn a_source_is_a_target_wherever_one_of_our_listeners_leads() {
        let sockets = Listeners::bind(&[], Limits::default()).unwrap();
        let outbox = sockets.outbox();
        let listeners = vec![
            (Transport::Tcp, "203.0.113.1:5060".parse().unwrap()),
            (Transport::Udp, "10.0.0.1:5060".parse().unwrap()),
            (Transport::Tcp, "10.0.0.1:5060".parse().unwrap()),
            (Transport::Tls, "10.0.0.1:5061".parse().unwrap()),
        ];
        let uris = [
            "sip:10.0.0.5",
            "sip:10.0.0.5;transport=tcp",
            "sip:[2001:db8::5]",
            "sips:10.0.0.5",
            "sip:pbx.example",
        ];
        let sources = uris.map(source).into();
        let pool = Arc::new(Pool::new(Vec::new(), 1));
        let group = Group { pool: Arc::clone(&pool), sources, listeners: 1..4, interface: None };
        let directory = Directory::new(listeners, vec![group], outbox.clone());
        assert_eq!(flows(&pool), ["UDP 10.0.0.5:5060 by 1", "TCP 10.0.0.5:5060 by 2"]);
        let tcp = pool.targets()[1].flow;
        assert_eq!(outbox.open(&tcp), Ok(()));

        let at = |remote: &str| Found {
            transport: Transport::Tcp,
            remote: remote.parse().unwrap(),
            order: 7,
            weight: 3,
        };
        directory.moved(0, 4, vec![at("10.0.0.6:5060"), at("10.0.0.5:5060")]);
        let expected =
            ["UDP 10.0.0.5:5060 by 1", "TCP 10.0.0.5:5060 by 2", "TCP 10.0.0.6:5060 by 2"];
        assert_eq!(flows(&pool), expected);
        assert_eq!((pool.targets()[2].rank, pool.targets()[2].weight), ((1, 7), 6));
        directory.moved(0, 4, Vec::new());
        assert_eq!(flows(&pool), expected[..2]);
    }

    fn source_over_tls(uri: &str) -> Source {
        let name = "host.example".try_into().unwrap();
        Source {
            tls: Some(DialTls { config: Live::believing_nobody(), name, peer: None }),
            ..source(uri)
        }
    }

    fn group(pool: &Arc<Pool>, sources: Vec<Source>) -> Group {
        Group { pool: Arc::clone(pool), sources, listeners: 0..2, interface: None }
    }

    fn pools() -> [Arc<Pool>; 2] {
        [(); 2].map(|()| Arc::new(Pool::new(Vec::new(), 1)))
    }

    fn listeners() -> Vec<(Transport, SocketAddr)> {
        let address = |port| SocketAddr::from(([10, 0, 0, 1], port));
        vec![(Transport::Tcp, address(5060)), (Transport::Tls, address(5061))]
    }

    #[test]
    fn a_place_where_somebody_else_is_expected_is_nobody_elses() {
        let sockets = Listeners::bind(&[], Limits::default()).unwrap();
        let [one, other] = pools();
        let groups = vec![
            group(&one, vec![source_over_tls("sips:one.example")]),
            group(&other, vec![source_over_tls("sips:other.example")]),
        ];
        let directory = Directory::new(listeners(), groups, sockets.outbox());
        let at = |remote: &str| vec![Found::at(Transport::Tls, remote.parse().unwrap())];
        directory.moved(0, 0, at("10.0.0.5:5061"));
        directory.moved(1, 0, at("10.0.0.6:5061"));
        assert_eq!(flows(&other), ["TLS 10.0.0.6:5061 by 1"]);
        directory.moved(1, 0, at("10.0.0.5:5061"));
        assert_eq!(flows(&one), ["TLS 10.0.0.5:5061 by 1"]);
        assert_eq!(flows(&other), Vec::<String>::new());
        directory.moved(0, 0, at("10.0.0.6:5061"));
        assert_eq!(flows(&one), ["TLS 10.0.0.6:5061 by 1"]);
        assert_eq!(flows(&other), ["TLS 10.0.0.5:5061 by 1"]);
    }

    #[test]
    fn where_nobody_has_to_prove_anything_a_place_is_for_all() {
        let sockets = Listeners::bind(&[], Limits::default()).unwrap();
        let [one, other] = pools();
        let plain = || vec![source_over_tls("sip:10.0.0.5;transport=tcp")];
        let groups = vec![group(&one, plain()), group(&other, plain())];
        let _directory = Directory::new(listeners(), groups, sockets.outbox());
        assert_eq!(flows(&one), ["TCP 10.0.0.5:5060 by 0"]);
        assert_eq!(flows(&other), flows(&one));
    }

    #[test]
    fn what_was_found_over_tcp_is_not_connected_to_over_tls() {
        let [pool, _] = pools();
        let source = source_over_tls("sip:host.example");
        let group = group(&pool, Vec::new());
        for (transport, is_tls) in [(Transport::Tcp, false), (Transport::Tls, true)] {
            let found = Found::at(transport, "10.0.0.5:5060".parse().unwrap());
            let place = group.place(&source, &found, &listeners()).unwrap();
            let destination = group.destination(&source, &place, &listeners()).unwrap();
            assert_eq!((destination.flow, destination.tls.is_some()), (place.flow, is_tls));
        }
    }
}
