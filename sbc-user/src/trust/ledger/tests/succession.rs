use sbc_common::Lane;

use super::scene::*;
use crate::config::{Config, sample};
use crate::kernel::KernelError;
use crate::transport::{Flow, Transport};
use crate::trust::{CertificateProof, Connected, Holder, Place, Terms};

const USER: &str = "203.0.113.5:5070";

/// What a policy is told that takes the place of another.
struct Told<'t> {
    /// The names of peers, and their connections.
    connected: Vec<(&'t str, Flow)>,
    are_certificates_good: bool,
    gone: &'t [&'t str],
}

impl Default for Told<'_> {
    fn default() -> Self {
        Self { connected: Vec::new(), are_certificates_good: true, gone: &[] }
    }
}

impl Scene {
    fn succeed(&mut self, next: Config, told: &Told<'_>) -> Result<(), KernelError> {
        let connected = told.connected.iter().filter_map(|(name, flow)| {
            let shown = std::sync::Arc::new(crate::proof::tls::ShownCertificate::of(&[], 0));
            let until = sbc_common::MonotonicNanos(u64::MAX);
            let proof = CertificateProof { shown, until, dialed: None };
            Some(Connected { peer: next.peers.position(name)?, flow: *flow, proof })
        });
        let connected: Vec<_> = connected.collect();
        let terms = Terms {
            before: &self.config,
            next: &next,
            connected: &|_| connected.clone(),
            ipsec: &[],
            is_good: &|_, _| told.are_certificates_good,
            is_gone: &|label| told.gone.contains(&label),
            is_any_gone: !told.gone.is_empty(),
        };
        let succession = self.ledger.succession(&terms, self.now);
        succession.enter(&mut self.ledger)?;
        self.ledger.succeed(succession).remove(self.ledger.table_mut())?;
        self.config = next;
        Ok(())
    }

    /// Whatever came of it, the kernel says what a ledger says that is built from it.
    fn is_consistent(&mut self) {
        let entries = self.ledger.table().entries();
        let rows = self.ledger.rows(self.now);
        assert_eq!(entries.len(), rows.len(), "{entries:?} {rows:?}");
    }
}

fn without(name: &str) -> Config {
    let peers = PEERS.split("[[peer]]").filter(|peer| !peer.contains(&format!("name = {name:?}")));
    let (peers, denied): (Vec<_>, &str) =
        (peers.collect(), "[denied]\nsources = [\"203.0.113.64/26\"]\n");
    let text = peers.join("[[peer]]");
    let text = if text.contains("[denied]") { text } else { format!("{text}\n{denied}") };
    sample::config(&text)
}

#[test]
fn under_the_same_policy_nothing_changes() {
    let mut scene = Scene::new();
    scene.connect(CARRIER, 7, "198.51.100.9");
    scene.connect(NOMAD, 8, "198.18.0.9");
    scene.prove("alice", Transport::Udp, USER);
    scene.disconnect(NOMAD, 8).unwrap();
    let before = scene.ledger.table().entries();
    let connected = vec![("carrier", connection(7, "198.51.100.9"))];
    scene.succeed(sample::config(PEERS), &Told { connected, ..Told::default() }).unwrap();
    assert_eq!(scene.ledger.table().entries(), before);
    assert!(scene.has_answered(Transport::Udp, USER));
    assert_eq!(scene.tls_peer(Transport::Udp, "198.51.100.9:5060"), Some(CARRIER));
    scene.pass(31);
    scene.sweep();
    assert_eq!(scene.entry(address("198.18.0.9")), None, "it expires as it would have");
    assert_eq!(scene.entry(network("198.51.100.0/24")).unwrap().0, Lane::Tls, "it is renewed");
    scene.disconnect(CARRIER, 7).unwrap();
    scene.pass(61);
    scene.sweep();
    assert_eq!(scene.entry(network("198.51.100.0/24")), Some(listed()));
}

#[test]
fn who_is_not_written_any_more_loses_all_at_once_and_the_others_keep_it_wherever_they_stand() {
    let mut scene = Scene::new();
    scene.connect(CARRIER, 7, "198.51.100.9");
    scene.connect(NOMAD, 8, "198.18.0.9");
    scene.prove("alice", Transport::Udp, USER);
    let connected =
        vec![("carrier", connection(7, "198.51.100.9")), ("nomad", connection(8, "198.18.0.9"))];
    scene.succeed(without("carrier"), &Told { connected, ..Told::default() }).unwrap();
    for gone in ["198.51.100.0/24", "2001:db8:1::/48"] {
        assert_eq!(scene.entry(network(gone)), None, "{gone}");
    }
    assert_eq!(scene.tls_peer(Transport::Udp, "198.51.100.9:5060"), None);
    let nomad = scene.config.peers.position("nomad").unwrap();
    assert_ne!(nomad, NOMAD);
    assert_eq!(scene.tls_peer(Transport::Tcp, "198.18.0.9:5060"), Some(nomad));
    let number = scene.ledger.table().entries()[&address("198.18.0.9")].peer;
    assert_eq!(usize::try_from(number).unwrap(), nomad + 1);
    assert!(scene.has_answered(Transport::Udp, USER));
    scene.is_consistent();
    // Who has gone by the former policy's word, and comes back by its own.
    scene.disconnect(nomad, 8).unwrap();
    scene.pass(31);
    scene.sweep();
    assert_eq!(scene.entry(address("198.18.0.9")), None);
}

