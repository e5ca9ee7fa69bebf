use std::collections::HashMap;
use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::name::MOST_HELD;
use super::*;
use crate::config::sample;

const START: MonotonicNanos = MonotonicNanos(5_000_000_000_000);
const ONE: usize = 0;
const OTHER: usize = 1;
const LISTED: usize = 2;
const WITHIN: usize = 3;

/// Two peers by the DNS, one by its address, one by the DNS within its networks.
const PEERS: &str = r#"
[dns]
grace = "10m"
confirm = "1m"
longest-silence = "1h"
addresses-per-name = 4

[[peer]]
name = "one"
require = ["dns"]
names = ["a.one.example", "b.one.example"]
opens = ["udp"]

[[peer]]
name = "other"
require = ["dns"]
names = ["sip.other.example"]
opens = ["udp"]

[[peer]]
name = "listed"
require = ["static"]
sources = ["192.0.2.0/28"]
opens = ["udp", "ipsec"]
ipsec-gateways = ["192.0.2.200"]

[[peer]]
name = "within"
require = ["static", "dns"]
names = ["sip.within.example"]
sources = ["10.1.0.0/16", "203.0.113.32/28"]
opens = ["udp"]

[denied]
sources = ["203.0.113.64/26"]
"#;

/// The positions of the names.
const A: usize = 0;
const B: usize = 1;
const OTHERS: usize = 2;
const WITHINS: usize = 3;

struct Scene {
    named: NamedPeers,
    now: MonotonicNanos,
}

impl Scene {
    fn new() -> Self {
        Self::after(Vec::new())
    }

    fn after(earlier: Vec<NamedSource>) -> Self {
        let config = Arc::new(sample::config(PEERS));
        Self { named: NamedPeers::new(&config, earlier), now: START }
    }

    fn hear(&mut self, name: usize, addresses: &[&str]) -> Vec<Notice> {
        self.hear_of(name, addresses, true)
    }

    fn hear_of(&mut self, name: usize, addresses: &[&str], is_whole: bool) -> Vec<Notice> {
        let addresses = addresses.iter().map(|it| it.parse().unwrap()).collect();
        let heard = Heard { addresses, is_whole, lasts: Duration::from_secs(30) };
        self.named.hear(name, Some(&heard), self.now)
    }

    fn silence(&mut self, name: usize) -> Vec<Notice> {
        self.named.hear(name, None, self.now)
    }

    fn pass(&mut self, seconds: u64) {
        self.now = MonotonicNanos(self.now.0 + seconds * 1_000_000_000);
        self.named.forget(self.now);
    }

    fn sources(&self) -> Vec<(String, usize)> {
        let sources = self.named.sources(self.now);
        sources.iter().map(|it| (it.address.to_string(), it.peer)).collect()
    }

    fn of_one(&self) -> Vec<String> {
        let sources = self.sources().into_iter();
        sources.filter(|(_, peer)| *peer == ONE).map(|(address, _)| address).collect()
    }

    fn held(&self, name: usize) -> HashMap<String, HeldBack> {
        let account = &self.named.account()[name];
        account.held_back.iter().map(|(address, why)| (address.to_string(), *why)).collect()
    }

    fn seconds_until_due(&self, name: usize) -> u64 {
        (self.named.due(name).unwrap().0 - self.now.0) / 1_000_000_000
    }
}

#[test]
fn the_first_answer_is_believed_at_once_and_what_is_new_when_it_is_seen_again() {
    let mut scene = Scene::new();
    assert_eq!(scene.hear(A, &["198.51.100.1", "2001:db8::1"]).len(), 2);
    assert_eq!(scene.of_one(), ["198.51.100.1", "2001:db8::1"]);
    assert_eq!(scene.seconds_until_due(A), 30);

    scene.pass(20);
    let held = vec![("198.51.100.2".parse().unwrap(), HeldBack::New)];
    assert_eq!(scene.hear(A, &["198.51.100.1", "198.51.100.2"]), [Notice::HeldBack(held)]);
    scene.pass(59);
    assert_eq!(scene.hear(A, &["198.51.100.1", "198.51.100.2"]), []);
    assert_eq!(scene.of_one(), ["198.51.100.1", "2001:db8::1"]);
    assert_eq!(scene.seconds_until_due(A), 1, "it is looked at when it may be believed");
    scene.pass(1);
    let believed = Notice::Believed("198.51.100.2".parse().unwrap());
    assert_eq!(scene.hear(A, &["198.51.100.1", "198.51.100.2"]), [believed]);
    assert_eq!(scene.of_one(), ["198.51.100.1", "198.51.100.2", "2001:db8::1"]);
}

