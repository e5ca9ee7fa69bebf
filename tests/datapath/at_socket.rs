//! The program in front of the daemon's sockets, against the same decision on the host.

use std::collections::HashSet;

use sbc_common::{
    Action, Protocol, Reason, Service, SliceFrame, Transports, carry_out, decide_at_socket,
};
use sbc_user::kernel::{KernelTables, Object};

use crate::ends::FAMILIES;
use crate::fixture::load;
use crate::frames::Frame;
use crate::host_tables::HostTables;
use crate::policy::{AMPLE_PACE, BOTH, Policy, denied, expired, on_probation, opening};
use crate::rows;

/// The kernel wants an IP header behind that of Ethernet.
const SHORTEST: usize = 14 + 40;
/// IPv6 and TCP.
const LONGEST_HEADERS: usize = 14 + 40 + 20;

#[test]
fn every_row_of_the_wire_meets_the_same_at_the_socket_in_the_kernel_and_on_the_host() {
    let (mut object, mut kernel) = load();
    let mut failures = Vec::new();
    let mut met = HashSet::new();
    for row in rows() {
        for policy in [row.policy.clone(), row.policy.clone().observing()] {
            apply(&policy, &mut kernel);
            match judge(&policy, &row.frame, &mut object, &kernel) {
                Ok((reason, _)) => drop(met.insert(reason)),
                Err(wrong) => failures.push(format!("{}: {wrong}", row.name)),
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(met.len() > 8, "{met:?}");
}

#[test]
fn cut_anywhere_and_with_any_byte_of_its_headers_changed_it_meets_the_same() {
    let (mut object, mut kernel) = load();
    let mut failures = Vec::new();
    for row in rows() {
        apply(&row.policy, &mut kernel);
        let cuts = (SHORTEST..row.frame.len()).map(|length| row.frame[..length].to_vec());
        let headers = 14..row.frame.len().min(LONGEST_HEADERS);
        let changes = headers.flat_map(|position| {
            [0, 0x7f, 0xff].map(|value| {
                let mut frame = row.frame.clone();
                frame[position] = value;
                frame
            })
        });
        for frame in cuts.chain(changes) {
            if let Err(wrong) = judge(&row.policy, &frame, &mut object, &kernel) {
                failures.push(format!("{}, as {frame:02x?}: {wrong}", row.name));
            }
        }
    }
    let some = &failures[..failures.len().min(5)];
    assert!(failures.is_empty(), "{} wrong, such as\n{}", failures.len(), some.join("\n"));
}

#[test]
fn who_comes_another_way_meets_the_same_tables() {
    let (mut object, mut kernel) = load();
    for ends in &FAMILIES {
        let edge = Policy::edge().serving(ends.upstream_side, 5060, Protocol::Udp, Service::Inside);
        let trusting = edge.clone().knowing(ends.peer, opening(BOTH));
        let denying = edge.clone().knowing(ends.around_peer, denied());
        let forgetting = edge.clone().knowing(ends.peer, expired(BOTH));
        let returning = edge.clone().knowing(ends.peer, on_probation(BOTH, AMPLE_PACE));
        let ipsec = |entry: sbc_common::TrustEntry| {
            let edge = edge.clone().challenging();
            edge.knowing(ends.around_peer, entry.only_in_ipsec(true))
        };
        let (lacking, proven) = (ipsec(opening(Transports::IPSEC)), ipsec(opening(BOTH)));
        let over = ipsec(expired(BOTH));
        let returning_outside =
            lacking.clone().knowing(ends.peer, on_probation(BOTH, AMPLE_PACE).only_in_ipsec(true));
        let spent = edge.clone().challenging_nobody_any_more();
        let udp = |source| Frame::udp(source, ends.edge);
        let tcp = |source| Frame::tcp(source, ends.edge);
        let inside = Frame::udp(ends.stranger, ends.upstream_side);
        let request = udp(ends.stranger).with(b"OPTIONS sip:a@b SIP/2.0\r\n\r\n");
        for (policy, frame, reason) in [
            (&edge, udp(ends.stranger), Reason::UnknownSource),
            (&edge, tcp(ends.stranger), Reason::UnknownSource),
            (&forgetting, udp(ends.peer), Reason::ExpiredSource),
            (&trusting, udp(ends.peer), Reason::TrustedSource),
            (&trusting, tcp(ends.peer), Reason::TrustedSource),
            (&trusting, udp(ends.stranger), Reason::UnknownSource),
            (&returning, udp(ends.peer), Reason::OnProbation),
            (&returning, udp(ends.stranger), Reason::UnknownSource),
            // What has come out of an association is told by the network stack.
            (&proven, udp(ends.peer), Reason::TrustedSource),
            (&lacking, udp(ends.peer), Reason::ClearOutsideIpsec),
            (&lacking, tcp(ends.peer), Reason::ClearOutsideIpsec),
            (&over, udp(ends.peer), Reason::ClearOutsideIpsec),
            (&returning_outside, udp(ends.peer), Reason::ClearOutsideIpsec),
            (&denying, udp(ends.peer), Reason::DeniedSource),
            (&denying, tcp(ends.peer).with(&[]).sent_to(5061), Reason::DeniedSource),
            (&edge, tcp(ends.stranger).with(&[]).sent_to(5061), Reason::TlsReachable),
            (&edge, udp(ends.stranger).sent_to(5062), Reason::NotProtected),
            (&edge, inside, Reason::NotProtected),
            (&edge.clone().challenging(), request.clone(), Reason::UnknownWithinBudget),
            (&spent, request, Reason::UnknownBudgetSpent),
        ] {
            apply(policy, &mut kernel);
            let judged = judge(policy, &frame.build(), &mut object, &kernel);
            assert_eq!(judged, Ok((reason, reason.action())), "{} {reason:?}", ends.family);
        }
    }
    assert!(
        kernel.readings().counters().unwrap().is_empty(),
        "counted as if it came from the wire"
    );
}

/// Those that the kernel takes for a packet.
fn rows() -> impl Iterator<Item = rows::Row> {
    let is_ip = |row: &rows::Row| matches!(row.frame.get(12..14), Some([8, 0] | [0x86, 0xdd]));
    rows::all().into_iter().filter(move |row| is_ip(row) && row.frame.len() >= SHORTEST)
}

fn apply(policy: &Policy, kernel: &mut KernelTables) {
    for (key, _) in kernel.sources() {
        kernel.distrust_source(&key).unwrap();
    }
    for (prefix, _) in kernel.prefixes() {
        kernel.distrust_prefix(prefix).unwrap();
    }
    kernel.apply_settings(&policy.settings).unwrap();
    kernel.apply_services(&policy.services).unwrap();
    for (key, entry) in &policy.sources {
        kernel.trust_source(key, entry).unwrap();
    }
    for (prefix, entry) in &policy.prefixes {
        kernel.trust_prefix(*prefix, entry).unwrap();
    }
}

fn judge(
    policy: &Policy,
    frame: &[u8],
    object: &mut Object,
    kernel: &KernelTables,
) -> Result<(Reason, Action), String> {
    let mut host = HostTables::of(policy);
    let verdict = decide_at_socket(&mut SliceFrame::new(&frame[14..]), &mut host);
    let expected = carry_out(verdict, &host);
    let before = kernel.readings().socket_counter(verdict).unwrap();
    let action = object.judge_at_socket(frame).map_err(|error| error.to_string())?;
    let after = kernel.readings().socket_counter(verdict).unwrap();
    let counted = (after.packets - before.packets, after.bytes - before.bytes);
    if counted != (1, frame.len() as u64 - 14) || action != expected {
        return Err(format!("{verdict:?} on the host, counted {counted:?}, {action:?}"));
    }
    Ok((verdict.reason, action))
}
