//! What becomes of drops when the daemon is silent.

use sbc_common::{Action, Reason};
use sbc_user::border::Clock;

use crate::ends::IPV4;
use crate::fixture::Datapath;
use crate::frames::Frame;
use crate::policy::Policy;

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3600 * SECOND;

#[test]
fn drops_pass_when_the_daemon_is_silent_for_longer_than_the_operator_chose() {
    let mut datapath = Datapath::load();
    let now = Clock::start().monotonic().0;
    let stranger = Frame::udp(IPV4.stranger, IPV4.edge).build();
    let bad = Frame::udp(IPV4.stranger, IPV4.edge).build()[..20].to_vec();
    let passing = Frame::udp(IPV4.stranger, IPV4.behind).build();
    for (heartbeat, longest, action) in [
        (now, HOUR, Action::Drop),
        (1, SECOND, Action::Pass),
        (now.saturating_sub(2 * SECOND), SECOND, Action::Pass),
        // Never is what the operator chose.
        (1, 0, Action::Drop),
        (0, 0, Action::Drop),
        // A time ahead of the clock is no silence.
        (u64::MAX, SECOND, Action::Drop),
        (now, u64::MAX, Action::Drop),
        // A daemon that never spoke has been silent since boot.
        (0, 1, Action::Pass),
    ] {
        let mut policy = Policy::edge();
        policy.heartbeat = heartbeat;
        policy.silence_ends_enforcement = longest;
        datapath.apply(&policy);
        let mut judge = |frame| {
            let (verdict, action) = datapath.judge(frame).unwrap();
            (verdict.reason, action)
        };
        let name = format!("a heartbeat at {heartbeat}, at most {longest}");
        assert_eq!(judge(&stranger), (Reason::UnknownSource, action), "{name}");
        assert_eq!(judge(&bad), (Reason::BadIpHeader, action), "{name}");
        assert_eq!(judge(&passing), (Reason::NotProtected, Action::Pass), "{name}");
    }
    datapath.counts_nothing_else();
}
