//! Another policy takes the place of the one in force, while messages arrive.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock};

use arc_swap::ArcSwap;
use sbc_common::{Mode, MonotonicNanos};

use super::directory::Authority;
use super::names::NamedAddresses;
use super::parts::{PeerConnection, locked};
use super::users::disproved;
use super::{Border, InForce, Stir};
use crate::config::Config;
use crate::directory::People;
use crate::kernel::{FilterSettings, KernelError, KernelTables};
use crate::policy;
use crate::proof::digest::{DigestCheck, NonceKeys, Vouching};
use crate::proof::dns::NamedSource;
use crate::proof::ipsec::IpsecAccount;
use crate::proof::users::User;
use crate::session::Forwarder;
use crate::transport::Flow;
use crate::trust::{
    CertificateProof, Connected, Ledger, Offenders, Stale, Succession, Terms, TrustTable,
};
use crate::upstream::Pool;

/// A policy that is ready to be put in force.
pub struct NextPolicy {
    /// The policy.
    pub config: Arc<Config>,
    /// Rewrites messages, with the keys of the one in force.
    pub forwarder: Forwarder,
    /// Checks credentials; `None` when no users are configured.
    pub digest: Option<DigestCheck>,
    /// Tells users whose passwords the upstream keeps.
    pub vouching: Option<Vouching>,
    /// The secrets behind the nonces.
    pub nonce_keys: NonceKeys,
    /// Where requests of the upstream go, by the position of the peer.
    pub peer_pools: Vec<Option<Arc<Pool>>>,
    /// What numbers are verified and signed with.
    pub stir: Stir,
    /// What another directory than before has answered, and which of its servers.
    pub people: Option<(People, String)>,
    /// What is known of IPsec by this policy.
    pub ipsec: IpsecAccount,
    /// How often the mode had been [changed](Border::mode_changes) when this policy was read.
    pub mode_changes: u64,
}

/// What a change of the policy has brought about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Succeeded {
    /// The connections that were cut.
    pub cut: usize,
    /// The users who are gone, or whose password is another one.
    pub disproved: usize,
}

/// The tables of a filter, as far as a change of the policy changes them.
pub trait FilterTable: TrustTable {
    /// Writes what lets something pass that did not before.
    fn widen_for(&mut self, config: &Config) -> Result<(), KernelError>;
    /// Protects the services of `config` and no others.
    fn protect(&mut self, config: &Config) -> Result<(), KernelError>;
    /// Writes everything else, with the strangers' budget divided by `slowed`, and this mode.
    fn settle(&mut self, config: &Config, slowed: u32, mode: Mode) -> Result<(), KernelError>;
    /// The mode that is in force.
    fn mode(&self) -> Result<Mode, KernelError>;
    /// Writes IPsec's associations.
    fn associate(&mut self, account: &IpsecAccount) -> Result<(), KernelError>;
}

impl FilterTable for KernelTables {
    fn widen_for(&mut self, config: &Config) -> Result<(), KernelError> {
        self.widen(&policy::filter_settings(config))
    }

    fn protect(&mut self, config: &Config) -> Result<(), KernelError> {
        self.apply_services(&policy::protected_services(config))
    }

    fn settle(&mut self, config: &Config, slowed: u32, mode: Mode) -> Result<(), KernelError> {
        let mut settings = FilterSettings { mode, ..policy::filter_settings(config) };
        let interval = &mut settings.unknown_budget.interval;
        *interval = interval.saturating_mul(slowed.into());
        self.apply_settings(&settings)?;
        self.end_enforcement_after(config.kernel.longest_silence())
    }

    fn mode(&self) -> Result<Mode, KernelError> {
        self.readings().mode()
    }

    fn associate(&mut self, account: &IpsecAccount) -> Result<(), KernelError> {
        self.keep_associations(&account.associations).map(drop)
    }
}

