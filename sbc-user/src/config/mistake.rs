//! Where a mistake stands in the file, and what may have been meant.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// How alike two keys have to be for one to be meant by the other; of 1 they are the same.
const ALIKE: f64 = 0.8;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The whole line.
    text: String,
    /// How many of its characters are meant.
    width: usize,
}

impl Spot {
    fn of(text: &str, span: &Range<usize>) -> Option<Self> {
        let before = text.get(..span.start)?;
        let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = text.get(begin..)?.lines().next().unwrap_or_default();
        let column = text.get(begin..span.start)?.chars().count() + 1;
        let meant = text.get(span.clone())?.lines().next().unwrap_or_default();
        Some(Self {
            line: before.matches('\n').count() + 1,
            column,
            text: line.to_owned(),
            width: meant.chars().count().max(1),
        })
    }
}

/// The line of the file, with what is meant in it marked.
impl fmt::Display for Spot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        // What is a tab above is one below, so that the marks stand under what they mark.
        let indent: String = self.text.chars().take(self.column - 1).map(blank).collect();
        let marks = "^".repeat(self.width);
        writeln!(formatter, "{margin} |")?;
        writeln!(formatter, "{number} | {}", self.text)?;
        write!(formatter, "{margin} | {indent}{marks}")
    }
}

const fn blank(character: char) -> char {
    if character == '\t' { '\t' } else { ' ' }
}

/// Where a contradiction stands: at the key of its table that the problem names first, or where the table begins.
pub(super) fn spot_of(text: &str, place: &str, problem: &str) -> Option<Spot> {
    let document = DeTable::parse(text).ok()?;
    let found = table_at(document.get_ref(), place, problem);
    let (table, begins) = match found {
        Some(Place::Table(table, begins)) => (Some(table), Some(begins)),
        Some(Place::Key(span)) => return Spot::of(text, &span),
        None => (None, None),
    };
    let named = table.and_then(|table| words(problem).find_map(|word| key_in(table, word)));
    Spot::of(text, &named.or(begins)?)
}

enum Place<'d> {
    Table(&'d DeTable<'d>, Range<usize>),
    Key(Range<usize>),
}

fn table_at<'d>(document: &'d DeTable<'d>, place: &str, problem: &str) -> Option<Place<'d>> {
    if let Some(rest) = place.strip_prefix("[[") {
        let (list, name) = rest.split_once("]]")?;
        let entries = document.get(list)?.get_ref().as_array()?;
        let says = |entry: &DeTable<'_>| match list {
            "peer" => string(entry, "name").is_some_and(|it| format!("{it:?}") == name.trim()),
            "listen" => string(entry, "address").is_some_and(|address| {
                let transport = string(entry, "transport").unwrap_or_default();
                name.trim().eq_ignore_ascii_case(&format!("{transport} {address}"))
            }),
            _ => string(entry, "peer").is_some_and(|peer| problem.contains(&format!("{peer:?}"))),
        };
        let tables = || entries.iter().filter_map(|it| Some((it.get_ref().as_table()?, it.span())));
        // Of two that are alike the second is the one too many.
        let named = tables().rfind(|(entry, _)| says(entry));
        let (table, span) = named.or_else(|| tables().next())?;
        return Some(Place::Table(table, span));
    }
    let Some(path) = place.strip_prefix('[').and_then(|rest| rest.split(']').next()) else {
        return key_in(document, place).map(Place::Key);
    };
    let mut parts = path.split('.');
    let first = document.get(parts.next()?)?;
    let inner = parts.try_fold(first, |value, part| value.get_ref().as_table()?.get(part))?;
    Some(Place::Table(inner.get_ref().as_table()?, inner.span()))
}

fn string<'d>(table: &'d DeTable<'d>, key: &str) -> Option<&'d str> {
    table.get(key).map(Spanned::get_ref).and_then(DeValue::as_str)
}

fn key_in(table: &DeTable<'_>, wanted: &str) -> Option<Range<usize>> {
    // Of one of `sources` the problem says `source`.
    let is_it = |key: &str| key == wanted || key.strip_suffix('s') == Some(wanted);
    table.keys().find(|key| is_it(key.get_ref())).map(Spanned::span)
}

fn words(problem: &str) -> impl Iterator<Item = &str> {
    problem.split(|it: char| !it.is_ascii_lowercase() && it != '-').filter(|word| word.len() > 2)
}

