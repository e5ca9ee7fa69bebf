use sbc_common::Reason;

use crate::fixture::Datapath;
use crate::rows;
use crate::second_reader::Reading;

#[test]
fn no_row_cut_anywhere_passes_as_sip() {
    let mut datapath = Datapath::load();
    for row in rows::all() {
        datapath.apply(&row.policy);
        // What is behind the packet is padding; a frame without it is whole.
        let end = Reading::of(&row.frame).map_or(row.frame.len(), |reading| reading.end);
        for length in 0..row.frame.len() {
            datapath.judge_all(&row.before);
            let (verdict, _) = datapath.judge(&row.frame[..length]).unwrap_or_else(|wrong| {
                panic!("{} cut after {length} bytes: {wrong}", row.name);
            });
            assert!(
                length >= end || !lets_sip_pass(verdict.reason),
                "{} cut after {length} of {end} bytes: {}",
                row.name,
                verdict.reason.name()
            );
        }
    }
}

/// Says whether the daemon would see such a frame.
fn lets_sip_pass(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::TrustedSource
            | Reason::SuspectSource
            | Reason::LaterFragment
            | Reason::EarlyFragment
            | Reason::TlsReachable
            | Reason::UnknownWithinBudget
    )
}