impl<T: FilterTable> InForce<T> {
    /// Puts another policy in force, for all that arrives from now on; or, if the kernel refuses it, changes nothing.
    ///
    /// `is_good` judges a certificate that was shown before as the handshakes of the next policy will, and
    /// `put_in_force` does with the rest of the daemon what belongs to the same moment.
    ///
    /// What lets more pass comes first and what lets less pass comes last, here as in the kernel: whom the next policy
    /// trusts is entered before messages are judged by it, and whom it does not trust is removed after.
    pub fn succeed(
        &self,
        next: NextPolicy,
        is_good: impl Fn(&CertificateProof) -> bool,
        put_in_force: impl FnOnce(),
    ) -> Result<Succeeded, KernelError> {
        let old = self.border();
        // To judge a certificate takes long, and is no reason to have others wait. Who connects later is judged then.
        let connections = locked(&old.peers_by_connection).clone();
        let judged = |(number, it): (&u64, &PeerConnection)| (*number, is_good(&it.proof));
        let judged: HashMap<u64, bool> = connections.iter().map(judged).collect();
        let is_good_still = |connected: &PeerConnection| {
            let judged = judged.get(&connected.flow.connection).copied();
            judged.unwrap_or_else(|| is_good(&connected.proof))
        };
        // In the order in which whoever replaces users, or changes the mode, takes these locks.
        let mut trial = locked(&old.trial);
        let authority = old.authority.clone();
        let mut authority = authority.as_deref().map(locked);
        let mut ledger = old.ledger();
        let now = old.now();
        let (ipsec, mode_changes) = (next.ipsec.clone(), next.mode_changes);
        let users = next.digest.as_ref().map(|digest| Arc::clone(digest.realms().users()));
        let mut heir = old.heir(next, authority.as_deref());
        let gone = Gone::between(&old, &heir);
        let connections = locked(&old.peers_by_connection).clone();
        let admitted = Mutex::new(HashMap::new());
        let succession = {
            let judged = |proof: &CertificateProof, position: usize| {
                heir.is_for_dialed(proof, position) && is_good(proof)
            };
            let connected = |named: &[NamedSource]| {
                heir.named.store(NamedAddresses::of(named).into());
                let admitted_now = heir.readmitted(&connections, &is_good_still);
                for it in &admitted_now {
                    locked(&admitted).insert(it.flow.connection, it.peer);
                }
                admitted_now
            };
            ledger.succession(
                &Terms {
                    before: &old.config,
                    next: &heir.config,
                    connected: &connected,
                    ipsec: &ipsec.proofs,
                    is_good: &judged,
                    is_gone: &|label| gone.includes(label),
                    is_any_gone: gone.is_any(),
                },
                now,
            )
        };
        let slowed = old.strangers_slowed.load(Ordering::Relaxed);
        let mode = ledger.table().mode()?;
        // What is on trial ends. What the operator has said since the file was read counts more than the file.
        let (mode, mode_before) = match (trial.is_some(), old.mode_changes() == mode_changes) {
            (true, _) => (heir.config.mode(), Mode::Observe),
            (false, true) => (heir.config.mode(), mode),
            (false, false) => (mode, mode),
        };
        if let Err(error) = enter(&mut ledger, &succession, &heir.config, &ipsec) {
            let undone = ledger.table_mut().protect(&old.config);
            let undone = undone.and(ledger.table_mut().associate(&locked(&old.ipsec)));
            let undone = undone.and(ledger.table_mut().settle(&old.config, slowed, mode_before));
            *trial = None;
            if let Err(error) = undone {
                tracing::error!(%error, "the kernel's tables could not be written back in full");
            }
            return Err(error);
        }
        let stale = ledger.succeed(succession);
        heir.acquaintances = ledger.acquaintances();
        let admitted = locked(&admitted).clone();
        heir.rename_connections(&connections, &admitted);
        let (disproved, is_new) = (gone.count(), heir.has_new_users(&old));
        let heir = Arc::new(heir);
        // Before the ledger is free: who writes to it for the former policy finds this one.
        let _ = old.successor.set(Arc::clone(&heir));
        self.put(Arc::clone(&heir));
        if let Some(digest) = &heir.digest {
            digest.count_nonces_anew();
        }
        if let (Some(authority), Some(users)) = (&mut authority, &users)
            && heir.has_authority_of(&old)
        {
            authority.take_users(users);
        }
        put_in_force();
        heir.report(leave(&mut ledger, stale, &heir.config, (slowed, mode)));
        if trial.take().is_some() {
            tracing::warn!("the trial is over: the mode is that of the file");
        }
        drop((trial, ledger));
        // They were counted under the former policy. Who takes note of what was served waits for the ledger.
        heir.known_good().forget_losses();
        if disproved > 0 || is_new {
            // Whose password was missing here was no guesser.
            heir.lift_bans(None);
        }
        let unwanted = heir.unwanted(&old, &connections, &admitted, &is_good_still);
        for flow in &unwanted {
            tracing::info!(%flow, "cut: the configuration knows nobody there any more");
            heir.outbox.cut(flow);
        }
        Ok(Succeeded { cut: unwanted.len(), disproved })
    }
}

/// Writes what lets more pass; what cannot all be written is taken back, but for settings.
fn enter<T: FilterTable>(
    ledger: &mut Ledger<T>,
    succession: &Succession,
    config: &Config,
    ipsec: &IpsecAccount,
) -> Result<(), KernelError> {
    ledger.table_mut().widen_for(config)?;
    ledger.table_mut().associate(ipsec)?;
    succession.enter(ledger)?;
    ledger.table_mut().protect(config).inspect_err(|_| succession.undo(ledger))
}