#[test]
fn an_address_that_left_stays_for_the_grace_and_is_not_removed_if_it_is_back_before() {
    let mut scene = Scene::new();
    scene.hear(A, &["198.51.100.1", "198.51.100.2"]);
    scene.hear(A, &["198.51.100.1"]);
    scene.pass(599);
    assert_eq!(scene.of_one().len(), 2);
    scene.hear(A, &["198.51.100.2"]);
    scene.pass(2);
    assert_eq!(scene.of_one().len(), 2, "each has left for two seconds at most");
    scene.hear(A, &["198.51.100.2"]);
    scene.pass(597);
    assert_eq!(scene.of_one().len(), 2);
    scene.pass(1);
    assert_eq!(scene.of_one(), ["198.51.100.2"]);
}

#[test]
fn who_replaces_all_addresses_at_once_waits_and_takes_none_away_until_he_is_believed() {
    let mut scene = Scene::new();
    scene.hear(A, &["198.51.100.1"]);
    scene.pass(30);
    let notices = scene.hear(A, &["198.51.100.66"]);
    assert!(notices.contains(&Notice::Trouble(Trouble::NothingBelieved)), "{notices:?}");
    assert!(scene.seconds_until_due(A) <= 10);
    // It is back as it was: whoever had got one answer in has nothing of it.
    scene.pass(10);
    scene.hear(A, &["198.51.100.1"]);
    scene.pass(700);
    scene.hear(A, &["198.51.100.1"]);
    assert_eq!(scene.of_one(), ["198.51.100.1"]);
    assert_eq!(scene.held(A), HashMap::new(), "and it is forgotten");

    scene.hear(A, &["198.51.100.7"]);
    scene.pass(61);
    scene.hear(A, &["198.51.100.7"]);
    assert_eq!(scene.of_one(), ["198.51.100.1", "198.51.100.7"]);
    scene.pass(599);
    assert_eq!(scene.of_one(), ["198.51.100.1", "198.51.100.7"], "from the time of belief on");
    scene.pass(1);
    assert_eq!(scene.of_one(), ["198.51.100.7"]);
}

#[test]
fn silence_and_answers_of_nothing_take_nothing_away_until_the_longest_silence_is_over() {
    type Answer = fn(&mut Scene) -> Vec<Notice>;
    let nothing: [(Answer, Trouble); 4] = [
        (|scene| scene.silence(A), Trouble::Silent),
        (|scene| scene.hear(A, &[]), Trouble::NoAddress),
        (|scene| scene.hear(A, &["127.0.0.1"]), Trouble::NothingBelieved),
        (|scene| scene.hear_of(A, &[], false), Trouble::NoAddress),
    ];
    for (answer, trouble) in nothing {
        let mut scene = Scene::new();
        scene.hear(A, &["198.51.100.1"]);
        for minute in 0..59 {
            scene.pass(60);
            let told = answer(&mut scene).contains(&Notice::Trouble(trouble));
            assert_eq!(told, minute == 0, "it is told once");
            assert!(scene.seconds_until_due(A) <= 10);
            assert_eq!(scene.of_one(), ["198.51.100.1"]);
        }
        scene.pass(60);
        assert_eq!(scene.of_one(), Vec::<String>::new(), "{trouble}");
        // Nobody is left whose place another could take.
        scene.hear(A, &["198.51.100.2"]);
        assert_eq!(scene.of_one(), ["198.51.100.2"]);
    }
}

