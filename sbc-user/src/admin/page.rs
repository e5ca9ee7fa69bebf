//! The status page: files of our own, and nothing from anywhere else.

/// What may be fetched without a token: nothing in it is of this machine.
pub(super) fn file(path: &str) -> Option<(&'static str, &'static str)> {
    match path {
        "/" => Some(("text/html; charset=utf-8", include_str!("page/page.html"))),
        "/page.css" => Some(("text/css; charset=utf-8", include_str!("page/page.css"))),
        "/page.js" => Some(("text/javascript; charset=utf-8", include_str!("page/page.js"))),
        "/charts.js" => Some(("text/javascript; charset=utf-8", include_str!("page/charts.js"))),
        _ => None,
    }
}

/// What a browser is told to do with everything that we answer: to load nothing but our own files, to show us in no
/// frame, and to take nothing for what we do not say that it is.
pub(super) const SECURITY: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];
