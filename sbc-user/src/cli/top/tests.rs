use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::*;
use crate::border::Status;

/// What is seen on a terminal of that size.
fn seen(model: &Model, width: u16, height: u16) -> Vec<String> {
    let buffer = drawn(model, Palette::Colours, width, height);
    let lines = (0..height).map(|y| {
        let line: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
        line.trim_end().to_owned()
    });
    lines.collect()
}

fn drawn(model: &Model, palette: Palette, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(model, palette, frame.area(), frame.buffer_mut())).unwrap();
    terminal.backend().buffer().clone()
}

fn at(second: u64) -> Duration {
    Duration::from_secs(second)
}

/// Strangers send a hundred packets a second, and the carrier ten requests.
fn busy() -> Model {
    let mut model = Model::default();
    for second in 0..3 {
        model.observe(at(second), Ok(scene::serving(100 * second, 10 * second)));
    }
    model
}

fn press(model: &mut Model, keys: &str) {
    for key in keys.chars() {
        assert_eq!(model.press(Key::Char(key)), Effect::Draw, "{key}");
    }
}

#[test]
fn a_usual_terminal_shows_everything_at_once() {
    let lines = seen(&busy(), 80, 24);
    let expected = [
        "sbc top  enforce  on eth0  up 3m  load calm",
        "heartbeat 0 s ago  pass 0/s  drop 100/s  trusted 2",
        "     reason                            total    per s  lately",
        "drop unknown-source                      200      100                         ██",
        "drop bad-udp-header                        7        0",
        "pass trusted-source                       40        0",
        "sip  challenged                            3        0",
        "peer                 lanes    places  left  req/s ref/s  calls from    calls to",
        "peer carrier         static        1 lasts     10     0       9 (4)       0 (0)",
        "users                digest        1   90s      0     0       0 (0)       0 (0)",
        "source                   lane     opens     left  req/s  holder",
        "192.0.2.7:5060           digest   udp        90s      0  user al\u{fffd}[31mice",
        "198.51.100.0/24          static   udp      lasts     10  peer carrier",
        "target                             address                    over state",
        "sip:10.0.0.5:5060                  10.0.0.5:5060              udp  alive",
    ];
    for (line, expected) in lines.iter().zip(expected) {
        assert_eq!(line, expected, "{lines:#?}");
    }
    assert_eq!(lines[23], "q quit  s sort: rate  / filter  Enter explain  p pause  ? help");
}

#[test]
fn keys_sort_filter_and_choose() {
    let mut model = busy();
    press(&mut model, "ss");
    assert!(seen(&model, 80, 24)[3].contains("bad-udp-header"));
    press(&mut model, "/KNOWN-s");
    let lines = seen(&model, 80, 24);
    assert_eq!(lines[23], "/KNOWN-s_");
    assert!(lines[3].contains("unknown-source") && lines[4].is_empty(), "{lines:#?}");
    let _ = model.press(Key::Enter);
    assert_eq!(model.press(Key::Char('q')), Effect::Quit);
    let _ = model.press(Key::Escape);
    assert!(seen(&model, 80, 24)[4].contains("challenged"));

    press(&mut model, "?");
    assert!(seen(&model, 80, 24)[2].starts_with("keys"));
    let _ = model.press(Key::Escape);
    assert!(model.page.is_none());
}

#[test]
fn what_is_chosen_is_explained() {
    let mut model = busy();
    assert_eq!(model.press(Key::Enter), Effect::Draw);
    let lines = seen(&model, 100, 24);
    assert_eq!(lines[2], "unknown-source");
    assert_eq!(lines[3], sbc_common::Reason::UnknownSource.description());
    assert!(lines[4].starts_with("If it is a carrier, add a `[[peer]]`"), "{lines:#?}");
    let _ = model.press(Key::Escape);

    // Down through the reasons, over the peers, to the first source.
    for _ in 0..6 {
        let _ = model.press(Key::Down);
    }
    let asked = "192.0.2.7".parse().unwrap();
    assert_eq!(model.press(Key::Enter), Effect::Explain(asked));
    model.explained("192.0.2.8".parse().unwrap(), "of somebody else");
    model.explained(asked, "entry 192.0.2.7:5060\n");
    let text = seen(&model, 100, 24).join("\n");
    assert!(text.contains("entry 192.0.2.7:5060") && !text.contains("somebody"), "{text}");
    let _ = model.press(Key::Enter);
    let _ = model.press(Key::Down);
    let _ = model.press(Key::Down);
    let _ = model.press(Key::Enter);
    assert!(seen(&model, 100, 24).contains(&"found at 10.0.0.5:5060 over udp".to_owned()));
}

