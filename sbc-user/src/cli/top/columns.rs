use std::iter;

use ratatui::style::Color;
use ratatui::text::{Line, Span};

use super::picture::Palette;
use super::printable::printable;
use super::rows::{Pane, PeerRow, SourceRow};
use crate::border::TargetStatus;

/// How wide the columns are whose texts are longer than most terminals.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    holder: usize,
    place: usize,
    target: usize,
}

impl Columns {
    /// Those that fit.
    pub(super) const fn of(width: u16) -> Self {
        if width < 110 {
            Self { holder: 20, place: 24, target: 34 }
        } else {
            Self { holder: 36, place: 47, target: 48 }
        }
    }

    pub(super) fn title(self, pane: Pane) -> String {
        match pane {
            Pane::Reasons => {
                format!("     {:<26} {:>12} {:>8}  lately", "reason", "total", "per s")
            }
            Pane::Peers => self.peer_line(
                "peer",
                ["lanes", "places", "left", "req/s", "ref/s", "calls from", "calls to"]
                    .map(str::to_owned),
            ),
            Pane::Sources => self.source_line(
                "source",
                ["lane", "opens", "left", "req/s", "holder"].map(str::to_owned),
            ),
            Pane::Targets => self.target_line(["target", "address", "over"]) + "state",
        }
    }

    pub(super) fn peer(self, row: &PeerRow) -> Line<'_> {
        let it = &row.activity;
        let lanes = if row.lanes.is_empty() { "-".to_owned() } else { row.lanes.join(",") };
        let left = match (row.left, row.sources) {
            (Some(left), _) => duration(left),
            (None, 0) => "-".to_owned(),
            (None, _) => "lasts".to_owned(),
        };
        let calls = |begun: u64, answered: u64| format!("{begun} ({answered})");
        let texts = [
            cut(&lanes, 8),
            row.sources.to_string(),
            left,
            row.accepted_rate.to_string(),
            row.refused_rate.to_string(),
            calls(it.calls_from, it.answered_from),
            calls(it.calls_to, it.answered_to),
        ];
        Line::raw(self.peer_line(&it.holder, texts))
    }

    fn peer_line(self, holder: &str, texts: [String; 7]) -> String {
        let [lanes, places, left, accepted, refused, from, to] = texts;
        format!(
            "{:<width$} {lanes:<8} {places:>6} {left:>5} {accepted:>6} {refused:>5} {from:>11} {to:>11}",
            cut(holder, self.holder),
            width = self.holder
        )
    }

    pub(super) fn source(self, row: &SourceRow) -> Line<'_> {
        let grant = &row.grant;
        let left = grant.expires_in_seconds.map_or_else(|| "lasts".to_owned(), duration);
        let texts = [
            cut(&grant.proof, 8),
            cut(&grant.opens.join(","), 8),
            left,
            row.rate.to_string(),
            printable(&grant.holder).into_owned(),
        ];
        Line::raw(self.source_line(&grant.source, texts))
    }

    fn source_line(self, source: &str, texts: [String; 5]) -> String {
        let [lane, opens, left, rate, holder] = texts;
        format!(
            "{:<width$} {lane:<8} {opens:<8} {left:>5} {rate:>6}  {holder}",
            cut(source, self.place),
            width = self.place
        )
    }

    pub(super) fn target(self, row: &TargetStatus, palette: Palette) -> Line<'_> {
        let style = if row.state == "alive" { palette.of(Color::Green) } else { palette.loud() };
        Line::from(vec![
            Span::raw(self.target_line([&row.target, &row.address, &row.transport])),
            Span::styled(printable(&row.state), style),
        ])
    }

    fn target_line(self, [target, address, transport]: [&str; 3]) -> String {
        format!(
            "{:<width$} {:<26} {:<4} ",
            cut(target, self.target),
            cut(address, 26),
            cut(transport, 4),
            width = self.target
        )
    }
}

/// The beginning of a text, with a mark where the rest is missing.
pub(super) fn cut(text: &str, most: usize) -> String {
    let text = printable(text);
    if text.chars().count() <= most {
        return text.into_owned();
    }
    let kept = text.chars().take(most.saturating_sub(1));
    kept.chain(iter::once('…')).collect()
}

pub(super) fn duration(seconds: u64) -> String {
    match seconds {
        0..100 => format!("{seconds}s"),
        100..6000 => format!("{}m", seconds / 60),
        6000..360_000 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let shown = [0, 99, 100, 5999, 6000, 359_999, 360_000].map(duration);
        assert_eq!(shown, ["0s", "99s", "1m", "99m", "1h", "99h", "4d"]);
    }

    #[test]
    fn what_is_cut_off_is_marked() {
        assert_eq!(cut("carrier", 7), "carrier");
        assert_eq!(cut("carriers", 7), "carrie…");
    }
}