/// What may have been meant, by the message of who does not know a key or a value and says which it does.
pub(super) fn meant(message: &str) -> Option<String> {
    let unknown = message.strip_prefix("unknown field `");
    let unknown = unknown.or_else(|| message.strip_prefix("unknown variant `"))?;
    let (unknown, known) = unknown.split_once("`, expected ")?;
    let known = known.split('`').skip(1).step_by(2);
    let likeness = |it: &str| strsim::jaro_winkler(&unknown.to_lowercase(), it);
    let alike = known.map(|it| (likeness(it), it)).filter(|(likeness, _)| *likeness >= ALIKE);
    alike.max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, it)| it.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::config::sample::{BASE, parse};

    #[test]
    fn what_may_have_been_meant_is_told_with_what_is_accepted() {
        for (typo, said) in [
            (
                "[[peer]]\nname = \"a\"\nrequire = [\"static\"]\nsorces = []",
                &["`sources`?", "expected one of"][..],
            ),
            ("[unknown]\nactoin = \"drop\"", &["did you mean `action`?", "`budget`"]),
            ("[unknown]\naction = \"chalenge\"", &["did you mean `challenge`?", "`drop`"]),
            ("[unknown]\naction = 5", &["wanted string"]),
            ("[unknown]\nbudget = \"200\"", &["\"200/s\""]),
            ("[users.postgress]\nca = \"x\"", &["did you mean `postgres`?"]),
            ("[zebra]\ncolour = 1", &["unknown field `zebra`", "`kernel`"]),
        ] {
            let text = format!("{BASE}\n{typo}\n");
            let error = parse(&text).unwrap_err().to_string();
            assert!(error.starts_with("/etc/sbc/sbc.toml: "), "{error}");
            assert!(error.contains("line ") && error.contains("column "), "{error}");
            assert!(error.contains('^'), "{error}");
            for said in said {
                assert!(error.contains(said), "{said}: {error}");
            }
        }
        let nothing_alike = parse(&format!("{BASE}\n[zebra]\n")).unwrap_err().to_string();
        assert!(!nothing_alike.contains("did you mean"), "{nothing_alike}");
    }

    #[test]
    fn a_contradiction_is_told_with_the_place_where_it_stands() {
        let peer = "[[peer]]\nname = \"a\"\nrequire = [\"static\"]\nsources = [\"192.0.2.1\"]\nopens = [\"udp\"]\n";
        let two = format!("{peer}\n{}", peer.replace("\"a\"", "\"b\""));
        for (tail, marked) in [
            (two.as_str(), "sources = [\"192.0.2.1\"]"),
            (&peer.replace("[\"static\"]", "[\"tls\"]"), "require = [\"tls\"]"),
            (&peer.replace("[\"static\"]", "[]"), "require = []"),
            ("[kernel]\ntrust-entries = 5", "trust-entries = 5"),
            ("[kernel]\nsilence = \"1s\"", "silence = \"1s\""),
            (
                "[[listen]]\ntransport = \"udp\"\naddress = \"203.0.113.1:5060\"",
                "address = \"203.0.113.1:5060\"",
            ),
            (&format!("{peer}\n[[route]]\npeer = \"c\"\n"), "peer = \"c\""),
            (
                &format!("{peer}\n[denied]\nsources = [\"192.0.2.0/24\"]"),
                "sources = [\"192.0.2.1\"]",
            ),
        ] {
            let text = format!("{BASE}\n{tail}\n");
            let error = parse(&text).unwrap_err().to_string();
            let at = text.lines().zip(1..).filter(|(line, _)| *line == marked).last();
            let (_, line) = at.unwrap_or_else(|| panic!("{marked}"));
            assert!(error.contains(&format!("line {line}, column 1")), "{marked}: {error}");
            assert!(error.contains(&format!("{line} | {marked}\n")), "{error}");
        }
    }

    #[test]
    fn what_stands_nowhere_has_no_place() {
        let text = BASE.replace("[tls]\n", "[tlss]\n");
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains("did you mean `tls`?"), "{error}");
        let without = BASE.split("[tls]").next().unwrap();
        let upstream = BASE.split("[upstream]").nth(1).unwrap();
        let error = parse(&format!("{without}[upstream]{upstream}")).unwrap_err().to_string();
        assert!(error.contains("a TLS listener needs the table [tls]"), "{error}");
        assert!(error.contains("[[listen]]"), "{error}");
    }
}
