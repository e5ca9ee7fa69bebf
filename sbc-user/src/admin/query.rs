//! What stands behind the question mark.

use std::net::{IpAddr, SocketAddr};

/// Parameters that are looked at.
const MOST: usize = 8;
/// The value of the only parameter of this name.
pub(super) fn parameter(query: Option<&str>, name: &str) -> Result<Option<String>, String> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let mut found = None;
    for (key, value) in pairs.take(MOST) {
        if key == name && found.replace(value.into_owned()).is_some() {
            return Err(format!("{name} is given twice"));
        }
    }
    Ok(found)
}

/// An address, or an address and port; port zero stands for none.
pub(super) fn source(query: Option<&str>) -> Result<SocketAddr, String> {
    let text = parameter(query, "address")?.ok_or("address is missing")?;
    text.parse::<SocketAddr>()
        .or_else(|_| text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 0)))
        .map_err(|_| "address is neither an address nor an address and port".to_owned())
}

/// How many are wanted, `most` at most.
pub(super) fn limit(query: Option<&str>, unless_said: usize, most: usize) -> Result<usize, String> {
    let Some(text) = parameter(query, "limit")? else { return Ok(unless_said) };
    let limit = text.parse::<usize>().ok().filter(|limit| (1..=most).contains(limit));
    limit.ok_or_else(|| format!("limit is not within 1 and {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_address_with_or_without_a_port() {
        for (query, expected) in [
            ("address=198.51.100.7", "198.51.100.7:0"),
            ("address=198.51.100.7:5070", "198.51.100.7:5070"),
            ("address=198.51.100.7%3A5070", "198.51.100.7:5070"),
            ("address=2001:db8::7", "[2001:db8::7]:0"),
            ("x=1&address=%5B2001%3Adb8%3A%3A7%5D%3A5070", "[2001:db8::7]:5070"),
        ] {
            assert_eq!(source(Some(query)), Ok(expected.parse().unwrap()), "{query}");
        }
        for query in
            ["", "address", "address=", "address=localhost", "address=1&address=2", "Address=::1"]
        {
            assert!(source(Some(query)).is_err(), "{query}");
        }
        assert!(source(None).is_err());
    }

    #[test]
    fn a_limit_is_within_its_bounds() {
        assert_eq!(limit(None, 100, 500), Ok(100));
        assert_eq!(limit(Some("limit=500"), 100, 500), Ok(500));
        for query in ["limit=0", "limit=501", "limit=-1", "limit=", "limit=1&limit=2"] {
            assert!(limit(Some(query), 100, 500).is_err(), "{query}");
        }
    }
}
