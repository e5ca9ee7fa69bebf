//! Messages of LDAP (RFC 4511 §4), as far as they are needed.

use zeroize::Zeroizing;

use super::ber::{
    self, BOOLEAN, ENUMERATED, INTEGER, Malformed, OCTETS, SEQUENCE, SET, Values, number, value,
};
use super::session::{Login, Search};

const BIND: u8 = 0x60;
const UNBIND: u8 = 0x42;
const SEARCH: u8 = 0x63;
const EXTENDED: u8 = 0x77;
pub(super) const BOUND: u8 = 0x61;
pub(super) const ENTRY: u8 = 0x64;
pub(super) const DONE: u8 = 0x65;
pub(super) const REFERENCE: u8 = 0x73;
pub(super) const EXTENDED_ANSWER: u8 = 0x78;

const CONTROLS: u8 = 0xa0;
const SIMPLE: u8 = 0x80;
const REQUEST_NAME: u8 = 0x80;
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";
const IN_PAGES: &[u8] = b"1.2.840.113556.1.4.319";
const WHOLE_SUBTREE: i32 = 2;
const NEVER_DEREFERENCE: i32 = 0;

/// The most that is told of what a server says about a failure, in characters.
const LONGEST_DIAGNOSIS: usize = 200;

/// One message, its controls included.
fn message(id: i32, operation: &[u8], controls: &[u8]) -> Zeroizing<Vec<u8>> {
    value(SEQUENCE, &[&number(INTEGER, id), operation, controls])
}

pub(super) fn bind(id: i32, login: &Login<'_>) -> Zeroizing<Vec<u8>> {
    let name = value(OCTETS, &[login.dn.as_bytes()]);
    let password = value(SIMPLE, &[login.password.as_bytes()]);
    message(id, &value(BIND, &[&number(INTEGER, 3), &name, &password]), &[])
}

pub(super) fn unbind(id: i32) -> Zeroizing<Vec<u8>> {
    message(id, &value(UNBIND, &[]), &[])
}

pub(super) fn start_tls(id: i32) -> Zeroizing<Vec<u8>> {
    message(id, &value(EXTENDED, &[&value(REQUEST_NAME, &[START_TLS])]), &[])
}

/// The next page of a search, after the one that ended with this cookie.
pub(super) fn search(id: i32, search: &Search<'_>, cookie: &[u8]) -> Zeroizing<Vec<u8>> {
    let attributes: Vec<u8> = search
        .attributes
        .iter()
        .flat_map(|name| value(OCTETS, &[name.as_bytes()]).to_vec())
        .collect();
    let operation = value(
        SEARCH,
        &[
            &value(OCTETS, &[search.base.as_bytes()]),
            &number(ENUMERATED, WHOLE_SUBTREE),
            &number(ENUMERATED, NEVER_DEREFERENCE),
            &number(INTEGER, 0),
            &number(INTEGER, search.seconds),
            &value(BOOLEAN, &[&[0]]),
            search.filter.encoded(),
            &value(SEQUENCE, &[&attributes]),
        ],
    );
    let page = value(SEQUENCE, &[&number(INTEGER, search.page), &value(OCTETS, &[cookie])]);
    let control = value(SEQUENCE, &[&value(OCTETS, &[IN_PAGES]), &value(OCTETS, &[&page])]);
    message(id, &operation, &value(CONTROLS, &[&control]))
}

/// What a server says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a> {
    /// That of the request; 0 if it was not asked.
    pub(super) id: i32,
    /// The tag of the operation.
    pub(super) kind: u8,
    content: &'a [u8],
    controls: &'a [u8],
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) code: i32,
    /// Empty, or a colon and the server's words.
    pub(super) diagnosis: String,
}

/// Somebody or something in the directory, with the attributes that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    attributes: Vec<(&'a [u8], Vec<&'a [u8]>)>,
}

impl<'a> Entry<'a> {
    /// The values of an attribute, whose name has no case. A part of them that a server marks as such (`;range=`)
    /// is none of them.
    pub fn values(&self, attribute: &str) -> impl Iterator<Item = &'a [u8]> {
        let is_it = |name: &[u8]| name.eq_ignore_ascii_case(attribute.as_bytes());
        let found = self.attributes.iter().filter(move |(name, _)| is_it(name));
        found.flat_map(|(_, values)| values.iter().copied())
    }
}

#[cfg(test)]
impl<'a> Entry<'a> {
    /// One of these attributes, each with one value.
    pub(crate) fn of(attributes: &[(&'a str, &'a str)]) -> Self {
        let one = |(name, value): &(&'a str, &'a str)| (name.as_bytes(), vec![value.as_bytes()]);
        Self { attributes: attributes.iter().map(one).collect() }
    }
}

impl<'a> Answer<'a> {
    /// Reads the content of a message.
    pub(super) fn read(content: &'a [u8]) -> Result<Self, Malformed> {
        let mut parts = Values(content);
        let id = parts.take_number(INTEGER)?;
        let (kind, content) = parts.next()?;
        // Active Directory puts a name behind its last message, where controls would be.
        let mut controls: &[u8] = &[];
        if let Ok((CONTROLS, found)) = parts.next() {
            controls = found;
        }
        Ok(Self { id, kind, content, controls })
    }

