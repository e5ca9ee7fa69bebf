use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::UnixMillis;
use crate::dues::{Allowance, Limit, Table, ticks};

/// A password is mistyped so often at least.
const FEWEST: u32 = 3;

/// Remembers failed proofs, to slow down who guesses.
///
/// A source (an IPv4 address, an IPv6 /64) that has failed too often is refused. A user's name for which too
/// many have failed is refused to the sources that have failed, each with whatever name, and to no other.
/// A name that has failed at one source as often as a quarter of what that may is refused there: so one phone
/// with an old password does not use up what its office has.
///
/// None of this holds for a user at the address and port that he has proved himself from. At other ports of
/// that source what others do does not hold him up, and only guesses at his own name do: phones come back from
/// other ports.
///
/// Nothing is locked and nothing is allocated. **When full**, what is owed least is forgotten: whoever makes
/// it overflow has as many sources as entries are forgotten, and nobody is refused for it.
pub struct Failures {
    per_source: Limit,
    per_user: Limit,
    per_name: Limit,
    proven_for: u32,
    sources: Arc<Table>,
    users: Arc<Table>,
    /// Of one user at one source.
    names: Arc<Table>,
    proven: Arc<Table>,
    /// Seeded at random, so that nobody can choose whose word he shares.
    hasher: RandomState,
    started: UnixMillis,
}

/// A proof that is about to be judged.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    source: u64,
    user: u64,
    /// Of the user at the source.
    name: u64,
    place: u64,
    now: u32,
}

impl Failures {
    /// Remembers none yet. A proof speaks for its place for `proven_for`.
    #[must_use]
    pub fn new(
        per_source: Allowance,
        per_user: Allowance,
        proven_for: Duration,
        started: UnixMillis,
    ) -> Self {
        Self {
            per_source: Limit::of(per_source),
            per_user: Limit::of(per_user),
            per_name: Limit::of(Allowance {
                failures: per_source.failures.div_ceil(4).max(FEWEST).min(per_source.failures),
                ..per_source
            }),
            proven_for: ticks(proven_for),
            sources: Arc::new(Table::new()),
            users: Arc::new(Table::new()),
            names: Arc::new(Table::new()),
            proven: Arc::new(Table::new()),
            hasher: RandomState::new(),
            started,
        }
    }

    /// The same, which remembers what `earlier` does.
    #[must_use]
    pub fn continuing(self, earlier: &Self) -> Self {
        Self {
            sources: Arc::clone(&earlier.sources),
            users: Arc::clone(&earlier.users),
            names: Arc::clone(&earlier.names),
            proven: Arc::clone(&earlier.proven),
            hasher: earlier.hasher.clone(),
            started: earlier.started,
            ..self
        }
    }

    /// An attempt from a source to prove that it is the user of this realm with this name, or with what the
    /// client writes instead of it.
    pub(super) fn attempt(
        &self,
        source: SocketAddr,
        realm: &[u8],
        user: &[u8],
        now: UnixMillis,
    ) -> Attempt {
        let address = match source.ip().to_canonical() {
            IpAddr::V4(address) => u128::from(u32::from(address)),
            IpAddr::V6(address) => u128::from(address) & !u128::from(u64::MAX),
        };
        let place = (source.ip().to_canonical(), source.port(), realm, user);
        Attempt {
            source: self.hasher.hash_one(address),
            user: self.hasher.hash_one((realm, user)),
            name: self.hasher.hash_one((address, realm, user)),
            place: self.hasher.hash_one(place),
            now: ticks(now.saturating_since(self.started)),
        }
    }

    /// Says whether it is refused, whatever it brings.
    pub(super) fn refuses(&self, attempt: Attempt) -> bool {
        let Attempt { source, user, name, place, now } = attempt;
        if self.is_proven(place, now) {
            return false;
        }
        if self.per_name.is_spent(self.per_name.owed(self.names.read(name), now)) {
            return true;
        }
        if self.is_proven(name, now) {
            return false;
        }
        let owed = self.per_source.owed(self.sources.read(source), now);
        self.per_source.is_spent(owed)
            || owed > 0 && self.per_user.is_spent(self.per_user.owed(self.users.read(user), now))
    }

