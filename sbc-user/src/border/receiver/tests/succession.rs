//! Another policy takes the place of the one in force, and who still goes by the former is not misled.

use super::*;
use crate::border::{FilterTable, InForce, NextPolicy, Stir, Succeeded};
use crate::kernel::KernelError;
use crate::proof::digest::NonceKey;
use crate::proof::ipsec::IpsecAccount;
use crate::transport::Dialed;
use sbc_common::Mode;

impl FilterTable for MemoryTable {
    fn widen_for(&mut self, _: &Config) -> Result<(), KernelError> {
        Ok(())
    }

    fn protect(&mut self, _: &Config) -> Result<(), KernelError> {
        Ok(())
    }

    fn settle(&mut self, _: &Config, _: u32, _: Mode) -> Result<(), KernelError> {
        Ok(())
    }

    fn mode(&self) -> Result<Mode, KernelError> {
        Ok(Mode::Observe)
    }

    fn associate(&mut self, _: &IpsecAccount) -> Result<(), KernelError> {
        Ok(())
    }
}

const FIRST: &str = "[[peer]]\nname = \"first\"\nrequire = [\"tls\"]\n\
    identities = [\"first.example\"]\nopens = [\"udp\"]\nlifetime = \"1h\"\n";
const SECOND: &str = "[[peer]]\nname = \"second\"\nrequire = [\"tls\"]\n\
    identities = [\"second.example\"]\nopens = [\"udp\"]\nlifetime = \"1h\"\n";

struct Ruled {
    in_force: InForce<MemoryTable>,
    _listeners: Listeners,
    _peers: Running,
    upstream: Flow,
}

impl Ruled {
    fn by(peers: &str) -> Self {
        let Scene { border, listeners, _peers: others, upstream, .. } =
            Scene::new(peers, MemoryTable::default());
        let in_force = InForce::new(Arc::new(border));
        Self { in_force, _listeners: listeners, _peers: others, upstream }
    }

    fn succeed(&self, peers: &str, is_good: bool) -> Succeeded {
        let config = Arc::new(sample::config(peers));
        let before = self.in_force.border();
        let listeners = vec![
            (Transport::Udp, "203.0.113.1:5060".parse().unwrap()),
            (Transport::Tls, "203.0.113.1:5061".parse().unwrap()),
            (Transport::Udp, "10.0.0.1:5060".parse().unwrap()),
        ];
        let pool = Arc::new(Pool::of(self.upstream));
        let next = NextPolicy {
            config,
            forwarder: Forwarder::new(before.seal().copied(), listeners, INSIDE, pool),
            digest: Some(test_client::check(before.clock.wall())),
            vouching: None,
            nonce_keys: NonceKey::new(0, [7; 32]).into(),
            peer_pools: Vec::new(),
            stir: Stir::default(),
            people: None,
            ipsec: IpsecAccount::default(),
            mode_changes: before.mode_changes(),
        };
        self.in_force.succeed(next, |_| is_good, || {}).unwrap()
    }

    /// The name of the peer that a border takes whoever is behind a flow for.
    fn peer_at(border: &Border<MemoryTable>, flow: &Flow) -> Option<String> {
        let evidence = border.evidence(flow);
        let position = evidence.tls_connection.or(evidence.tls_source)?;
        border.config.peers.get(position).map(|peer| peer.name.clone())
    }
}

#[tokio::test]
async fn a_peer_is_the_same_to_who_still_goes_by_the_former_policy_wherever_it_stands_now() {
    let ruled = Ruled::by(&[FIRST, SECOND].concat());
    let shown = shown(&["second.example"]);
    let flow = tls_flow(7, "198.51.100.1:40000");
    let clear = Flow::udp(OUTSIDE, "198.51.100.1:5060".parse().unwrap());
    assert_eq!(ruled.in_force.connected(&flow, showing(&shown)), Admission::Keep);
    let former = ruled.in_force.border();
    ruled.succeed(&[SECOND, FIRST].concat(), true);
    let newer = ruled.in_force.border();
    ruled.succeed(SECOND, true);
    for border in [former, newer, ruled.in_force.border()] {
        for flow in [&flow, &clear] {
            assert_eq!(Ruled::peer_at(&border, flow).as_deref(), Some("second"));
        }
    }
}