/// Writes what lets less pass.
fn leave<T: FilterTable>(
    ledger: &mut Ledger<T>,
    stale: Stale,
    config: &Config,
    (slowed, mode): (u32, Mode),
) -> Result<(), KernelError> {
    let removed = stale.remove(ledger.table_mut());
    // Whatever could not be removed, the rest is written.
    ledger.table_mut().settle(config, slowed, mode).and(removed)
}

/// The users who have proved themselves, and are not to be known by that any more.
enum Gone {
    These(HashSet<String>),
    Everybody,
}

impl Gone {
    fn between<T: TrustTable>(old: &Border<T>, heir: &Border<T>) -> Self {
        match (&old.digest, &heir.digest) {
            (Some(before), Some(after)) => {
                let (before, after) = (before.realms(), after.realms());
                let gone = disproved(before.users(), after.users());
                Self::These(gone.into_iter().map(str::to_owned).collect())
            }
            (None, _) if old.vouching.is_none() || heir.knows_users_as(old) => {
                Self::These(HashSet::new())
            }
            (Some(_), None) | (None, _) => Self::Everybody,
        }
    }

    fn includes(&self, label: &str) -> bool {
        match self {
            Self::These(gone) => gone.contains(label),
            Self::Everybody => true,
        }
    }

    fn is_any(&self) -> bool {
        !matches!(self, Self::These(gone) if gone.is_empty())
    }

    fn count(&self) -> usize {
        match self {
            Self::These(gone) => gone.len(),
            Self::Everybody => 0,
        }
    }
}

impl<T: TrustTable> Border<T> {
    /// The border under the next policy, with everything that was learned under this one.
    fn heir(&self, next: NextPolicy, known: Option<&Authority>) -> Self {
        let NextPolicy { config, forwarder, nonce_keys, peer_pools, ipsec, .. } = next;
        let digest = next.digest.map(|digest| match &self.digest {
            Some(earlier) => digest.continuing(earlier),
            None => digest,
        });
        let vouching = next.vouching.map(|vouching| match &self.vouching {
            Some(earlier) => vouching.continuing(earlier, &nonce_keys),
            None => vouching,
        });
        let now = self.now();
        let authority =
            config.directory.as_ref().zip(digest.as_ref()).map(|(directory, digest)| {
                let users = Arc::clone(digest.realms().users());
                let (authority, standing) = match (next.people, self.authority.as_ref().zip(known))
                {
                    (None, Some((authority, known))) => {
                        (Arc::clone(authority), known.users_among(&users))
                    }
                    (people, _) => {
                        let authority = Authority::new(directory.clone(), users);
                        let authority = match people {
                            Some((people, server)) => authority.believing(people, server, now),
                            None => authority,
                        };
                        let standing = authority.users();
                        (Arc::new(Mutex::new(authority)), standing)
                    }
                };
                digest.replace_users(Arc::new(standing));
                authority
            });
        Self {
            began: self.began,
            activity: self.activity.under(&config.peers),
            has_trust_domains: config.peers.iter().any(|peer| peer.trust_domain),
            offenders: Offenders::new(&config, now).continuing(&self.offenders),
            config,
            forwarder,
            digest,
            vouching,
            upstream_does_not_ask: Arc::clone(&self.upstream_does_not_ask),
            users_account: Mutex::default(),
            authority,
            acquaintances: Arc::clone(&self.acquaintances),
            ledger: Arc::clone(&self.ledger),
            successor: OnceLock::new(),
            peers_by_connection: Arc::clone(&self.peers_by_connection),
            outbox: self.outbox.clone(),
            peer_pools,
            clock: self.clock,
            counters: Arc::clone(&self.counters),
            samples: Arc::clone(&self.samples),
            fingerprints: self.fingerprints.clone(),
            registrar_without_path: Arc::clone(&self.registrar_without_path),
            nonces: Arc::clone(&self.nonces),
            stir: next.stir.continuing(&self.stir),
            ipsec: Mutex::new(ipsec),
            named: ArcSwap::default(),
            names: Mutex::default(),
            load: Arc::clone(&self.load),
            strangers_slowed: Arc::clone(&self.strangers_slowed),
            servings: Arc::clone(&self.servings),
            trial: Arc::clone(&self.trial),
            homer: self.homer.clone(),
            mode_changes: Arc::clone(&self.mode_changes),
            own_certificates: Mutex::default(),
        }
    }

    /// Says whether the same directory says who is let in, whose lock is to be held for that.
    fn has_authority_of(&self, other: &Self) -> bool {
        let both = self.authority.as_ref().zip(other.authority.as_ref());
        both.is_some_and(|(one, other)| Arc::ptr_eq(one, other))
    }

