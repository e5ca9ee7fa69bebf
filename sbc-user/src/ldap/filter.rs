use std::str::FromStr;

use thiserror::Error;

use super::ber;

/// Filters nest no deeper; what a person writes does not come near.
const DEEPEST: usize = 32;

const AND: u8 = 0xa0;
const OR: u8 = 0xa1;
const NOT: u8 = 0xa2;
const EQUAL: u8 = 0xa3;
const SUBSTRINGS: u8 = 0xa4;
const AT_LEAST: u8 = 0xa5;
const AT_MOST: u8 = 0xa6;
const PRESENT: u8 = 0x87;
const ALIKE: u8 = 0xa8;
const EXTENSIBLE: u8 = 0xa9;
const INITIAL: u8 = 0x80;
const ANY: u8 = 0x81;
const FINAL: u8 = 0x82;
const RULE: u8 = 0x81;
const TYPE: u8 = 0x82;
const VALUE: u8 = 0x83;
const DN_TOO: u8 = 0x84;

/// Which entries are meant, as in `(&(objectClass=person)(!(loginDisabled=TRUE)))` (RFC 4515).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(Vec<u8>);

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("at byte {at} of the filter: {problem}")]
pub struct InvalidFilter {
    /// Counted from 1.
    pub at: usize,
    /// What is wrong there.
    pub problem: &'static str,
}

