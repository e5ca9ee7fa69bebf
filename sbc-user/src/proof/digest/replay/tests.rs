use proptest::prelude::*;

use super::*;
use crate::proof::digest::{Incarnation, NonceBinding, NonceKey, NonceMint, NonceState, Realm};

const START: UnixMillis = UnixMillis(1_700_000_000_000);
const LIFETIME: Duration = Duration::from_mins(1);

struct Scene {
    window: ReplayWindow,
    mint: NonceMint,
}

impl Scene {
    fn new(capacity: usize) -> Self {
        let capacity = NonZeroUsize::new(capacity).unwrap();
        let realm = Realm::new("example.com").unwrap();
        Self {
            window: ReplayWindow::new(capacity, LIFETIME, START),
            mint: NonceMint::new(
                &NonceKey::new(0, [1; 32]).into(),
                Incarnation::new(1),
                NonceBinding::Address,
                LIFETIME,
                realm,
            ),
        }
    }

    /// A nonce issued `offset` milliseconds after the start.
    fn nonce(&self, offset: u64) -> FreshNonce {
        let (issued, source) = (UnixMillis(START.0 + offset), "192.0.2.1:5060".parse().unwrap());
        let nonce = self.mint.issue(issued, 0, source);
        let state = self.mint.check(nonce.as_bytes(), source, issued).state;
        let NonceState::Fresh(nonce) = state else { panic!("{state:?}") };
        nonce
    }

    fn admit(&mut self, nonce: FreshNonce, count: u32, fingerprint: u64, at: u64) -> ReplayVerdict {
        let count = NonZeroU32::new(count).unwrap();
        self.window.admit(nonce, count, fingerprint, UnixMillis(START.0 + at))
    }
}

#[test]
fn a_nonce_count_is_accepted_once_and_its_retransmission_again() {
    use ReplayVerdict::{New, Replayed, Retransmission};
    let mut scene = Scene::new(4);
    let nonce = scene.nonce(0);
    for (count, fingerprint, expected) in [
        (1, 100, New),
        (1, 100, Retransmission),
        (1, 999, Replayed),
        (2, 200, New),
        (5, 500, New),
        (1, 100, Retransmission),
        (4, 400, New),
        (3, 300, New),
        (4, 400, Retransmission),
        (4, 401, Replayed),
        (68, 6800, New),
        (5, 500, Retransmission),
        (4, 400, Replayed),
        (6, 600, New),
        (u32::MAX, 1, New),
        (u32::MAX, 1, Retransmission),
        (68, 6800, Replayed),
        (u32::MAX - 63, 2, New),
        (u32::MAX - 64, 3, Replayed),
    ] {
        let verdict = scene.admit(nonce, count, fingerprint, 0);
        assert_eq!(verdict, expected, "nc={count} fingerprint={fingerprint}");
    }
}

#[test]
fn only_the_last_eight_requests_are_recognized_as_retransmissions() {
    let mut scene = Scene::new(4);
    let nonce = scene.nonce(0);
    for count in 1..=9 {
        assert_eq!(scene.admit(nonce, count, u64::from(count), 0), ReplayVerdict::New);
    }
    assert_eq!(scene.admit(nonce, 1, 1, 0), ReplayVerdict::Replayed);
    assert_eq!(scene.admit(nonce, 2, 2, 0), ReplayVerdict::Retransmission);
}

#[test]
fn a_nonce_enters_only_with_its_first_count() {
    let mut scene = Scene::new(4);
    let nonce = scene.nonce(0);
    assert_eq!(scene.admit(nonce, 2, 1, 0), ReplayVerdict::Stale);
    assert!(scene.window.is_empty());
    assert_eq!(scene.admit(nonce, 1, 1, 0), ReplayVerdict::New);
}

