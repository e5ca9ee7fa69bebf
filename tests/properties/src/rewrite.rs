use std::net::SocketAddr;

use sbc_user::sip::{
    HeaderKind, MAX_HEADERS, Malformed, Message, NameAddr, Param, Reply, Rewrite, RewriteError,
    Rport, StartLine, Value, Via,
};

use crate::Choices;

const OWN_VIA: &str = "SIP/2.0/UDP sbc.example;branch=z9hG4bKsbc";
/// The most header lines that are added: Via, Content-Length and X-Seen.
const ADDED: usize = 3;
const TARGET: &str = "sip:relay@inside.example;lr";

/// What a relay writes from a message is accepted, says what was written, and passes everything else byte for byte.
pub fn rewrite(bytes: &[u8]) {
    let Ok(message) = Message::scan(bytes) else { return };
    Edits::chosen(&message).check(&message);
    Edits::all(&message).check(&message);
    check_reply(&message);
}

/// What a relay may do to a message, each for itself.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each edit is made or not, whatever the others are"
)]
struct Edits {
    source: SocketAddr,
    stamp: bool,
    push_via: bool,
    routes: usize,
    retarget: bool,
    anonymous: bool,
    no_subject: bool,
    length: bool,
}

impl Edits {
    fn chosen(message: &Message<'_>) -> Self {
        let mut choices = Choices::of(message.bytes());
        let source = if choices.flip() { "192.0.2.7:4711" } else { "[2001:db8::7]:4711" };
        Self {
            source: source.parse().expect("it is an address"),
            stamp: choices.flip(),
            push_via: choices.flip(),
            routes: usize::try_from(choices.next() % 3).unwrap_or_default(),
            retarget: choices.flip() && matches!(message.start_line(), StartLine::Request { .. }),
            anonymous: choices.flip(),
            no_subject: choices.flip(),
            length: choices.flip(),
        }
    }

    /// What one message suffers at most.
    fn all(message: &Message<'_>) -> Self {
        Self {
            source: "[2001:db8::7]:4711".parse().expect("it is an address"),
            stamp: true,
            push_via: true,
            routes: 1,
            retarget: matches!(message.start_line(), StartLine::Request { .. }),
            anonymous: true,
            no_subject: true,
            length: true,
        }
    }

    fn check(&self, message: &Message<'_>) {
        let Some(written) = self.write(message) else { return };
        let read = match Message::scan(&written) {
            Ok(read) => read,
            Err(error) => panic!("{error}: {}", written.escape_ascii()),
        };
        assert_eq!(read.bytes(), written);
        self.check_start_line(message, &read);
        self.check_lines(message, &read);
        self.check_vias(message, &read);
        check_list(message, &read, HeaderKind::Route, self.routes);
        self.check_parties(message, &read);
        assert_eq!(read.body(), message.body());
    }

    /// The edited message; `None` at the limit of what we read, which the lines that are added would go beyond.
    fn write(&self, message: &Message<'_>) -> Option<Vec<u8>> {
        let mut rewrite = Rewrite::new(message);
        if self.stamp {
            rewrite.stamp_top_via(self.source);
        }
        if self.push_via {
            rewrite.insert_before_first(HeaderKind::Via, "Via", OWN_VIA);
        }
        rewrite.remove_first_values(HeaderKind::Route, self.routes);
        if let StartLine::Request { uri, .. } = message.start_line()
            && self.retarget
        {
            rewrite.replace_part(uri.raw, TARGET);
        }
        if self.anonymous {
            rewrite.replace_part(message.from().uri.raw, "sip:anonymous@anonymous.invalid");
        }
        if self.no_subject {
            rewrite.remove_all(HeaderKind::Subject);
        }
        if self.length {
            rewrite.ensure_content_length();
        }
        rewrite.append("X-Seen", "1");
        let mut out = Vec::new();
        match rewrite.write(&mut out) {
            Ok(()) => Some(out),
            Err(RewriteError::TooManyHeaders)
                if message.headers().count() + ADDED > MAX_HEADERS =>
            {
                None
            }
            Err(error) => panic!("{error}: {}", message.bytes().escape_ascii()),
        }
    }