#[test]
fn half_an_answer_takes_nothing_away() {
    let mut scene = Scene::new();
    scene.hear(A, &["198.51.100.1", "2001:db8::1"]);
    for _ in 0..20 {
        scene.pass(60);
        scene.hear_of(A, &["198.51.100.1"], false);
    }
    assert_eq!(scene.of_one().len(), 2);
    scene.hear(A, &["198.51.100.1"]);
    scene.pass(600);
    assert_eq!(scene.of_one(), ["198.51.100.1"]);
}

#[test]
fn what_the_operator_has_written_comes_before_what_the_dns_says() {
    for (address, why) in [
        ("0.0.0.0", HeldBack::NoHost),
        ("127.0.0.1", HeldBack::NoHost),
        ("::1", HeldBack::NoHost),
        ("::", HeldBack::NoHost),
        ("224.0.0.1", HeldBack::NoHost),
        ("255.255.255.255", HeldBack::NoHost),
        ("ff02::1", HeldBack::NoHost),
        ("::ffff:198.51.100.1", HeldBack::NoHost),
        ("203.0.113.1", HeldBack::Ours),
        ("10.0.0.1", HeldBack::Ours),
        ("10.0.0.5", HeldBack::Ours),
        ("203.0.113.64", HeldBack::Denied),
        ("192.0.2.15", HeldBack::AnothersSource(LISTED)),
        ("192.0.2.200", HeldBack::AnothersSource(LISTED)),
        ("10.1.0.1", HeldBack::AnothersSource(WITHIN)),
        ("10.2.0.1", HeldBack::NotPublic),
        ("169.254.1.1", HeldBack::NotPublic),
        ("100.64.0.1", HeldBack::NotPublic),
        ("240.0.0.1", HeldBack::NotPublic),
        ("0.1.2.3", HeldBack::NotPublic),
        ("fd00::1", HeldBack::NotPublic),
        ("fe80::1", HeldBack::NotPublic),
        ("64:ff9b::1", HeldBack::NotPublic),
    ] {
        let mut scene = Scene::new();
        for _ in 0..3 {
            scene.hear(A, &[address]);
            assert_eq!(scene.held(A).get(address), Some(&why), "{address}");
            scene.pass(60);
        }
        assert_eq!(scene.sources(), [], "{address}");
    }
    let mut scene = Scene::new();
    let all = ["10.1.2.3", "203.0.113.33", "203.0.113.48", "198.51.100.1", "127.0.0.1"];
    scene.hear(WITHINS, &all);
    let believed = [("10.1.2.3", WITHIN), ("203.0.113.33", WITHIN)];
    assert_eq!(scene.sources(), believed.map(|(address, peer)| (address.to_owned(), peer)));
    assert_eq!(scene.held(WITHINS)["198.51.100.1"], HeldBack::OutsideSources);
}

#[test]
fn an_address_is_whose_it_was_first() {
    let mut scene = Scene::new();
    scene.hear(OTHERS, &["198.51.100.1"]);
    for _ in 0..5 {
        scene.hear(A, &["198.51.100.1"]);
        assert_eq!(scene.held(A)["198.51.100.1"], HeldBack::AnothersName(OTHER));
        scene.pass(60);
    }
    assert_eq!(scene.sources(), [("198.51.100.1".to_owned(), OTHER)]);
    // It moves, and leaves the place to somebody else.
    scene.hear(OTHERS, &["198.51.100.2"]);
    scene.pass(61);
    scene.hear(OTHERS, &["198.51.100.2"]);
    scene.pass(600);
    scene.hear(A, &["198.51.100.1"]);
    assert_eq!(
        scene.sources(),
        [("198.51.100.1".to_owned(), ONE), ("198.51.100.2".to_owned(), OTHER)]
    );
}

