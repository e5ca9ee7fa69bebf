use std::net::IpAddr;
use std::time::Duration;

use super::meaning;
use super::pace::Pace;
use super::rows::{PANES, Pane, Rows};
use crate::border::Status;

/// A key that means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Up,
    Down,
    PageUp,
    PageDown,
    Tab,
    Enter,
    Escape,
    Backspace,
}

/// What is to be done after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Effect {
    /// Nothing but to draw.
    Draw,
    /// To end.
    Quit,
    /// To ask the filter about a source, and to tell [`Model::explained`] what it says.
    Explain(IpAddr),
}

/// What comes first in a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// What is most frequent now; of sources, what ends first.
    #[default]
    Rate,
    /// What there was most of; of sources, whose there are.
    Total,
    /// By name.
    Name,
}

impl Sort {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Total => "total",
            Self::Name => "name",
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::Rate => Self::Total,
            Self::Total => Self::Name,
            Self::Name => Self::Rate,
        }
    }
}

/// Something that covers the lists.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) title: String,
    pub(super) text: String,
    /// Lines that were passed over.
    pub(super) scrolled: u16,
    /// The source that the filter was asked about, whose answer is not there yet.
    asked: Option<IpAddr>,
}

/// Everything that a frame is drawn from.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) status: Option<Status>,
    /// Why there is no status, or only the kernel's half.
    pub(super) problem: Option<String>,
    pub(super) pace: Pace,
    pub(super) rows: Rows,
    pub(super) sort: Sort,
    pub(super) filter: String,
    pub(super) is_typing: bool,
    pub(super) is_paused: bool,
    pub(super) pane: Pane,
    /// The chosen row of that pane.
    pub(super) cursor: usize,
    pub(super) page: Option<Page>,
}

/// Nobody has longer names, and a line has an end.
const LONGEST_FILTER: usize = 64;
const PAGE: usize = 10;

impl Model {
    /// Takes what was heard `at` a moment.
    pub(super) fn observe(&mut self, at: Duration, heard: Result<Status, String>) {
        if self.is_paused {
            return;
        }
        match heard {
            Ok(status) => {
                self.problem = None;
                self.pace.observe(at, Some(&status));
                self.status = Some(status);
            }
            Err(problem) => {
                self.problem = Some(problem);
                self.pace.observe(at, None);
                self.status = None;
            }
        }
        self.arrange();
    }

    /// Takes what the filter said about a source.
    pub(super) fn explained(&mut self, source: IpAddr, said: &str) {
        if let Some(page) = self.page.as_mut().filter(|page| page.asked == Some(source)) {
            page.asked = None;
            page.text.push_str(said);
        }
    }

    pub(super) fn press(&mut self, key: Key) -> Effect {
        if self.is_typing {
            self.type_filter(key);
            return Effect::Draw;
        }
        if let Key::Char('q') = key {
            return Effect::Quit;
        }
        if self.page.is_some() {
            self.turn_page(key);
            return Effect::Draw;
        }
        match key {
            Key::Char('s') => {
                self.sort = self.sort.next();
                self.arrange();
            }
            Key::Char('/') => self.is_typing = true,
            Key::Char('p') => self.is_paused = !self.is_paused,
            Key::Char('?') => self.show("keys", meaning::KEYS.to_owned()),
            Key::Up => self.climb(1),
            Key::Down => self.descend(1),
            Key::PageUp => self.climb(PAGE),
            Key::PageDown => self.descend(PAGE),
            Key::Tab => self.enter(self.next_pane()),
            Key::Escape if !self.filter.is_empty() => {
                self.filter.clear();
                self.arrange();
            }
            Key::Enter => return self.explain(),
            Key::Char(_) | Key::Escape | Key::Backspace => {}
        }
        Effect::Draw
    }

    fn type_filter(&mut self, key: Key) {
        match key {
            Key::Char(letter) if self.filter.len() < LONGEST_FILTER && !letter.is_control() => {
                self.filter.push(letter);
            }
            Key::Backspace => {
                self.filter.pop();
            }
            Key::Enter => self.is_typing = false,
            Key::Escape => {
                self.is_typing = false;
                self.filter.clear();
            }
            Key::Char(_) | Key::Up | Key::Down | Key::PageUp | Key::PageDown | Key::Tab => {}
        }
        self.arrange();
    }

    fn turn_page(&mut self, key: Key) {
        let Some(page) = &mut self.page else { return };
        match key {
            Key::Up => page.scrolled = page.scrolled.saturating_sub(1),
            // The picture knows how many lines there are.
            Key::Down => page.scrolled = page.scrolled.saturating_add(1),
            Key::PageUp => page.scrolled = page.scrolled.saturating_sub(10),
            Key::PageDown => page.scrolled = page.scrolled.saturating_add(10),
            Key::Enter | Key::Escape | Key::Backspace | Key::Tab | Key::Char(_) => self.page = None,
        }
    }

    fn climb(&mut self, by: usize) {
        if self.cursor == 0 {
            let above = PANES.iter().rev().skip_while(|pane| **pane != self.pane).skip(1);
            let above = above.copied().find(|pane| self.rows.count(*pane) > 0);
            if let Some(above) = above {
                self.pane = above;
                self.cursor = self.rows.count(above).saturating_sub(1);
            }
        } else {
            self.cursor = self.cursor.saturating_sub(by);
        }
    }

    fn descend(&mut self, by: usize) {
        let last = self.rows.count(self.pane).saturating_sub(1);
        if self.cursor < last {
            self.cursor = (self.cursor + by).min(last);
        } else if let Some(below) = self.pane_below() {
            self.enter(below);
        }
    }

    fn pane_below(&self) -> Option<Pane> {
        let below = PANES.iter().skip_while(|pane| **pane != self.pane).skip(1);
        below.copied().find(|pane| self.rows.count(*pane) > 0)
    }

    fn next_pane(&self) -> Pane {
        let first = || PANES.iter().copied().find(|pane| self.rows.count(*pane) > 0);
        self.pane_below().or_else(first).unwrap_or_default()
    }

    fn enter(&mut self, pane: Pane) {
        self.pane = pane;
        self.cursor = 0;
    }

    fn explain(&mut self) -> Effect {
        let Some(status) = &self.status else { return Effect::Draw };
        let Some(chosen) = self.rows.chosen(self.pane, self.cursor) else { return Effect::Draw };
        let (title, text, source) = meaning::of(status, &chosen);
        self.show(&title, text);
        match source {
            Some(source) => {
                if let Some(page) = &mut self.page {
                    page.asked = Some(source);
                }
                Effect::Explain(source)
            }
            None => Effect::Draw,
        }
    }

    fn show(&mut self, title: &str, text: String) {
        self.page = Some(Page { title: title.to_owned(), text, scrolled: 0, asked: None });
    }

    /// Lists anew what there is. The cursor stays in its pane as long as that has rows.
    fn arrange(&mut self) {
        let rows = Rows::of(self.status.as_ref(), &self.pace, self.sort, &self.filter);
        self.rows = rows;
        if self.rows.count(self.pane) == 0 {
            self.enter(self.next_pane());
        }
        self.cursor = self.cursor.min(self.rows.count(self.pane).saturating_sub(1));
    }
}
