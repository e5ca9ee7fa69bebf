use sbc_common::maps::{self, MapKind, MapSpec};

use crate::fixture::load;

/// What a program may cost at most: the kernel gives up at a million, and how many instructions it walks
/// for the same program differs from release to release.
const MOST_VERIFIED_INSTRUCTIONS: u32 = 300_000;

#[test]
fn the_programs_have_exactly_the_maps_of_the_contract() {
    let (mut object, _tables) = load();
    let mut found: Vec<Shape> = object
        .maps()
        .unwrap()
        .iter()
        .map(|map| Shape {
            name: map.name_as_str().unwrap().to_owned(),
            kind: map.map_type().unwrap() as u32,
            key_size: map.key_size(),
            value_size: map.value_size(),
            capacity: map.max_entries(),
            flags: map.map_flags(),
        })
        // What the compiler keeps in memory of its own accord, such as the bytes of a constant.
        .filter(|shape: &Shape| {
            !(shape.name.starts_with(".rodata") && shape.flags & maps::READ_ONLY != 0)
        })
        .collect();
    let mut expected: Vec<_> = maps::ALL.map(Shape::of).into_iter().chain(scratch()).collect();

    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn the_programs_can_write_to_nothing_that_trust_depends_on() {
    let written: Vec<_> =
        maps::ALL.iter().filter(|spec| spec.flags & maps::READ_ONLY == 0).collect();
    let expected =
        [&maps::METERS, &maps::DATAGRAMS, &maps::COUNTERS, &maps::SOCKET_COUNTERS, &maps::EVENTS];
    assert_eq!(written, expected);
}

#[test]
fn the_verifier_has_headroom() {
    let (mut object, _tables) = load();
    let walked = object.verified_instructions().unwrap();
    let [wire, socket] = walked.map(|walked| walked.expect("the kernel tells since Linux 5.16"));

    println!("{wire} on the wire, {socket} in front of sockets");
    let walked = wire.max(socket);
    println!("the verifier walked {walked} instructions");
    assert!(walked < MOST_VERIFIED_INSTRUCTIONS, "{walked}");
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    name: String,
    kind: u32,
    key_size: u32,
    value_size: u32,
    capacity: u32,
    flags: u32,
}

impl Shape {
    fn of(spec: MapSpec) -> Self {
        Self {
            name: spec.name.to_owned(),
            kind: spec.kind as u32,
            key_size: spec.key_size,
            value_size: spec.value_size,
            capacity: spec.capacity,
            flags: spec.flags,
        }
    }
}

/// What the functions of a program leave for one another while they judge one packet: a place on every
/// CPU for each of the two programs. Nothing of it lasts, so it is no part of the contract.
fn scratch() -> [Shape; 2] {
    [("READ", 96), ("STANDING", 48)].map(|(name, value_size)| Shape {
        name: name.to_owned(),
        kind: MapKind::PerCpuArray as u32,
        key_size: 4,
        value_size,
        capacity: 2,
        flags: 0,
    })
}