#[test]
fn what_the_departed_have_left_open_is_judged_again_and_what_an_earlier_run_left_is_shut() {
    for is_good in [true, false] {
        let mut scene = Scene::new();
        scene.connect(NOMAD, 7, "198.18.0.9");
        scene.disconnect(NOMAD, 7).unwrap();
        let told = Told { are_certificates_good: is_good, ..Told::default() };
        scene.succeed(sample::config(PEERS), &told).unwrap();
        assert_eq!(scene.entry(address("198.18.0.9")).is_some(), is_good);
    }
    let mut scene = Scene::new();
    scene.connect(CARRIER, 7, "198.51.100.9");
    let table = std::mem::take(scene.ledger.table_mut());
    let mut scene = Scene::restarted(table, scene.config, scene.now);
    assert_eq!(scene.entry(network("198.51.100.0/24")).unwrap().0, Lane::Tls);
    scene.succeed(sample::config(PEERS), &Told::default()).unwrap();
    assert_eq!(scene.entry(network("198.51.100.0/24")), Some(listed()));
}

#[test]
fn a_user_goes_on_unless_he_is_gone_or_denied() {
    let denied = PEERS.replace("203.0.113.64/26", "203.0.113.0/24");
    for (next, gone, remains) in [
        (PEERS, &[][..], true),
        (PEERS, &["bob"], true),
        (PEERS, &["alice"], false),
        (&denied, &[], false),
    ] {
        let mut scene = Scene::new();
        scene.prove("alice", Transport::Udp, USER);
        scene.succeed(sample::config(next), &Told { gone, ..Told::default() }).unwrap();
        assert_eq!(scene.has_answered(Transport::Udp, USER), remains, "{gone:?}");
        assert_eq!(scene.entry(port(USER)).is_some(), remains, "{gone:?}");
        scene.is_consistent();
    }
}

#[test]
fn what_the_kernel_has_no_room_for_changes_nothing() {
    let mut scene = Scene::new();
    scene.connect(CARRIER, 7, "198.51.100.9");
    scene.prove("alice", Transport::Udp, USER);
    let before = scene.ledger.table().entries();
    let more = "\n[[peer]]\nname = \"one-more\"\nrequire = [\"static\"]\nopens = [\"udp\"]\n\
                sources = [\"192.0.2.32/28\", \"192.0.2.64/28\", \"192.0.2.0/29\"]\n";
    let Place::Network(refused) = network("192.0.2.32/28") else { unreachable!() };
    scene.ledger.table_mut().broken = Some(refused);
    let connected = vec![("carrier", connection(7, "198.51.100.9"))];
    let told = Told { connected, ..Told::default() };
    let without_denied =
        PEERS.replace("[[peer]]\nname = \"trunk\"", &format!("{more}[[peer]]\nname = \"trunk\""));
    let without_denied = without_denied.replace("\"192.0.2.0/29\"", "\"192.0.3.0/29\"");
    let refused = scene.succeed(sample::config(&without_denied), &told);
    assert!(matches!(refused, Err(KernelError::TableFull(_))));
    assert_eq!(scene.ledger.table().entries(), before);
    assert_eq!(scene.tls_peer(Transport::Udp, "198.51.100.9:5060"), Some(CARRIER));
    assert!(scene.has_answered(Transport::Udp, USER));
    scene.ledger.table_mut().broken = None;
    scene.succeed(sample::config(&without_denied), &told).unwrap();
    assert!(scene.entry(network("192.0.2.32/28")).is_some());
    scene.is_consistent();
}

#[test]
fn who_is_banned_stays_so_until_the_operator_writes_of_him() {
    let offender = "198.18.7.1";
    let spared = format!("{PEERS}\n[trust]\nban = \"enforce\"\nnever-ban = [\"198.18.7.0/24\"]\n");
    let listed = PEERS.replace("192.0.2.0/28", "198.18.7.0/28");
    let enforce = |text: &str| format!("{text}\n[trust]\nban = \"enforce\"\n");
    for (next, is_banned) in [
        (enforce(PEERS), true),
        (spared, false),
        (enforce(&listed), false),
        (PEERS.to_owned(), false),
    ] {
        let table = MemoryTable::default();
        let mut scene = Scene::restarted(table, sample::config(&enforce(PEERS)), START);
        let length = scene.ledger.ban_due(address(offender), scene.now).unwrap();
        scene.ledger.ban(address(offender), length, scene.now).unwrap();
        scene.succeed(sample::config(&next), &Told::default()).unwrap();
        let entry = scene.entry(address(offender));
        assert_eq!(entry.is_some_and(|it| it.0 == Lane::Denied), is_banned, "{next}");
        let mut grants = scene.ledger.grants();
        assert_eq!(grants.any(|(_, grant)| grant.holder == Holder::Offender), is_banned);
        drop(grants);
        scene.is_consistent();
    }
}