#[test]
fn a_full_window_forgets_the_oldest_nonce_and_never_accepts_it_again() {
    let mut scene = Scene::new(2);
    let [first, second, third] = [0, 10, 20].map(|offset| scene.nonce(offset));
    for nonce in [first, second, third] {
        assert_eq!(scene.admit(nonce, 1, 1, 20), ReplayVerdict::New);
    }
    assert_eq!(scene.window.len(), 2);
    assert_eq!(scene.admit(first, 2, 2, 20), ReplayVerdict::Stale);
    assert_eq!(scene.admit(first, 1, 1, 20), ReplayVerdict::Stale);
    assert_eq!(scene.admit(second, 2, 2, 20), ReplayVerdict::New);
    assert_eq!(scene.admit(third, 2, 2, 20), ReplayVerdict::New);
}

#[test]
fn a_nonce_as_old_as_a_forgotten_one_is_stale_and_a_younger_one_is_not() {
    let mut scene = Scene::new(1);
    let [unused, first, second, third] = [5, 10, 15, 20].map(|offset| scene.nonce(offset));
    assert_eq!(scene.admit(first, 1, 1, 20), ReplayVerdict::New);
    assert_eq!(scene.admit(second, 1, 1, 20), ReplayVerdict::New);
    assert_eq!(scene.admit(unused, 1, 1, 20), ReplayVerdict::Stale);
    assert_eq!(scene.admit(third, 1, 1, 20), ReplayVerdict::New);
}

#[test]
fn expired_nonces_leave_and_the_window_stays_bounded() {
    let mut scene = Scene::new(100);
    for offset in 0..50 {
        let nonce = scene.nonce(offset);
        assert_eq!(scene.admit(nonce, 1, 1, offset), ReplayVerdict::New);
    }
    for offset in 0..50 {
        let at = 60_100 + offset;
        let nonce = scene.nonce(at);
        assert_eq!(scene.admit(nonce, 1, 1, at), ReplayVerdict::New);
    }
    assert_eq!(scene.window.len(), 50);
    assert!(scene.window.ring.len() <= 100);
}

#[test]
fn nonces_of_an_earlier_run_are_stale() {
    let mut scene = Scene::new(4);
    let mut earlier = scene.nonce(0);
    earlier.issued = UnixMillis(START.0 - 1);
    assert_eq!(scene.admit(earlier, 1, 1, 0), ReplayVerdict::Stale);
}

proptest! {
    /// Against the obvious model: the set of all counts ever accepted.
    #[test]
    fn never_accepts_a_count_twice_nor_another_request_as_its_retransmission(
        requests in proptest::collection::vec((1_u32..150, 0_u64..3), 1..200)
    ) {
        let mut scene = Scene::new(1);
        let nonce = scene.nonce(0);
        let mut accepted = HashMap::new();
        for (count, fingerprint) in requests {
            match scene.admit(nonce, count, fingerprint, 0) {
                ReplayVerdict::New => prop_assert_eq!(accepted.insert(count, fingerprint), None),
                ReplayVerdict::Retransmission => {
                    prop_assert_eq!(accepted.get(&count), Some(&fingerprint));
                }
                ReplayVerdict::Replayed => prop_assert!(!accepted.is_empty()),
                ReplayVerdict::Stale => prop_assert!(accepted.is_empty() && count != 1),
            }
        }
    }

    #[test]
    fn never_outgrows_its_capacity_nor_accepts_a_first_request_twice(
        requests in proptest::collection::vec((0_u64..40, 0_u64..50_000), 1..300)
    ) {
        let mut scene = Scene::new(5);
        let mut accepted = std::collections::HashSet::new();
        let mut now = 0;
        for (number, pause) in requests {
            now += pause;
            let issued = number * 10_000;
            if issued > now || now - issued >= 60_000 {
                continue;
            }
            let nonce = scene.nonce(issued);
            if scene.admit(nonce, 1, 0, now) == ReplayVerdict::New {
                prop_assert!(accepted.insert(number));
            }
            prop_assert!(scene.window.len() <= 5);
            prop_assert!(scene.window.ring.len() <= 5);
            for (id, place) in &scene.window.places {
                prop_assert_eq!(scene.window.ring[*place].nonce.id, *id);
            }
        }
    }
}