#[tokio::test]
async fn whoever_was_let_in_by_the_former_policy_a_moment_late_is_judged_by_the_one_in_force() {
    let ruled = Ruled::by(&[FIRST, SECOND].concat());
    let former = ruled.in_force.border();
    ruled.succeed(SECOND, true);
    let (first, second) = (shown(&["first.example"]), shown(&["second.example"]));
    let gone = tls_flow(7, "198.51.100.1:40000");
    assert_eq!(former.connected(&gone, showing(&first)), Admission::Close);
    let flow = tls_flow(8, "198.51.100.2:40000");
    assert_eq!(former.connected(&flow, showing(&second)), Admission::Keep);
    let held: Vec<_> = {
        let border = ruled.in_force.border();
        let ledger = border.ledger();
        ledger.grants().map(|(place, grant)| (place.to_string(), grant.holder.clone())).collect()
    };
    assert_eq!(held, [("198.51.100.2".to_owned(), crate::trust::Holder::Peer(0))]);
    // Who left while nobody heard of it by the former policy.
    former.disconnected(&flow);
    assert_eq!(Ruled::peer_at(&ruled.in_force.border(), &flow), None);
}

#[tokio::test]
async fn a_proof_that_was_judged_before_opens_what_the_policy_in_force_lets_it() {
    let ruled = Ruled::by("");
    let former = ruled.in_force.border();
    let user = {
        let realms = former.digest.as_ref().unwrap().realms();
        Arc::clone(realms.users().iter().next().unwrap())
    };
    let denied = "[denied]\nsources = [\"203.0.113.7\"]\n";
    ruled.succeed(denied, true);
    let border = ruled.in_force.border();
    for (remote, is_open) in [("203.0.113.7:5070", false), ("203.0.113.8:5070", true)] {
        let flow = Flow::udp(OUTSIDE, remote.parse().unwrap());
        former.promote(&user, &flow);
        let has_answered = border.ledger().has_answered(&flow, border.now());
        assert_eq!(has_answered, is_open, "{remote}");
    }
}

#[tokio::test]
async fn what_peers_have_left_open_is_judged_by_the_rule_that_their_connection_was() {
    let [first, second] = ["first.example", "second.example"];
    for is_good in [true, false] {
        let ruled = Ruled::by(&[FIRST, SECOND].concat());
        let both = shown(&[first, second]);
        let (ours, theirs) = (tls_flow(7, "127.0.0.1:5061"), tls_flow(8, "198.51.100.1:40000"));
        let to_second = Dialed { peer: Some("second".into()) };
        let dialed = Party { dialed: Some(&to_second), ..showing(&both) };
        assert_eq!(ruled.in_force.connected(&ours, dialed), Admission::Keep);
        assert_eq!(ruled.in_force.connected(&theirs, showing(&both)), Admission::Keep);
        ruled.in_force.disconnected(&ours);
        ruled.in_force.disconnected(&theirs);
        // To connect to one who may be anybody else is not to know whom.
        ruled.succeed(&[SECOND, FIRST].concat(), is_good);
        let border = ruled.in_force.border();
        let peer =
            |remote: &str| Ruled::peer_at(&border, &Flow::udp(OUTSIDE, remote.parse().unwrap()));
        let of_both = [peer("127.0.0.1:5060"), peer("198.51.100.1:5060")];
        // The first whose certificate it is now is another one than before.
        let left = is_good.then(|| "second".to_owned());
        assert_eq!(of_both, [left, None]);
    }
}