    /// How the operation ended that this says to be the end of.
    pub(super) fn ending(&self) -> Result<Ending, Malformed> {
        let mut parts = Values(self.content);
        let code = parts.take_number(ENUMERATED)?;
        parts.take(OCTETS)?;
        let said = String::from_utf8_lossy(parts.take(OCTETS)?);
        let said: String =
            said.trim_end_matches('\0').escape_debug().take(LONGEST_DIAGNOSIS).collect();
        let diagnosis = if said.is_empty() { said } else { format!(": {said}") };
        Ok(Ending { code, diagnosis })
    }

    /// The entry that this is.
    pub(super) fn entry(&self) -> Result<Entry<'a>, Malformed> {
        let mut parts = Values(self.content);
        parts.take(OCTETS)?;
        let mut listed = Values(parts.take(SEQUENCE)?);
        let mut attributes = Vec::new();
        while !listed.is_empty() {
            let mut attribute = Values(listed.take(SEQUENCE)?);
            let name = attribute.take(OCTETS)?;
            let mut set = Values(attribute.take(SET)?);
            let mut values = Vec::new();
            while !set.is_empty() {
                values.push(set.take(OCTETS)?);
            }
            attributes.push((name, values));
        }
        Ok(Entry { attributes })
    }

    /// What the next page is asked for with; empty if there is none.
    pub(super) fn cookie(&self) -> Result<&'a [u8], Malformed> {
        let mut controls = Values(self.controls);
        while !controls.is_empty() {
            let mut control = Values(controls.take(SEQUENCE)?);
            if control.take(OCTETS)? != IN_PAGES {
                continue;
            }
            let page = loop {
                match control.next()? {
                    (OCTETS, page) => break page,
                    (ber::BOOLEAN, _) => {}
                    _ => return Err(Malformed),
                }
            };
            let mut page = Values(Values(page).take(SEQUENCE)?);
            page.take(INTEGER)?;
            return page.take(OCTETS);
        }
        Ok(&[])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Answer<'_> {
        Answer::read(Values(bytes).take(SEQUENCE).unwrap()).unwrap()
    }

    #[test]
    fn a_bind_is_sent_as_the_standard_writes_it() {
        let login = Login { dn: "cn=a", password: "b" };
        assert_eq!(
            *bind(1, &login),
            *b"\x30\x11\x02\x01\x01\x60\x0c\x02\x01\x03\x04\x04cn=a\x80\x01b"
        );
        assert_eq!(*unbind(2), *b"\x30\x05\x02\x01\x02\x42\x00");
    }

    #[test]
    fn an_entry_is_read_with_all_its_values() {
        let attribute = |name: &str, values: &[&str]| {
            let values: Vec<u8> =
                values.iter().flat_map(|it| value(OCTETS, &[it.as_bytes()]).to_vec()).collect();
            value(SEQUENCE, &[&value(OCTETS, &[name.as_bytes()]), &value(SET, &[&values])]).to_vec()
        };
        let listed = [attribute("uid", &["alice"]), attribute("mail;range=0-1", &["x"])].concat();
        let listed = [listed, attribute("Mail", &["a@b", "c@d"])].concat();
        let operation =
            value(ENTRY, &[&value(OCTETS, &[b"cn=alice"]), &value(SEQUENCE, &[&listed])]);
        let bytes = message(7, &operation, &[]);
        let answer = read(&bytes);
        assert_eq!((answer.id, answer.kind), (7, ENTRY));
        let entry = answer.entry().unwrap();
        assert_eq!(entry.values("UID").collect::<Vec<_>>(), [b"alice"]);
        assert_eq!(entry.values("mail").collect::<Vec<_>>(), [b"a@b", b"c@d"]);
        assert_eq!(entry.values("cn").count(), 0);
    }

    #[test]
    fn an_ending_tells_the_code_the_words_and_where_the_next_page_begins() {
        let said = value(OCTETS, &[b"who\nare you\0"]);
        let ending = [&number(ENUMERATED, 49)[..], &value(OCTETS, &[]), &said].concat();
        let page = value(SEQUENCE, &[&number(INTEGER, 9), &value(OCTETS, &[b"more"])]);
        let control = value(
            SEQUENCE,
            &[&value(OCTETS, &[IN_PAGES]), &value(BOOLEAN, &[&[0]]), &value(OCTETS, &[&page])],
        );
        let bytes = message(1, &value(DONE, &[&ending]), &value(CONTROLS, &[&control]));
        let answer = read(&bytes);
        let expected = Ending { code: 49, diagnosis: ": who\\nare you".to_owned() };
        assert_eq!(answer.ending(), Ok(expected));
        assert_eq!(answer.cookie(), Ok(&b"more"[..]));
        let without = message(1, &value(DONE, &[&ending]), &[]);
        assert_eq!(read(&without).cookie(), Ok(&b""[..]));
    }

    proptest! {
        #[test]
        fn whatever_a_server_says_is_read_or_refused(bytes: Vec<u8>) {
            if let Ok(answer) = Answer::read(&bytes) {
                let _ = (answer.ending(), answer.entry(), answer.cookie());
            }
        }
    }
}