impl Filter {
    /// As it is sent (RFC 4511 §4.5.1.7).
    pub(super) fn encoded(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for Filter {
    type Err = InvalidFilter;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parser = Parser { text: text.as_bytes(), at: 0 };
        let encoded = parser.filter(0)?;
        if parser.at < parser.text.len() {
            return Err(parser.wrong("something follows its last parenthesis"));
        }
        Ok(Self(encoded))
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Parser<'a> {
    fn filter(&mut self, depth: usize) -> Result<Vec<u8>, InvalidFilter> {
        if depth > DEEPEST {
            return Err(self.wrong("it nests too deep"));
        }
        self.expect(b'(', "no opening parenthesis")?;
        let encoded = match self.peek() {
            Some(b'&') => self.list(AND, depth),
            Some(b'|') => self.list(OR, depth),
            Some(b'!') => {
                self.at += 1;
                let inner = self.filter(depth + 1)?;
                Ok(ber::value(NOT, &[&inner]).to_vec())
            }
            Some(_) | None => self.item(),
        }?;
        self.expect(b')', "no closing parenthesis")?;
        Ok(encoded)
    }

    fn list(&mut self, tag: u8, depth: usize) -> Result<Vec<u8>, InvalidFilter> {
        self.at += 1;
        let mut all = Vec::new();
        while self.peek() == Some(b'(') {
            all.extend(self.filter(depth + 1)?);
        }
        if all.is_empty() {
            return Err(self.wrong("nothing is combined"));
        }
        Ok(ber::value(tag, &[&all]).to_vec())
    }

    fn item(&mut self) -> Result<Vec<u8>, InvalidFilter> {
        let start = self.at;
        let attribute = self.until(b"=()");
        if self.peek() != Some(b'=') {
            return Err(self.wrong("no = after an attribute"));
        }
        self.at += 1;
        let (attribute, tag) = match attribute {
            [attribute @ .., b'>'] => (attribute, AT_LEAST),
            [attribute @ .., b'<'] => (attribute, AT_MOST),
            [attribute @ .., b'~'] => (attribute, ALIKE),
            [matching @ .., b':'] => {
                let wrong = InvalidFilter { at: start + 1, problem: "no attribute:rule:=value" };
                return self.extensible(matching).and_then(|encoded| encoded.ok_or(wrong));
            }
            attribute => (attribute, EQUAL),
        };
        if !is_attribute(attribute) {
            return Err(InvalidFilter { at: start + 1, problem: "this is no attribute" });
        }
        let value = self.until(b"()");
        let name = ber::value(ber::OCTETS, &[attribute]);
        if tag != EQUAL || !value.contains(&b'*') {
            let value = ber::value(ber::OCTETS, &[&self.unescaped(value)?]);
            return Ok(ber::value(tag, &[&name, &value]).to_vec());
        }
        if value == b"*" {
            return Ok(ber::value(PRESENT, &[attribute]).to_vec());
        }
        let last = value.split(|byte| *byte == b'*').count() - 1;
        let mut parts = Vec::new();
        for (position, part) in value.split(|byte| *byte == b'*').enumerate() {
            if part.is_empty() {
                if position > 0 && position < last {
                    return Err(self.wrong("two asterisks in a row"));
                }
                continue;
            }
            let place = match position {
                0 => INITIAL,
                position if position == last => FINAL,
                _ => ANY,
            };
            parts.extend_from_slice(&ber::value(place, &[&self.unescaped(part)?]));
        }
        let parts = ber::value(ber::SEQUENCE, &[&parts]);
        Ok(ber::value(SUBSTRINGS, &[&name, &parts]).to_vec())
    }

    /// `attribute:dn:rule:=value`, each of the three optional, but attribute or rule has to be there; `None` if not.
    fn extensible(&mut self, matching: &[u8]) -> Result<Option<Vec<u8>>, InvalidFilter> {
        let mut parts = matching.split(|byte| *byte == b':');
        let attribute = parts.next().unwrap_or_default();
        let mut rest: Vec<&[u8]> = parts.collect();
        let dn_too = rest.first().is_some_and(|part| part.eq_ignore_ascii_case(b"dn"));
        if dn_too {
            rest.remove(0);
        }
        let rule = match rest[..] {
            [] => None,
            [rule] if is_attribute(rule) => Some(rule),
            [..] => return Ok(None),
        };
        let is_one = is_attribute(attribute) || attribute.is_empty() && rule.is_some();
        if !is_one {
            return Ok(None);
        }
        let raw = self.until(b"()");
        let value = ber::value(VALUE, &[&self.unescaped(raw)?]);
        let rule = rule.map(|rule| ber::value(RULE, &[rule])).unwrap_or_default();
        let kind = Some(attribute).filter(|attribute| !attribute.is_empty());
        let kind = kind.map(|attribute| ber::value(TYPE, &[attribute])).unwrap_or_default();
        let mut parts = [&rule[..], &kind, &value].concat();
        if dn_too {
            parts.extend_from_slice(&ber::value(DN_TOO, &[&[0xff]]));
        }
        Ok(Some(ber::value(EXTENSIBLE, &[&parts]).to_vec()))
    }

    fn unescaped(&self, value: &[u8]) -> Result<Vec<u8>, InvalidFilter> {
        let mut bytes = Vec::with_capacity(value.len());
        let mut rest = value;
        while let [byte, after @ ..] = rest {
            rest = after;
            if *byte != b'\\' {
                bytes.push(*byte);
                continue;
            }
            let digit = |at: usize| after.get(at).and_then(|it| char::from(*it).to_digit(16));
            let (Some(high), Some(low)) = (digit(0), digit(1)) else {
                return Err(self.wrong("a backslash without two hexadecimal digits before this"));
            };
            bytes.push(u8::try_from(high << 4 | low).unwrap_or_default());
            rest = after.get(2..).unwrap_or_default();
        }
        Ok(bytes)
    }

    fn until(&mut self, stops: &[u8]) -> &'a [u8] {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| stops.contains(byte)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn expect(&mut self, byte: u8, problem: &'static str) -> Result<(), InvalidFilter> {
        if self.peek() != Some(byte) {
            return Err(self.wrong(problem));
        }
        self.at += 1;
        Ok(())
    }

    const fn wrong(&self, problem: &'static str) -> InvalidFilter {
        InvalidFilter { at: self.at + 1, problem }
    }
}

/// A name or a number in dots, and options behind semicolons.
pub(crate) fn is_attribute(text: &[u8]) -> bool {
    let is_in_one = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.;_".contains(byte);
    text.first().is_some_and(u8::is_ascii_alphanumeric) && text.iter().all(is_in_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str) -> Vec<u8> {
        text.parse::<Filter>().unwrap_or_else(|error| panic!("{text}: {error}")).0
    }

    #[test]
    fn a_filter_is_sent_as_other_clients_send_it() {
        assert_eq!(encoded("(uid=*)"), *b"\x87\x03uid");
        assert_eq!(encoded("(uid=a\\2a)"), *b"\xa3\x09\x04\x03uid\x04\x02a*");
        assert_eq!(encoded("(cn>=b)"), *b"\xa5\x07\x04\x02cn\x04\x01b");
        assert_eq!(
            encoded("(cn=a*b*c)"),
            *b"\xa4\x0f\x04\x02cn\x30\x09\x80\x01a\x81\x01b\x82\x01c"
        );
        assert_eq!(encoded("(cn=*b)"), *b"\xa4\x09\x04\x02cn\x30\x03\x82\x01b");
        assert_eq!(
            encoded("(&(a=*)(!(b=*))(|(c=*)))"),
            *b"\xa0\x0d\x87\x01a\xa2\x03\x87\x01b\xa1\x03\x87\x01c"
        );
        assert_eq!(encoded("(x:1.2.3:=2)"), *b"\xa9\x0d\x81\x051.2.3\x82\x01x\x83\x012");
        assert_eq!(encoded("(o:dn:=2)"), *b"\xa9\x09\x82\x01o\x83\x012\x84\x01\xff");
        let whole = "(&(objectClass=person)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))";
        assert_eq!(encoded(whole).len(), (23 + 51) + 2);
    }

    #[test]
    fn what_is_no_filter_is_refused_with_its_place() {
        let deep = format!("{}(a=b){}", "(!".repeat(40), ")".repeat(40));
        for (text, at) in [
            ("", 1),
            ("uid=*", 1),
            ("(uid=*", 7),
            ("(uid=*))", 8),
            ("(&)", 3),
            ("(uid)", 5),
            ("(=x)", 2),
            ("(a=b\\4)", 7),
            ("(a=b**c)", 8),
            ("(:=x)", 2),
            ("(a:b:c:=x)", 2),
            ("(a b=x)", 2),
            (deep.as_str(), 67),
        ] {
            assert_eq!(text.parse::<Filter>().unwrap_err().at, at, "{text}");
        }
    }
}
