//! One frame, from the model and nothing else.

use std::fmt::Write as _;
use std::iter;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Sparkline, Widget as _, Wrap};

use super::columns::{Columns, cut, duration};
use super::model::{Model, Page};
use super::printable::printable;
use super::rows::{PANES, Pane, ReasonRow};
use crate::border::HeartbeatStatus;

/// Whether colours are shown: sixteen at most, of the terminal's own palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Palette {
    Colours,
    /// As `NO_COLOR` asks.
    Plain,
}

impl Palette {
    pub(super) fn of(self, colour: Color) -> Style {
        match self {
            Self::Colours => Style::new().fg(colour),
            Self::Plain => Style::new(),
        }
    }

    pub(super) fn loud(self) -> Style {
        self.of(Color::Red).add_modifier(Modifier::BOLD)
    }
}

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const CHOSEN: Style = Style::new().add_modifier(Modifier::REVERSED);
/// Lines above and below the lists.
const HEAD: usize = 2;
const FOOT: usize = 1;

pub(super) fn draw(model: &Model, palette: Palette, area: Rect, buffer: &mut Buffer) {
    let area = area.intersection(*buffer.area());
    let lines = heading(model, palette);
    for (line, y) in lines.iter().zip(area.y..area.bottom()) {
        buffer.set_line(area.x, y, line, area.width);
    }
    let room = usize::from(area.height).saturating_sub(HEAD + FOOT);
    let body = Rect {
        y: area.y.saturating_add(2),
        height: u16::try_from(room).unwrap_or(u16::MAX),
        ..area
    };
    if room > 0 {
        match &model.page {
            Some(page) => draw_page(page, body, buffer),
            None => draw_lists(model, palette, body, buffer),
        }
        let line = footer(model, palette);
        buffer.set_line(area.x, area.bottom().saturating_sub(1), &line, area.width);
    }
}

/// How many lines it takes to show every row.
pub(super) fn whole_height(model: &Model) -> usize {
    let wanted: usize = PANES.iter().map(|pane| wanted(model, *pane)).sum();
    HEAD + wanted + FOOT
}

fn heading(model: &Model, palette: Palette) -> [Line<'static>; HEAD] {
    let mut spans = vec![Span::styled("sbc top", BOLD), Span::raw("  ")];
    let Some(status) = &model.status else {
        let why = model.problem.as_deref().unwrap_or("nobody has answered yet");
        spans.push(Span::styled(printable(why).into_owned(), palette.loud()));
        return [Line::from(spans), Line::default()];
    };
    let kernel = &status.kernel;
    let mode = match kernel.heartbeat.has_ended_enforcement {
        true => Span::styled("EVERYTHING PASSES", palette.loud()),
        false if kernel.mode == "enforce" => Span::styled("enforce", palette.of(Color::Green)),
        false => Span::styled(printable(&kernel.mode).into_owned(), palette.of(Color::Yellow)),
    };
    spans.push(mode);
    spans.push(match &kernel.attached[..] {
        [] => Span::styled("  attached to no interface", palette.loud()),
        interfaces => Span::raw(printable(&format!("  on {}", interfaces.join(", "))).into_owned()),
    });
    match &status.daemon {
        Some(daemon) => {
            spans.push(Span::raw(format!("  up {}  load ", duration(daemon.uptime_seconds))));
            let is_calm = daemon.load.level == "calm";
            let style = if is_calm { Style::new() } else { palette.loud() };
            spans.push(Span::styled(printable(&daemon.load.level).into_owned(), style));
        }
        None => spans.push(Span::styled("  NO DAEMON ANSWERS", palette.loud())),
    }
    if model.is_paused {
        spans.push(Span::styled("  PAUSED", palette.loud()));
    }
    let mut second = sign_of_life(kernel.heartbeat);
    let sum = |action: &str| {
        let of = |row: &&ReasonRow| row.action == action;
        model.rows.reasons.iter().filter(of).map(|row| row.rate).sum::<u64>()
    };
    if model.filter.is_empty() {
        let _ = write!(second, "  pass {}/s  drop {}/s", sum("pass"), sum("drop"));
    }
    if let Some(daemon) = &status.daemon {
        let _ = write!(second, "  trusted {}", daemon.trust.len());
        if daemon.load.strangers_slowed_by > 1 {
            let _ = write!(second, "  strangers slowed by {}", daemon.load.strangers_slowed_by);
        }
    }
    [Line::from(spans), Line::raw(second)]
}

fn sign_of_life(heartbeat: HeartbeatStatus) -> String {
    heartbeat
        .age_seconds
        .map_or_else(|| "no heartbeat yet".to_owned(), |age| format!("heartbeat {age} s ago"))
}

fn footer(model: &Model, palette: Palette) -> Line<'static> {
    if model.is_typing {
        return Line::styled(format!("/{}_", printable(&model.filter)), BOLD);
    }
    let mut text = if model.page.is_some() {
        "up down scroll  Esc back  q quit".to_owned()
    } else {
        format!("q quit  s sort: {}  / filter  Enter explain  p pause  ? help", model.sort.name())
    };
    if !model.filter.is_empty() {
        let _ = write!(text, "  only: {}", printable(&model.filter));
    }
    Line::styled(text, palette.of(Color::Cyan))
}