#[test]
fn the_cursor_goes_through_all_lists_and_back() {
    let mut model = busy();
    let mut places = Vec::new();
    for _ in 0..12 {
        places.push((model.pane, model.cursor));
        let _ = model.press(Key::Down);
    }
    let last = places.pop().unwrap();
    assert_eq!(places.last(), Some(&last), "the end");
    while model.cursor > 0 || model.pane != rows::Pane::Reasons {
        let _ = model.press(Key::Up);
    }
    let _ = model.press(Key::Up);
    assert_eq!((model.pane, model.cursor), (rows::Pane::Reasons, 0));
    let _ = model.press(Key::Tab);
    assert_eq!((model.pane, model.cursor), (rows::Pane::Peers, 0));
}

#[test]
fn a_pause_holds_everything_still() {
    let mut model = busy();
    press(&mut model, "p");
    model.observe(at(3), Ok(scene::serving(1_000_000, 0)));
    assert!(seen(&model, 80, 24)[0].ends_with("PAUSED"));
    assert!(seen(&model, 80, 24)[3].contains(" 200 "));
    press(&mut model, "p");
    model.observe(at(4), Ok(scene::serving(400, 0)));
    assert!(seen(&model, 80, 24)[3].contains(" 400 "));
}

#[test]
fn a_daemon_that_is_gone_and_comes_back_is_told() {
    let mut model = busy();
    model.observe(at(3), Ok(scene::dropping(300)));
    let lines = seen(&model, 80, 24);
    assert!(lines[0].contains("NO DAEMON ANSWERS"), "{lines:#?}");
    assert!(lines[3].contains("unknown-source"), "the filter goes on");
    model.observe(at(4), Err("there is no filter".to_owned()));
    assert_eq!(seen(&model, 80, 24)[0], "sbc top  there is no filter");
    assert_eq!(model.press(Key::Enter), Effect::Draw);
    model.observe(at(5), Ok(scene::serving(10, 0)));
    assert!(seen(&model, 80, 24)[0].contains("load calm"));
}

#[test]
fn names_of_strangers_give_the_terminal_no_orders() {
    for (width, height) in [(80, 24), (200, 50)] {
        let buffer = drawn(&busy(), Palette::Colours, width, height);
        let all: String = buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect();
        assert!(!all.contains('\u{1b}'));
    }
    let text = frame_of(&busy(), 120);
    assert!(text.contains("user al\u{fffd}[31mice"), "{text}");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn colours_are_of_the_terminals_palette_or_none() {
    let colours = |palette| -> Vec<Color> {
        let buffer = drawn(&busy(), palette, 80, 24);
        buffer.content().iter().flat_map(|cell| [cell.fg, cell.bg]).collect()
    };
    let is_of_sixteen = |colour: &Color| !matches!(colour, Color::Rgb(..) | Color::Indexed(_));
    assert!(colours(Palette::Colours).iter().all(is_of_sixteen));
    assert!(colours(Palette::Colours).contains(&Color::Red));
    assert!(colours(Palette::Plain).iter().all(|colour| *colour == Color::Reset));
}

#[test]
fn one_frame_has_every_row_and_no_keys() {
    let text = frame_of(&busy(), 100);
    for row in ["unknown-source", "peer carrier", "198.51.100.0/24", "sip:10.0.0.5:5060"] {
        assert!(text.contains(row), "{text}");
    }
    assert!(!text.contains("q quit") && !text.contains("denied-source"), "{text}");
}

fn some_status() -> impl Strategy<Value = Result<Status, String>> {
    prop_oneof![
        (any::<u64>(), any::<u64>()).prop_map(|(drops, asks)| Ok(scene::serving(drops, asks))),
        any::<u64>().prop_map(|packets| Ok(scene::dropping(packets))),
        any::<String>().prop_map(Err),
    ]
}

fn some_key() -> impl Strategy<Value = Key> {
    prop_oneof![
        any::<char>().prop_map(Key::Char),
        prop::sample::select("s/p?q".chars().collect::<Vec<_>>()).prop_map(Key::Char),
        prop::sample::select(vec![
            Key::Up,
            Key::Down,
            Key::PageUp,
            Key::PageDown,
            Key::Tab,
            Key::Enter,
            Key::Escape,
            Key::Backspace
        ]),
    ]
}

proptest! {
    #[test]
    fn any_keys_and_news_can_be_drawn_at_any_size(
        turns in prop::collection::vec((some_key(), prop::option::of(some_status())), 0..20),
        (width, height) in (1_u16..250, 1_u16..80),
    ) {
        let mut model = Model::default();
        for (number, (key, heard)) in turns.into_iter().enumerate() {
            let _ = model.press(key);
            if let Some(heard) = heard {
                model.observe(at(number as u64), heard);
            }
            seen(&model, width, height);
        }
    }
}
