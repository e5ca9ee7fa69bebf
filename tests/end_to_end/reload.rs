//! SIGHUP.

use anyhow::Result;
use sbc_tests::{Gateway, wait_until};

use crate::expectation::SOON;

const HANG_UP: i32 = 1;

/// Has the daemon read its files anew, and waits until it says so in these words.
pub(crate) fn reload(gateway: &mut Gateway, expected: &str) -> Result<()> {
    let daemon = gateway.daemon()?;
    let before = daemon.output()?.matches(expected).count();
    daemon.signal(HANG_UP)?;
    wait_until(&format!("{expected:?} in the log"), SOON, || {
        Ok(daemon.output()?.matches(expected).count() > before)
    })
}
