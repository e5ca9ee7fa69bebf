use std::fmt::{Display, Write as _};

use super::Metric;

/// The samples of one metric, as text.
pub(super) struct Samples<'t> {
    metric: Metric,
    text: &'t mut String,
    /// What the metric is, is said before the first of them.
    is_introduced: bool,
}

impl<'t> Samples<'t> {
    pub(super) const fn of(metric: Metric, text: &'t mut String) -> Self {
        Self { metric, text, is_introduced: false }
    }

    /// Adds one, with the values of the labels in their order.
    pub(super) fn add(&mut self, labels: &[&str], value: impl Display) {
        debug_assert_eq!(labels.len(), self.metric.labels().len(), "{:?}", self.metric);
        let name = self.metric.name();
        if !self.is_introduced {
            self.is_introduced = true;
            let (kind, about) = (self.metric.kind().name(), self.metric.description());
            let _ = writeln!(self.text, "# HELP {name} {}", about.replace('\\', "\\\\"));
            let _ = writeln!(self.text, "# TYPE {name} {kind}");
        }
        self.text.push_str(name);
        for (position, (label, value)) in self.metric.labels().iter().zip(labels).enumerate() {
            self.text.push(if position == 0 { '{' } else { ',' });
            let _ = write!(self.text, "{label}=\"");
            self.push_escaped(value);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    fn push_escaped(&mut self, value: &str) {
        for character in value.chars() {
            match character {
                '\\' => self.text.push_str("\\\\"),
                '"' => self.text.push_str("\\\""),
                '\n' => self.text.push_str("\\n"),
                _ => self.text.push(character),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_introduced_once_and_its_labels_are_quoted() {
        let mut text = String::new();
        let mut samples = Samples::of(Metric::PeerSources, &mut text);
        samples.add(&["a", "tls"], 1);
        samples.add(&["b\"} 1\nsbc_users 7\\", "tls"], 0.5);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "# HELP sbc_peer_sources Sources that are trusted for a peer, by the class of proof.",
                "# TYPE sbc_peer_sources gauge",
                "sbc_peer_sources{peer=\"a\",proof=\"tls\"} 1",
                "sbc_peer_sources{peer=\"b\\\"} 1\\nsbc_users 7\\\\\",proof=\"tls\"} 0.5",
            ]
        );
    }

    #[test]
    fn a_metric_without_samples_is_not_there() {
        let mut text = String::new();
        let _ = Samples::of(Metric::Users, &mut text);
        assert_eq!(text, "");
    }
}