    fn check_start_line(&self, message: &Message<'_>, read: &Message<'_>) {
        let line = |message: &Message<'_>| {
            let end = message.headers().next().map_or(0, |header| header.line.start);
            message.bytes().get(..end).unwrap_or_default().to_vec()
        };
        match (message.start_line(), read.start_line()) {
            (StartLine::Request { method, .. }, StartLine::Request { method: same, uri })
                if self.retarget =>
            {
                assert_eq!(same, method);
                assert_eq!(uri.raw, TARGET.as_bytes());
            }
            _ => assert_eq!(line(read), line(message)),
        }
    }

    /// The lines of which nothing was edited are there, in their order, and no others.
    fn check_lines(&self, message: &Message<'_>, read: &Message<'_>) {
        let edited = [
            (HeaderKind::Via, self.stamp || self.push_via),
            (HeaderKind::Route, self.routes > 0),
            (HeaderKind::From, self.anonymous),
            (HeaderKind::Subject, self.no_subject),
        ];
        let is_edited = |kind| edited.contains(&(kind, true));
        let lines = |message: &Message<'_>| -> Vec<Vec<u8>> {
            let untouched = message.headers().filter(|header| !is_edited(header.kind));
            untouched.map(|it| message.bytes().get(it.line).unwrap_or_default().to_vec()).collect()
        };
        let mut expected = lines(message);
        if self.length && message.header(HeaderKind::ContentLength).is_none() {
            expected.push(format!("Content-Length: {}\r\n", message.body().len()).into());
        }
        expected.push(b"X-Seen: 1\r\n".to_vec());
        assert_eq!(lines(read), expected);
        assert!(!self.no_subject || read.header(HeaderKind::Subject).is_none());
    }

    fn check_vias(&self, message: &Message<'_>, read: &Message<'_>) {
        let own = usize::from(self.push_via);
        check_list(read, message, HeaderKind::Via, own);
        if self.push_via {
            assert_eq!(read.top_via().raw, OWN_VIA.as_bytes());
        }
        if !self.stamp {
            return;
        }
        let values: Vec<Value<'_>> = read.values(HeaderKind::Via).collect();
        let below = values.get(own).expect("the top Via is still there");
        let stamped = Via::parse(below.bytes).expect("a stamped Via is a Via");
        self.check_stamp(&message.top_via(), &stamped);
    }

    fn check_stamp(&self, before: &Via<'_>, after: &Via<'_>) {
        assert_eq!(after.transport, before.transport);
        assert_eq!((after.host, after.port), (before.host, before.port));
        assert_eq!(after.branch, before.branch);
        let asked = before.rport != Rport::Absent;
        let rport = if asked { Rport::Port(self.source.port()) } else { Rport::Absent };
        assert_eq!(after.rport, rport);
        let address = self.source.ip().to_string();
        let is_there = after.received == Some(address.as_bytes());
        let is_where_it_says = before.host_ip() == Some(self.source.ip());
        assert!(is_there || is_where_it_says && after.received.is_none(), "{:?}", after.received);
        let others = |via: &Via<'_>| -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
            let is_stamp = |param: &Param<'_>| {
                param.name.eq_ignore_ascii_case(b"received")
                    || param.name.eq_ignore_ascii_case(b"rport")
            };
            let params = via.params().all().filter(|param| !is_stamp(param));
            params.map(|param| (param.name.to_vec(), param.value.map(unfolded))).collect()
        };
        assert_eq!(others(after), others(before));
    }

    fn check_parties(&self, message: &Message<'_>, read: &Message<'_>) {
        let from = read.from();
        if self.anonymous {
            assert_eq!(from.uri.raw, b"sip:anonymous@anonymous.invalid");
            assert_eq!(from.tag, message.from().tag);
            assert_eq!(from.display_name, message.from().display_name);
        } else {
            assert_eq!(from.raw, message.from().raw);
        }
        assert_eq!(read.to().raw, message.to().raw);
        assert_eq!(read.call_id(), message.call_id());
        assert_eq!(read.cseq(), message.cseq());
        assert_eq!(read.max_forwards(), message.max_forwards());
    }
}

/// The answer to `message` as it was written; `None` at the limit of what we read, where the lines that it adds to
/// those it copies are too many for a reader like us.
fn read_again<'a>(message: &Message<'_>, written: &'a [u8]) -> Option<Message<'a>> {
    match Message::scan(written) {
        Ok(read) => Some(read),
        Err(Malformed::TooManyHeaders) if message.headers().count() + ADDED > MAX_HEADERS => None,
        Err(error) => panic!("{error}: {}", written.escape_ascii()),
    }
}

fn unfolded(value: &[u8]) -> Vec<u8> {
    let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
    value.iter().map(|byte| if is_break(byte) { b' ' } else { *byte }).collect()
}

/// `short` is `long` without its first `count` values, or has none left; the first that remains may be edited.
fn check_list(long: &Message<'_>, short: &Message<'_>, kind: HeaderKind, count: usize) {
    let values = |message: &Message<'_>, skip: usize| -> Vec<Vec<u8>> {
        message.values(kind).skip(skip).map(|value| value.bytes.to_vec()).collect()
    };
    let is_via = usize::from(kind == HeaderKind::Via);
    assert_eq!(values(long, count).len(), values(short, 0).len());
    assert_eq!(values(long, count + is_via), values(short, is_via));
    if kind == HeaderKind::Route {
        let uris = |message: &Message<'_>| -> Vec<Vec<u8>> {
            message.routes().map(|route: NameAddr<'_>| route.uri.raw.to_vec()).collect()
        };
        assert!(uris(short).iter().eq(uris(long).iter().skip(count)));
    }
}

/// A response that we write ourselves names the same call and the same parties.
fn check_reply(message: &Message<'_>) {
    let source = "192.0.2.7:4711".parse().expect("it is an address");
    let reply = Reply::new(message, 401, source, b"sbc").header("X", "1").finish();
    let Ok(bytes) = reply else {
        let is_ack = message.cseq().method.as_bytes() == b"ACK";
        // Via, From, To, Call-ID, CSeq, X and Content-Length.
        let vias = message.headers().filter(|header| header.kind == HeaderKind::Via).count();
        let is_too_long = vias + 6 > MAX_HEADERS;
        assert!(
            is_ack || is_too_long || matches!(message.start_line(), StartLine::Response { .. })
        );
        return;
    };
    let Some(read) = read_again(message, &bytes) else { return };
    assert!(matches!(read.start_line(), StartLine::Response { status: 401 }));
    assert_eq!(read.from().raw, message.from().raw);
    assert_eq!(read.to().uri, message.to().uri);
    assert_eq!(read.to().tag, message.to().tag.or(Some(b"sbc")));
    assert_eq!(read.call_id(), message.call_id());
    assert_eq!(read.cseq(), message.cseq());
    check_list(message, &read, HeaderKind::Via, 0);
    assert!(read.body().is_empty());
}
