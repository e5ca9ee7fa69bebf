use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::session::TokenSeal;
use crate::transport::Flow;

const WEEK: u64 = 7 * 86_400;
const START: u64 = 3000 * WEEK;
const WEEKLY: Rotation =
    Rotation { period: Duration::from_secs(WEEK), overlap: Duration::from_secs(WEEK) };

fn files() -> (TempDir, KeyFile) {
    let directory = tempfile::tempdir().unwrap();
    let file = KeyFile::new(&directory.path().join("state"), WEEKLY);
    (directory, file)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn seal(ring: &KeyRing, now: u64) -> TokenSeal {
    TokenSeal::of(ring, now).unwrap()
}

fn flow() -> Flow {
    Flow::udp(0, "192.0.2.1:5060".parse().unwrap())
}

#[test]
fn the_first_start_makes_a_file_that_only_its_owner_reads() {
    let (_directory, file) = files();
    let made = file.turn(START).unwrap();
    assert_eq!(made.keys().len(), 1);
    assert_eq!(mode(&file.path()), 0o600);
    assert!(file.turn(START + 1).unwrap() == made, "and later ones read it");
    assert!(!file.directory.join("routing.key.new").exists());
}

#[test]
fn keys_change_while_what_they_sealed_lives_and_no_longer() {
    let (_directory, file) = files();
    let first = file.turn(START).unwrap();
    let node = seal(&first, START);
    let token = node.delivery(b"call", &flow());

    let announced = file.turn(START + WEEK - 60).unwrap();
    assert_eq!(announced.keys().len(), 2);
    node.take(&announced, START + WEEK - 60);
    assert_eq!(node.delivery(b"call", &flow()), token, "not yet");
    let next = announced.keys()[1].begins;
    node.take(&announced, next);
    let other = node.delivery(b"call", &flow());
    assert_ne!(other, token);
    for now in [next, next + WEEK] {
        node.take(&announced, now);
        for token in [&token, &other] {
            assert_eq!(node.delivered_to(b"call", token.as_bytes()), Some(flow()));
            assert!(!node.is_stale(b"call", token.as_bytes()));
        }
    }
    node.take(&announced, next + WEEK + 1);
    assert_eq!(node.delivered_to(b"call", token.as_bytes()), None);
    assert!(node.is_stale(b"call", token.as_bytes()), "it was ours once");
    assert!(!node.is_stale(b"another", token.as_bytes()), "but not for this");
    assert!(!node.is_stale(b"call", other.as_bytes()));
    assert!(!node.is_stale(b"call", token.replace('A', "B").as_bytes()) || !token.contains('A'));
}

#[test]
fn nodes_that_share_the_file_agree_and_one_key_is_made() {
    let (_directory, file) = files();
    file.turn(START).unwrap();
    let now = START + WEEK - 60;
    let rings: Vec<_> = std::thread::scope(|scope| {
        let nodes: Vec<_> = (0..8).map(|_| scope.spawn(|| file.turn(now).unwrap())).collect();
        nodes.into_iter().map(|node| node.join().unwrap()).collect()
    });
    assert!(rings.iter().all(|ring| *ring == rings[0] && ring.keys().len() == 2));
}

#[test]
fn a_file_with_one_key_of_32_bytes_is_taken_over() {
    let (_directory, file) = files();
    fs::create_dir_all(&file.directory).unwrap();
    fs::write(file.path(), [7; 32]).unwrap();
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600)).unwrap();
    let made = fs::metadata(file.path()).unwrap().mtime().try_into().unwrap();
    let ring = file.turn(made).unwrap();
    assert!(ring.keys()[0].key == RoutingKey::new([7; 32]));
    let ring = file.turn(made + WEEK).unwrap();
    assert!(ring.keys().len() == 2 && ring.keys()[0].key == RoutingKey::new([7; 32]));
    assert!(fs::read_to_string(file.path()).unwrap().starts_with(FIRST_LINE));
}

#[test]
fn what_is_damaged_or_open_to_others_is_refused_and_stays_as_it_is() {
    let (_directory, file) = files();
    file.turn(START).unwrap();
    let good = fs::read_to_string(file.path()).unwrap();
    let last = good.lines().last().unwrap();
    let line = |number: u8| format!("{number} 1 {}\n", "00".repeat(32));
    let many: String = (0..33).map(line).collect::<Vec<_>>().concat();
    for damaged in [
        String::new(),
        good[..good.len() - 1].to_owned(),
        good[..good.len() - 10].to_owned(),
        good.replace("keys 1", "keys 2"),
        good.replacen('\n', "\r\n", 1),
        format!("{good}{last}\n"),
        format!("{good}\n"),
        good.replacen("0 ", "256 ", 1),
        good.replacen("0 ", "-1 ", 1),
        good.replace(&last[last.len() - 2..], "zz"),
        format!("{FIRST_LINE}\n"),
        format!("{FIRST_LINE}\n{many}"),
    ] {
        fs::write(file.path(), &damaged).unwrap();
        let refused = file.turn(START + 10 * WEEK);
        assert!(matches!(refused, Err(KeyFileError::Damaged(_))), "{damaged:?}");
        assert_eq!(fs::read_to_string(file.path()).unwrap(), damaged);
    }
    fs::write(file.path(), &good).unwrap();
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(file.turn(START), Err(KeyFileError::Exposed(_))));
}

#[test]
fn half_a_file_of_a_crash_is_no_ones_and_written_over() {
    let (_directory, file) = files();
    let made = file.turn(START).unwrap();
    let draft = file.directory.join("routing.key.new");
    fs::write(&draft, "half").unwrap();
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(file.turn(START).unwrap() == made);
    assert_eq!(file.turn(START + WEEK).unwrap().keys().len(), 2);
    assert_eq!(mode(&file.path()), 0o600);
}
