//! What the kernel does by itself, with no filter in front.

use anyhow::Result;
use sbc_tests::{Family, wait_until};

use crate::association::{ANOTHER_KEY, Association, KEY, refused};
use crate::wire::{SOON, Wire, next_datagram};

#[test]
fn a_datagram_arrives_out_of_the_association_that_is_asked_for() -> Result<()> {
    let wire = Wire::new()?;
    for family in Family::ALL {
        let association = Association::of(family);
        association.establish(&wire)?;
        let receiver = wire.receiver(family)?;

        wire.send(family, b"encrypted")?;

        assert_eq!(next_datagram(&receiver)?, b"encrypted", "{family:?}");
        assert_eq!(association.received(&wire.edge)?, 1, "{family:?}");
    }
    Ok(())
}

#[test]
fn a_datagram_in_clear_is_refused_where_an_association_is_asked_for() -> Result<()> {
    let wire = Wire::new()?;
    for (family, refusals) in Family::ALL.into_iter().zip(1..) {
        let association = Association::of(family);
        association.expect_under(KEY, &wire.edge)?;
        let receiver = wire.receiver(family)?;

        wire.send(family, b"in clear")?;
        wait_until("the refusal of what is in clear", SOON, || {
            Ok(refused(&wire.edge, "XfrmInTmplMismatch")? == refusals)
        })?;
        association.send_under(KEY, &wire)?;
        wire.send(family, b"encrypted")?;

        assert_eq!(next_datagram(&receiver)?, b"encrypted", "{family:?}");
    }
    Ok(())
}

#[test]
fn what_was_encrypted_under_another_key_is_refused() -> Result<()> {
    let wire = Wire::new()?;
    for (family, refusals) in Family::ALL.into_iter().zip(1..) {
        let association = Association::of(family);
        association.send_under(ANOTHER_KEY, &wire)?;
        association.expect_under(KEY, &wire.edge)?;
        let receiver = wire.receiver(family)?;

        wire.send(family, b"forged")?;
        wait_until("the refusal of what is forged", SOON, || {
            Ok(refused(&wire.edge, "XfrmInStateProtoError")? == refusals)
        })?;

        receiver.set_nonblocking(true)?;
        assert!(next_datagram(&receiver).is_err(), "{family:?}");
        assert_eq!(association.received(&wire.edge)?, 0, "{family:?}");
    }
    Ok(())
}