    /// The attempt has failed.
    pub(super) fn failed(&self, attempt: Attempt) {
        let Attempt { source, user, name, place, now } = attempt;
        if self.is_proven(place, now) {
            return;
        }
        self.names.update(name, now, |until| self.per_name.after_failure(until, now));
        self.sources.update(source, now, |until| self.per_source.after_failure(until, now));
        self.users.update(user, now, |until| self.per_user.after_failure(until, now));
    }

    /// The attempt has succeeded.
    pub(super) fn succeeded(&self, attempt: Attempt) {
        let until = attempt.now.saturating_add(self.proven_for);
        for hash in [attempt.place, attempt.name] {
            self.proven.update(hash, attempt.now, |_| until);
        }
    }

    /// Says whether somebody has proved himself there: of an attempt, its place or its name.
    fn is_proven(&self, hash: u64, now: u32) -> bool {
        let left = self.proven.read(hash).saturating_sub(now);
        // Longer than it can be: the clock has gone back.
        left > 0 && left <= self.proven_for
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UnixMillis = UnixMillis(1_700_000_000_000);
    const REALM: &[u8] = b"example.com";

    fn failures() -> Failures {
        let allow = |failures| Allowance { failures, within: Duration::from_mins(1) };
        Failures::new(allow(8), allow(12), Duration::from_mins(2), START)
    }

    fn try_from(failures: &Failures, source: &str, user: &str, second: u64) -> Attempt {
        let now = START.saturating_add(Duration::from_secs(second));
        failures.attempt(source.parse().unwrap(), REALM, user.as_bytes(), now)
    }

    /// How many failures it takes until the next attempt is refused.
    fn failures_until_refused(failures: &Failures, source: &str, user: &str, second: u64) -> usize {
        (0..100)
            .find(|_| {
                let attempt = try_from(failures, source, user, second);
                let is_refused = failures.refuses(attempt);
                if !is_refused {
                    failures.failed(attempt);
                }
                is_refused
            })
            .unwrap()
    }

    /// As many failures as a source has, with names that nobody has twice.
    fn spend(failures: &Failures, source: &str, second: u64) -> usize {
        (0..100)
            .find(|number| {
                let attempt = try_from(failures, source, &format!("{source}{number}"), second);
                let is_refused = failures.refuses(attempt);
                if !is_refused {
                    failures.failed(attempt);
                }
                is_refused
            })
            .unwrap()
    }

    #[test]
    fn a_source_fails_as_often_as_it_is_allowed_whomever_it_says_to_be() {
        let failures = failures();
        assert_eq!(spend(&failures, "192.0.2.1:1", 0), 8);
        assert!(failures.refuses(try_from(&failures, "192.0.2.1:2", "d", 0)), "from any port");
        assert!(!failures.refuses(try_from(&failures, "192.0.2.2:1", "d", 0)), "only there");
        assert!(failures.refuses(try_from(&failures, "192.0.2.1:1", "d", 7)));
        assert_eq!(spend(&failures, "192.0.2.1:1", 8), 1);
        assert_eq!(spend(&failures, "192.0.2.1:1", 1000), 8);
    }

    #[test]
    fn an_ipv6_subnet_is_one_source_and_a_mapped_address_is_ipv4() {
        let failures = failures();
        assert_eq!(spend(&failures, "[2001:db8::1]:1", 0), 8);
        assert!(failures.refuses(try_from(&failures, "[2001:db8::2:3:4:5]:1", "b", 0)));
        assert!(!failures.refuses(try_from(&failures, "[2001:db8:0:1::1]:1", "b", 0)));
        assert_eq!(spend(&failures, "192.0.2.1:1", 0), 8);
        assert!(failures.refuses(try_from(&failures, "[::ffff:192.0.2.1]:1", "b", 0)));
    }

    #[test]
    fn a_phone_with_an_old_password_uses_up_its_own_attempts_and_not_its_offices() {
        let failures = failures();
        assert_eq!(failures_until_refused(&failures, "192.0.2.1:1", "old", 0), 3);
        // It never stops: once in a while another attempt is looked at.
        let judged = (1..600).filter(|second| {
            let attempt = try_from(&failures, "192.0.2.1:1", "old", *second);
            let is_judged = !failures.refuses(attempt);
            if is_judged {
                failures.failed(attempt);
            }
            assert!(!failures.refuses(try_from(&failures, "192.0.2.1:9", "colleague", *second)));
            is_judged
        });
        assert_eq!(judged.count(), 30, "three a minute");
    }

    #[test]
    fn a_users_name_is_refused_to_sources_that_have_failed_and_to_no_other() {
        let failures = failures();
        for host in 1..=12 {
            failures.failed(try_from(&failures, &format!("192.0.2.{host}:1"), "alice", 0));
        }
        assert!(failures.refuses(try_from(&failures, "192.0.2.1:1", "alice", 0)));
        assert!(!failures.refuses(try_from(&failures, "192.0.2.1:1", "bob", 0)));
        assert!(
            !failures.refuses(try_from(&failures, "192.0.2.99:1", "alice", 0)),
            "has not failed"
        );
    }

    #[test]
    fn no_guesses_of_others_keep_a_user_from_where_he_has_proved_himself() {
        let failures = failures();
        let own = "192.0.2.1:5060";
        failures.succeeded(try_from(&failures, own, "alice", 0));
        // A neighbour behind the same NAT, and half the world.
        assert_eq!(spend(&failures, "192.0.2.1:6000", 1), 8);
        for host in 1..100 {
            failures.failed(try_from(&failures, &format!("198.51.100.{host}:1"), "alice", 1));
        }
        assert!(failures.refuses(try_from(&failures, "192.0.2.1:6000", "bob", 1)));
        assert!(
            !failures.refuses(try_from(&failures, "192.0.2.1:7000", "alice", 1)),
            "she is back"
        );
        assert_eq!(failures_until_refused(&failures, "192.0.2.1:6000", "alice", 1), 3);
        assert!(
            failures.refuses(try_from(&failures, "192.0.2.1:7000", "alice", 1)),
            "or guessed at"
        );
        assert!(!failures.refuses(try_from(&failures, own, "alice", 1)), "but not where she is");
        assert!(failures.refuses(try_from(&failures, own, "bob", 1)), "it is hers alone");
        spend(&failures, "192.0.2.1:6000", 119);
        assert!(failures.refuses(try_from(&failures, own, "alice", 121)), "for a time");
    }

    #[test]
    fn a_clock_that_jumps_refuses_nobody_for_longer() {
        let failures = failures();
        assert_eq!(spend(&failures, "192.0.2.1:1", 100_000), 8);
        failures.succeeded(try_from(&failures, "192.0.2.1:2", "b", 100_000));
        assert_eq!(spend(&failures, "192.0.2.1:1", 0), 8);
        assert!(failures.refuses(try_from(&failures, "192.0.2.1:2", "b", 0)));
        assert!(!failures.refuses(try_from(&failures, "192.0.2.1:1", "a", 200)));
        let ahead = u64::from(u32::MAX);
        assert_eq!(spend(&failures, "192.0.2.1:1", ahead / 32), 8);
        assert!(!failures.refuses(try_from(&failures, "192.0.2.1:1", "a", ahead)), "at the end");
    }

    #[test]
    fn a_full_table_refuses_nobody_and_keeps_those_who_fail_most() {
        let failures = failures();
        let guesser = "192.0.2.1:1";
        assert_eq!(spend(&failures, guesser, 0), 8);
        for number in 0..300_000_u32 {
            let source = SocketAddr::new(IpAddr::V4((0x0a00_0000 + number).into()), 1);
            let name = number.to_be_bytes();
            let attempt = failures.attempt(source, REALM, &name, START);
            assert!(!failures.refuses(attempt) || number > 0);
            failures.failed(attempt);
        }
        assert!(failures.refuses(try_from(&failures, guesser, "bob", 0)));
        let strangers = (0..1000).filter(|port| {
            let source = format!("198.51.100.1:{port}");
            failures.refuses(try_from(&failures, &source, &format!("user-{port}"), 0))
        });
        assert_eq!(strangers.count(), 0);
    }
}
