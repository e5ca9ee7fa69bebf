//! `sbc top`: what is going on, looked at again and again.

mod columns;
mod meaning;
mod model;
mod pace;
mod picture;
mod printable;
mod rows;
mod watch;

use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ratatui::DefaultTerminal;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal;
use ratatui::layout::Rect;

use self::model::{Effect, Key, Model};
use self::picture::{Palette, draw, whole_height};
use self::watch::{News, Watch};
use super::{ConfigFile, status};
use crate::config::Config;

pub(super) use self::meaning::told;
pub(super) use self::printable::printable;

#[derive(Debug, Args)]
pub(super) struct TopArguments {
    #[command(flatten)]
    config: ConfigFile,
    /// How long to wait between two looks.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = interval)]
    interval: Duration,
    /// Print one frame as plain text, with the rates of one interval, and end.
    #[arg(long)]
    once: bool,
}

/// What a look costs the daemon is not to be felt.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_hours(1);
/// How long a key may wait for what is heard.
const TURN: Duration = Duration::from_millis(50);
/// Of a frame that nobody scrolls.
const MOST_LINES: u16 = 2000;
/// Where there is no terminal.
const WIDTH: u16 = 100;

fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (SHORTEST..=LONGEST).contains(&interval) {
        Ok(interval)
    } else {
        Err("not from 100ms to 1h".to_owned())
    }
}

pub(super) fn top(arguments: &TopArguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.config.config)?;
    if arguments.once {
        return print_once(&config, arguments.interval);
    }
    ensure!(
        io::stdin().is_terminal() && io::stdout().is_terminal(),
        "top needs a terminal; `sbc top --once` does not, and `sbc status --json` is for programs"
    );
    // Before the terminal is changed, which a signal may then no longer leave so.
    let watch = Watch::start(config, arguments.interval)?;
    let mut terminal = ratatui::try_init().context("the terminal cannot be set up")?;
    let watched = look(&mut terminal, &watch);
    let restored = ratatui::try_restore().context("the terminal cannot be set back");
    drop(terminal);
    watched.and(restored)
}

fn look(terminal: &mut DefaultTerminal, watch: &Watch) -> anyhow::Result<()> {
    // https://no-color.org: present and not empty.
    let is_plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let palette = if is_plain { Palette::Plain } else { Palette::Colours };
    let mut model = Model::default();
    let mut is_new = true;
    loop {
        if is_new {
            terminal.draw(|frame| draw(&model, palette, frame.area(), frame.buffer_mut()))?;
            is_new = false;
        }
        // Events of a terminal that is gone are asked for without end.
        if is_hung_up() {
            return Ok(());
        }
        if event::poll(TURN)? {
            is_new = true;
            if let Some(key) = key_of(&event::read()?) {
                match model.press(key) {
                    Effect::Draw => {}
                    Effect::Quit => return Ok(()),
                    Effect::Explain(source) => watch.ask_about(source),
                }
            }
        }
        while let Ok(news) = watch.news.try_recv() {
            is_new = true;
            match news {
                News::Heard(at, heard) => model.observe(at, *heard),
                News::Explained(source, said) => model.explained(source, &said),
                News::Ended => return Ok(()),
            }
        }
    }
}

fn is_hung_up() -> bool {
    let stdin = io::stdin();
    let mut asked = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    let is_answered = poll(&mut asked, PollTimeout::ZERO).is_ok_and(|answers| answers > 0);
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    let [asked] = asked;
    is_answered && asked.revents().is_some_and(|revents| revents.intersects(gone))
}

fn key_of(event: &Event) -> Option<Key> {
    let Event::Key(KeyEvent { code, modifiers, kind, .. }) = event else { return None };
    if *kind == KeyEventKind::Release {
        return None;
    }
    if modifiers.contains(KeyModifiers::CONTROL) {
        return matches!(code, KeyCode::Char('c')).then_some(Key::Char('q'));
    }
    let keys = [
        (KeyCode::Up, Key::Up),
        (KeyCode::Down, Key::Down),
        (KeyCode::PageUp, Key::PageUp),
        (KeyCode::PageDown, Key::PageDown),
        (KeyCode::Tab, Key::Tab),
        (KeyCode::Enter, Key::Enter),
        (KeyCode::Esc, Key::Escape),
        (KeyCode::Backspace, Key::Backspace),
    ];
    if let KeyCode::Char(letter) = code {
        return Some(Key::Char(*letter));
    }
    keys.into_iter().find(|(known, _)| known == code).map(|(_, key)| key)
}

fn print_once(config: &Config, interval: Duration) -> anyhow::Result<()> {
    let mut model = Model::default();
    let began = Instant::now();
    for look in 0..2 {
        if look > 0 {
            thread::sleep(interval);
        }
        model.observe(began.elapsed(), Ok(status::of(config)?));
    }
    let width = terminal::size().map_or(WIDTH, |(columns, _)| columns.max(WIDTH));
    let frame = frame_of(&model, width);
    match write!(io::stdout().lock(), "{frame}") {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Everything, as text without the line of keys.
fn frame_of(model: &Model, width: u16) -> String {
    let height = u16::try_from(whole_height(model)).unwrap_or(MOST_LINES).min(MOST_LINES);
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    draw(model, Palette::Plain, area, &mut buffer);
    let lines = (0..height.saturating_sub(1)).map(|y| {
        let cells = (0..width).filter_map(|x| buffer.cell((x, y)));
        let line: String = cells.map(ratatui::buffer::Cell::symbol).collect();
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

#[cfg(test)]
mod scene;
#[cfg(test)]
mod tests;