fn draw_page(page: &Page, area: Rect, buffer: &mut Buffer) {
    let title = Line::styled(printable(&page.title).into_owned(), BOLD);
    buffer.set_line(area.x, area.y, &title, area.width);
    let below = Rect { y: area.y.saturating_add(1), height: area.height.saturating_sub(1), ..area };
    let lines: Vec<_> = page.text.lines().map(|line| Line::raw(printable(line))).collect();
    // No more than the last line can be left: the longest line is wrapped by less than this.
    let most = lines.len().saturating_sub(1);
    let scrolled = page.scrolled.min(u16::try_from(most).unwrap_or(u16::MAX));
    let text = Paragraph::new(lines).wrap(Wrap { trim: false }).scroll((scrolled, 0));
    text.render(below.intersection(*buffer.area()), buffer);
}

fn draw_lists(model: &Model, palette: Palette, area: Rect, buffer: &mut Buffer) {
    let mut y = area.y;
    let heights = shares(usize::from(area.height), PANES.map(|pane| wanted(model, pane)));
    for (pane, height) in PANES.into_iter().zip(heights) {
        let Ok(height) = u16::try_from(height) else { return };
        if height > 0 {
            let rect = Rect { y, height, ..area };
            draw_list(model, pane, palette, rect, buffer);
        }
        y = y.saturating_add(height);
    }
}

/// A title and its rows; nothing where there are none.
fn wanted(model: &Model, pane: Pane) -> usize {
    match model.rows.count(pane) {
        0 => 0,
        count => count + 1 + usize::from(pane == Pane::Sources && model.rows.more_sources > 0),
    }
}

/// Divides lines among lists: to each the same, as far as it wants them. A title alone is none.
fn shares(room: usize, wanted: [usize; 4]) -> [usize; 4] {
    let mut given = [0; 4];
    let mut left = room;
    for (given, wanted) in given.iter_mut().zip(wanted) {
        if left >= 2 && wanted >= 2 {
            *given = 2;
            left -= 2;
        }
    }
    while left > 0 {
        let before = left;
        for (given, wanted) in given.iter_mut().zip(wanted) {
            if *given > 0 && *given < wanted && left > 0 {
                *given += 1;
                left -= 1;
            }
        }
        if left == before {
            break;
        }
    }
    given
}

fn draw_list(model: &Model, pane: Pane, palette: Palette, area: Rect, buffer: &mut Buffer) {
    let columns = Columns::of(area.width);
    buffer.set_line(area.x, area.y, &Line::styled(columns.title(pane), DIM), area.width);
    let visible = usize::from(area.height).saturating_sub(1);
    let is_here = model.pane == pane;
    let cursor = if is_here { model.cursor } else { 0 };
    let first = (cursor + 1).saturating_sub(visible);
    let rows = &model.rows;
    let lines: Vec<Line<'_>> = match pane {
        Pane::Reasons => {
            rows.reasons.iter().skip(first).take(visible).map(|row| reason(row, palette)).collect()
        }
        Pane::Peers => {
            rows.peers.iter().skip(first).take(visible).map(|row| columns.peer(row)).collect()
        }
        Pane::Sources => {
            let more = (rows.more_sources > 0)
                .then(|| Line::raw(format!("and {} more: filter them", rows.more_sources)));
            let sources = rows.sources.iter().map(|row| columns.source(row)).chain(more);
            sources.skip(first).take(visible).collect()
        }
        Pane::Targets => rows
            .targets
            .iter()
            .skip(first)
            .take(visible)
            .map(|row| columns.target(row, palette))
            .collect(),
    };
    for (number, (line, y)) in iter::zip(lines, area.y + 1..area.bottom()).enumerate() {
        buffer.set_line(area.x, y, &line, area.width);
        let row = Rect { y, height: 1, ..area }.intersection(*buffer.area());
        if pane == Pane::Reasons {
            draw_bars(model, first + number, row, palette, buffer);
        }
        if is_here && first + number == cursor {
            buffer.set_style(row, CHOSEN);
        }
    }
}

/// Where the bars of the reasons begin.
const BARS: u16 = 54;

fn draw_bars(model: &Model, position: usize, row: Rect, palette: Palette, buffer: &mut Buffer) {
    let Some(reason) = model.rows.reasons.get(position) else { return };
    let room = row.width.saturating_sub(BARS);
    if room == 0 {
        return;
    }
    let bars = model.pace.lately(&reason.counted, room.into());
    let length = u16::try_from(bars.len()).unwrap_or(room).min(room);
    // The latest is at the right edge.
    let place = Rect { x: row.right().saturating_sub(length), width: length, ..row };
    let style = palette.of(if reason.action == "drop" { Color::Red } else { Color::Green });
    Sparkline::default().data(bars).style(style).render(place, buffer);
}

fn reason(row: &ReasonRow, palette: Palette) -> Line<'_> {
    let colour = match row.action {
        "drop" => Color::Red,
        "pass" => Color::Green,
        _ => Color::Yellow,
    };
    Line::from(vec![
        Span::styled(format!("{:<4} ", row.action), palette.of(colour)),
        Span::raw(format!("{:<26} {:>12} {:>8}", cut(row.name(), 26), row.total, row.rate)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_shared_by_who_wants_them() {
        for (room, wanted, given) in [
            (21, [30, 30, 30, 30], [6, 5, 5, 5]),
            (21, [30, 3, 0, 2], [16, 3, 0, 2]),
            (21, [3, 3, 3, 3], [3, 3, 3, 3]),
            (5, [9, 9, 9, 9], [3, 2, 0, 0]),
            (1, [9, 9, 9, 9], [0; 4]),
            (0, [9, 9, 9, 9], [0; 4]),
        ] {
            assert_eq!(shares(room, wanted), given, "{room} {wanted:?}");
        }
    }
}