#[test]
fn a_name_has_no_more_addresses_than_it_may_and_remembers_no_more_than_it_must() {
    let mut scene = Scene::new();
    let many: Vec<_> = (1..200).map(|last| format!("198.51.100.{last}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    scene.hear(A, &many);
    assert_eq!(scene.of_one().len(), 4);
    assert_eq!(scene.held(A).len(), MOST_HELD);
    assert!(scene.held(A).values().all(|why| *why == HeldBack::TooMany));
    scene.hear(A, &many[..5]);
    scene.hear(A, &many[1..5]);
    scene.pass(300);
    scene.hear(A, &many[1..5]);
    scene.pass(300);
    scene.hear(A, &many[1..5]);
    assert_eq!(scene.of_one(), many[1..5], "as soon as there is room");
}

#[test]
fn a_full_name_that_moves_altogether_is_at_its_new_addresses_after_the_grace() {
    let mut scene = Scene::new();
    let old = ["198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4"];
    let new = ["198.51.100.5", "198.51.100.6", "198.51.100.7", "198.51.100.8"];
    scene.hear(A, &old);
    scene.pass(30);
    scene.hear(A, &new);
    scene.pass(59);
    scene.hear(A, &new);
    // From here on they say that the others are gone, and what was not confirmed did not.
    scene.pass(1);
    scene.hear(A, &new);
    scene.pass(590);
    scene.hear(A, &new);
    assert_eq!((scene.of_one(), scene.seconds_until_due(A)), (old.map(str::to_owned).to_vec(), 10));
    scene.pass(10);
    scene.hear(A, &new);
    assert_eq!(scene.of_one(), new);
}

#[test]
fn a_new_address_that_is_not_given_again_is_not_looked_for_all_the_time() {
    let mut scene = Scene::new();
    scene.hear(A, &["198.51.100.1"]);
    scene.hear(A, &["198.51.100.1", "198.51.100.66"]);
    for is_whole in [false, true] {
        scene.pass(61);
        scene.hear_of(A, &["198.51.100.1"], is_whole);
        assert_eq!(scene.seconds_until_due(A), 30);
        assert_eq!(scene.held(A)["198.51.100.66"], HeldBack::New);
    }
}

#[test]
fn of_two_servers_the_one_that_is_cheated_does_not_confirm_itself() {
    let mut scene = Scene::new();
    let (honest, cheated) = (["198.51.100.1"], ["198.51.100.1", "198.51.100.66"]);
    scene.hear(A, &honest);
    for _ in 0..10 {
        scene.pass(40);
        scene.hear(A, &cheated);
        scene.pass(40);
        scene.hear(A, &honest);
    }
    assert_eq!(scene.of_one(), honest);
    for seconds in [0, 59, 1] {
        scene.pass(seconds);
        assert_eq!(scene.of_one(), honest);
        scene.hear(A, &cheated);
    }
    assert_eq!(scene.of_one(), cheated);
}

#[test]
fn two_names_of_a_peer_are_one_peer() {
    let mut scene = Scene::new();
    scene.hear(A, &["198.51.100.1", "198.51.100.2"]);
    scene.hear(B, &["198.51.100.2", "198.51.100.3"]);
    assert_eq!(scene.of_one(), ["198.51.100.1", "198.51.100.2", "198.51.100.3"]);
    scene.hear(A, &["198.51.100.1"]);
    scene.pass(601);
    assert_eq!(scene.of_one().len(), 3, "by the other name");
    // What the peer has by one name is not new by the other.
    scene.hear(B, &["198.51.100.2", "198.51.100.3"]);
    scene.hear(A, &["198.51.100.1", "198.51.100.3"]);
    assert_eq!(scene.held(A), HashMap::new());
}

#[test]
fn what_an_earlier_run_believed_goes_on_until_it_ends_and_is_guarded_as_before() {
    let until = after(START, Duration::from_secs(100));
    let earlier =
        |address: &str, peer: usize| NamedSource { address: address.parse().unwrap(), peer, until };
    let scene = || {
        let ours = earlier("203.0.113.1", ONE);
        Scene::after(vec![earlier("198.51.100.1", ONE), earlier("192.0.2.1", ONE), ours])
    };
    let mut silent = scene();
    assert_eq!(silent.of_one(), ["198.51.100.1"], "the operator has written otherwise since");
    silent.silence(A);
    silent.pass(99);
    assert_eq!(silent.of_one(), ["198.51.100.1"]);
    silent.pass(1);
    assert_eq!(silent.sources(), []);

    let mut moved = scene();
    moved.hear(A, &["198.51.100.66"]);
    assert_eq!(moved.held(A)["198.51.100.66"], HeldBack::New);
    moved.hear(OTHERS, &["198.51.100.1"]);
    assert_eq!(moved.held(OTHERS)["198.51.100.1"], HeldBack::AnothersName(ONE));

    let mut same = scene();
    same.hear(A, &["198.51.100.1"]);
    same.pass(500);
    assert_eq!(same.of_one(), ["198.51.100.1"]);
}

#[test]
fn nothing_lasts_longer_than_the_grace_if_nobody_says_it_again() {
    let mut scene = Scene::new();
    scene.hear(A, &["198.51.100.1"]);
    let until = scene.named.sources(scene.now)[0].until;
    assert_eq!(until, after(scene.now, Duration::from_mins(10)));
}

#[derive(Clone, Debug)]
enum Step {
    Hear { name: usize, addresses: Vec<IpAddr>, is_whole: bool },
    Silence { name: usize },
    Pass { seconds: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let address = prop_oneof![
        6 => (1..9_u8).prop_map(|last| Ipv4Addr::new(198, 51, 100, last)),
        1 => (0..20_u8).prop_map(|last| Ipv4Addr::new(192, 0, 2, last)),
        1 => Just(Ipv4Addr::LOCALHOST),
        1 => (30..70_u8).prop_map(|last| Ipv4Addr::new(203, 0, 113, last)),
    ];
    let addresses = prop::collection::vec(address.prop_map(IpAddr::V4), 0..7);
    let hear = (0..4_usize, addresses, any::<bool>())
        .prop_map(|(name, addresses, is_whole)| Step::Hear { name, addresses, is_whole });
    let silence = (0..4_usize).prop_map(|name| Step::Silence { name });
    let pass = prop_oneof![0..100_u64, 500..700_u64, 3500..3700_u64];
    let pass = pass.prop_map(|seconds| Step::Pass { seconds });
    prop::collection::vec(prop_oneof![4 => hear, 1 => silence, 4 => pass], 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_address_outlives_its_answers_none_is_anothers_and_none_is_one_too_many(steps in steps()) {
        let config = Arc::new(sample::config(PEERS));
        let mut named = NamedPeers::new(&config, Vec::new());
        let mut now = START;
        // When an answer about a name had an address last.
        let mut said: HashMap<(usize, IpAddr), MonotonicNanos> = HashMap::new();
        let mut before: HashMap<IpAddr, usize> = HashMap::new();
        for step in steps {
            match step {
                Step::Hear { name, addresses, is_whole } => {
                    for address in &addresses {
                        said.insert((name, *address), now);
                    }
                    let heard = Heard { addresses, is_whole, lasts: Duration::from_mins(1) };
                    named.hear(name, Some(&heard), now);
                }
                Step::Silence { name } => {
                    named.hear(name, None, now);
                }
                Step::Pass { seconds } => {
                    now = after(now, Duration::from_secs(seconds));
                    named.forget(now);
                }
            }
            let sources = named.sources(now);
            for source in &sources {
                let of_peer =
                    |name: usize| named.peer_of(name) == Some(source.peer);
                let last = said.iter().filter(|((name, address), _)| {
                    *address == source.address && of_peer(*name)
                });
                let last = last.map(|(_, when)| *when).max();
                let last = last.expect("it was said");
                let peer = &config.peers[source.peer];
                prop_assert!(source.until <= after(last, Duration::from_hours(1)));
                prop_assert!(source.until <= after(now, Duration::from_mins(10)));
                prop_assert!(source.until > now);
                let listed = config.peers.at(source.address);
                prop_assert!(listed.is_none_or(|it| it == source.peer), "static wins");
                prop_assert!(peer.sources.is_empty() || peer.comes_from(source.address));
                prop_assert!(!source.address.is_loopback());
                let of_another = before.get(&source.address).is_some_and(|it| *it != source.peer);
                prop_assert!(!of_another, "nobody takes over what is somebody's");
            }
            for account in named.account() {
                prop_assert!(account.addresses.len() <= 4);
                prop_assert!(account.held_back.len() <= MOST_HELD);
            }
            for (position, _) in named.names().enumerate() {
                let due = named.due(position).unwrap();
                prop_assert!(due <= after(now, Duration::from_hours(1)));
            }
            before = sources.iter().map(|it| (it.address, it.peer)).collect();
        }
    }
}
