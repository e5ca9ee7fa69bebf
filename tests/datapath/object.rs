use sbc_common::maps::{self, MapKind, MapSpec};

use crate::fixture::load;

/// What a program may cost at most: the kernel gives up at a million, and how many instructions it walks
/// for the same program differs from release to release.
const MOST_VERIFIED_INSTRUCTIONS: u32 = 300_000;

/// `BPF_F_RDONLY_PROG`: the program cannot write to the map.
const READ_ONLY: u32 = 1 << 7;

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
            is_read_only: map.map_flags() & READ_ONLY != 0,
        })
        // What the functions of a program leave for one another.
        .filter(|shape: &Shape| !["READ", "STANDING"].contains(&shape.name.as_str()))
        // What the compiler keeps in memory of its own accord, such as the bytes of a constant.
        .filter(|shape: &Shape| !(shape.name.starts_with(".rodata") && shape.is_read_only))
        // Where one half of the program leaves for the other what it read: no state between frames.
        .filter(|shape| !(shape.kind == MapKind::PerCpuArray as u32 && shape.capacity == 1))
        .collect();
    let mut expected = maps::ALL.map(Shape::of);

    found.sort();
    expected.sort();
    assert_eq!(found, expected);
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
    is_read_only: bool,
}

impl Shape {
    fn of(spec: MapSpec) -> Self {
        Self {
            name: spec.name.to_owned(),
            kind: spec.kind as u32,
            key_size: spec.key_size,
            value_size: spec.value_size,
            capacity: spec.capacity,
            // Only the daemon can grant trust, whatever happens in the program.
            is_read_only: ![
                maps::COUNTERS,
                maps::SOCKET_COUNTERS,
                maps::METERS,
                maps::DATAGRAMS,
                maps::EVENTS,
            ]
            .contains(&spec),
        }
    }
}
