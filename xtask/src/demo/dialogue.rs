//! What a caller and the gateway said to each other, from sipp's log of messages.

use sbc_tests::Calls;

/// The messages of a call, in order.
pub(super) struct Dialogue<'a>(Vec<Message<'a>>);

struct Message<'a> {
    is_sent: bool,
    text: &'a str,
}

/// Longer lines of a message are cut.
const WIDTH: usize = 76;

impl<'a> Dialogue<'a> {
    pub(super) fn of(calls: &'a Calls) -> Self {
        // "UDP message sent (558 bytes):", an empty line, and the message as it went.
        let entries = calls.messages.split("\nUDP message ").skip(1);
        let messages = entries.filter_map(|entry| {
            let (head, text) = entry.split_once("\n\n")?;
            Some(Message { is_sent: head.starts_with("sent"), text })
        });
        Self(messages.collect())
    }

    /// How many messages begin with this.
    pub(super) fn count(&self, beginning: &str) -> usize {
        self.0.iter().filter(|message| message.text.starts_with(beginning)).count()
    }

    /// One line for each message: what the caller sent, and what it got.
    pub(super) fn ladder(&self, caller: &str) -> String {
        let steps = self.0.iter().map(|Message { is_sent, text }| {
            let line = text.lines().next().unwrap_or_default();
            if *is_sent {
                let method = line.split(' ').next().unwrap_or_default();
                format!("{caller} --- {method} --->\n")
            } else {
                let status = line.trim_start_matches("SIP/2.0 ");
                format!("{} <--- {status} ---\n", " ".repeat(caller.len()))
            }
        });
        steps.collect()
    }

    /// The first line of the first message that begins with this, and its header of this name.
    pub(super) fn essence(&self, beginning: &str, header: &str) -> String {
        let message = self.0.iter().find(|message| message.text.starts_with(beginning));
        let mut lines = message.map_or("", |message| message.text).lines();
        let first = lines.next().unwrap_or_default();
        let header = lines.find(|line| line.starts_with(header)).unwrap_or_default();
        [first, header].map(cut).join("\n")
    }
}

fn cut(line: &str) -> String {
    let line = line.trim_end();
    match line.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{} ...", line.get(..end).unwrap_or(line)),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use sbc_tests::Calls;

    use super::Dialogue;

    #[test]
    fn a_log_of_sipp_becomes_a_ladder() {
        let messages = "\
            ----- 2026-11-23\nUDP message sent (9 bytes):\n\nINVITE sip:bob@example.com SIP/2.0\n\
            Call-ID: 1\n\n----- 2026-11-23\nUDP message received [9] bytes :\n\n\
            SIP/2.0 407 Proxy Authentication Required\nProxy-Authenticate: Digest\n\n";
        let calls = Calls {
            successful: 1,
            failed: 0,
            messages: messages.to_owned(),
            errors: String::new(),
        };
        let dialogue = Dialogue::of(&calls);
        assert_eq!(
            dialogue.ladder("phone"),
            "phone --- INVITE --->\n      <--- 407 Proxy Authentication Required ---\n"
        );
        assert_eq!((dialogue.count("INVITE "), dialogue.count("SIP/2.0 ")), (1, 1));
        assert_eq!(
            dialogue.essence("SIP/2.0 407", "Proxy-Authenticate"),
            "SIP/2.0 407 Proxy Authentication Required\nProxy-Authenticate: Digest"
        );
    }
}
