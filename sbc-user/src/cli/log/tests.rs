use std::io::Write;
use std::sync::Arc;

use super::*;

/// What a stranger may write.
const NASTY: &str = "a\r\n<3>fake ERROR line\u{1b}[2J\u{9b}31m\0\u{2028}\"}";

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is written while that is done.
fn written(shape: Shape, work: impl FnOnce()) -> String {
    let written = Written::default();
    let writer = written.clone();
    let lines = lines(shape, move || writer.clone());
    let subscriber = tracing_subscriber::registry().with(lines).with(EnoughOfThat::default());
    tracing::subscriber::with_default(subscriber, work);
    let bytes = written.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn nasty() {
    tracing::warn!(target_ = %NASTY, told = ?NASTY, count = 3, "{NASTY}");
    tracing::info!("ready");
}

#[test]
fn text_is_one_line_for_each_event_whatever_is_in_it() {
    for is_terminal in [false, true] {
        let text = written(Shape::Text { is_terminal }, nasty);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(!text.contains("\u{1b}[2J") && !text.contains(['\r', '\0', '\u{9b}']), "{text}");
        assert_eq!(text.contains('\u{1b}'), is_terminal, "{text}");
        assert!(text.contains("count"), "{text}");
    }
}

#[test]
fn the_journal_reads_a_priority_before_each_line() {
    let text = written(Shape::Prioritised, nasty);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("<4> WARN ") && lines[1].starts_with("<6> INFO "), "{text}");
}

#[test]
fn json_is_an_object_in_each_line_with_the_same_fields() {
    let text = written(Shape::Json, || {
        nasty();
        tracing::info!(target = %"10.0.0.5:5060", level = "of the load", "names that are taken");
    });
    let objects: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 3, "{text}");
    for object in &objects {
        let names: Vec<_> = object.as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, ["fields", "level", "target", "timestamp"], "{text}");
    }
    assert_eq!(objects[0]["level"], "WARN");
    assert_eq!(objects[0]["fields"]["count"], 3);
    assert!(objects[0]["fields"]["message"].as_str().unwrap().contains("fake ERROR line"));
    assert_eq!(objects[2]["fields"]["target"], "10.0.0.5:5060");
    assert_eq!(objects[2]["target"], "sbc_user::cli::log::tests");
}

#[test]
fn a_flood_of_one_kind_is_cut_off_and_other_kinds_are_not() {
    let before = LEFT_OUT.load(Ordering::Relaxed);
    let text = written(Shape::Text { is_terminal: false }, || {
        for number in 0..10_000 {
            tracing::warn!(number, "too much");
        }
        tracing::error!("something else");
    });
    let told = text.lines().count();
    // While this ran some more may have been allowed.
    assert!((501..1500).contains(&told), "{told}");
    assert!(text.ends_with("something else\n"));
    assert!(LEFT_OUT.load(Ordering::Relaxed) - before >= 8500);
}

#[test]
fn an_allowance_comes_back_with_time_up_to_its_burst() {
    let begin = Instant::now();
    let mut allowance = Allowance { left: 1, since: begin };
    let mut taken = |seconds: u64| {
        let now = begin + Duration::from_secs(seconds);
        (0..1000).filter(|_| allowance.takes_one(now)).count()
    };
    assert_eq!([taken(0), taken(0), taken(2), taken(1_000_000)], [1, 0, 20, 500]);
}