    /// The connections whose certificates are peers' by this policy.
    fn readmitted(
        &self,
        connections: &HashMap<u64, PeerConnection>,
        is_good: &impl Fn(&PeerConnection) -> bool,
    ) -> Vec<Connected> {
        let readmitted = |it: &PeerConnection| {
            let shown = &it.proof.shown;
            let position = match &it.proof.dialed {
                Some(dialed) => {
                    let position = dialed.peer.as_ref().and_then(|name| self.position_of(name));
                    position.filter(|position| self.is_for(shown, *position))
                }
                None => self.peer_of(shown),
            };
            let position = position.filter(|it_is| self.may_be_at(*it_is, it.flow.remote.ip()))?;
            let flow = it.flow;
            is_good(it).then(|| Connected { peer: position, flow, proof: it.proof.clone() })
        };
        let mut admitted: Vec<_> = connections.values().filter_map(readmitted).collect();
        admitted.sort_by_key(|it| it.flow.connection);
        admitted
    }

    /// Says whether a certificate is for this peer, and if we had connected to somebody, to it.
    fn is_for_dialed(&self, proof: &CertificateProof, position: usize) -> bool {
        match &proof.dialed {
            None => self.peer_of(&proof.shown) == Some(position),
            Some(dialed) => {
                let peer = dialed.peer.as_ref().and_then(|name| self.position_of(name));
                peer == Some(position) && self.is_for(&proof.shown, position)
            }
        }
    }

    /// A peer may have another name now, and another peer his name: who is not admitted is nobody until he is cut.
    fn rename_connections(
        &self,
        connections: &HashMap<u64, PeerConnection>,
        admitted: &HashMap<u64, usize>,
    ) {
        let mut by_connection = locked(&self.peers_by_connection);
        // Whoever came later is judged by this policy.
        for (number, connected) in
            by_connection.iter_mut().filter(|(number, _)| connections.contains_key(number))
        {
            let position = admitted.get(number);
            let peer = position.and_then(|position| self.config.peers.get(*position));
            let name = peer.map_or("", |peer| &*peer.name);
            if *name != *connected.peer {
                connected.peer = name.into();
            }
        }
    }

    /// Connections from outside that the former policy knew somebody at whom this one does not know, or that it
    /// denies.
    fn unwanted(
        &self,
        old: &Self,
        connections: &HashMap<u64, PeerConnection>,
        admitted: &HashMap<u64, usize>,
        is_good: &impl Fn(&PeerConnection) -> bool,
    ) -> Vec<Flow> {
        let is_unwanted = |flow: &Flow| {
            let address = flow.remote.ip();
            let denied = &self.config.denied.sources;
            if self.forwarder.is_inside(flow) {
                false
            } else if let Some(connected) = connections.get(&flow.connection) {
                // The others end by themselves, and say why.
                !admitted.contains_key(&flow.connection) && is_good(connected)
            } else {
                let before = old.name_at(address);
                before.is_some() && before != self.name_at(address)
                    || denied.iter().any(|network| network.contains(address))
            }
        };
        let mut flows = self.outbox.connections();
        flows.retain(is_unwanted);
        flows
    }

    /// The name of the peer that the operator has written to be at an address, or that the DNS says to be.
    fn name_at(&self, address: IpAddr) -> Option<&str> {
        let position = self.config.peers.at(address).or_else(|| self.named_peer(address))?;
        self.config.peers.get(position).map(|peer| &*peer.name)
    }

    /// Says whether there is a user who could not prove himself before.
    fn has_new_users(&self, old: &Self) -> bool {
        let (Some(digest), Some(before)) = (&self.digest, &old.digest) else { return false };
        let (users, before) = (digest.realms(), before.realms());
        let is_new = |user: &Arc<User>| !user.is_barred() && !before.users().still_prove(user);
        users.users().iter().any(is_new)
    }

    /// The position of the peer of this name.
    pub(super) fn position_of(&self, name: &str) -> Option<usize> {
        self.config.peers.position(name)
    }

    /// The policy that the ledger goes by, whose guard has to be held; `None` if it is this one.
    pub(super) fn latest(&self) -> Option<&Self> {
        let mut latest = self.successor.get()?;
        while let Some(next) = latest.successor.get() {
            latest = next;
        }
        Some(latest)
    }

    /// The position that a peer of the ledger, whose guard has to be held, has by this policy.
    pub(super) fn own_position(&self, position: usize) -> Option<usize> {
        let Some(latest) = self.latest() else { return Some(position) };
        self.position_of(&latest.config.peers.get(position)?.name)
    }

    /// The peer out of whose association a message has come.
    pub(super) fn ipsec_peer(
        &self,
        ledger: &Ledger<T>,
        flow: &Flow,
        now: MonotonicNanos,
    ) -> Option<usize> {
        let peers = self.latest().map_or(&self.config.peers, |latest| &latest.config.peers);
        self.own_position(ledger.ipsec_peer(peers, flow, now)?)
    }
}
