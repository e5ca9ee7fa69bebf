use crate::sip::{HeaderKind, Message};

/// The extensions that a request wants of every proxy on its way (RFC 3261 §20.29), as one list:
/// `None` when it wants none. We have none of them, so this is the `Unsupported` of a 420
/// (RFC 3261 §16.3 item 5).
#[must_use]
pub fn unsupported_extensions(request: &Message<'_>) -> Option<Vec<u8>> {
    let mut options = request.values(HeaderKind::ProxyRequire).map(|value| value.bytes);
    let first = options.next()?;
    let mut list = Vec::new();
    // What is no option tag, a folded line among it, is not repeated to the sender.
    for option in std::iter::once(first).chain(options) {
        if option.iter().all(u8::is_ascii_graphic) {
            let comma: &[u8] = if list.is_empty() { b"" } else { b", " };
            list.extend([comma, option].concat());
        }
    }
    Some(list)
}
