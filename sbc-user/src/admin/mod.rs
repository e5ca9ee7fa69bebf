//! The admin listener: metrics for Prometheus, an API in JSON, and a status page, over HTTP/1.1.
//!
//! It shows and changes nothing. Nobody who only sends SIP reaches it, but a browser on the operator's desk does,
//! with pages of strangers in it: a request has to name us as its host (DNS rebinding), no other origin is told
//! anything (there is no CORS), and what strangers have sent is text wherever it is shown.
//!
//! It runs on a thread of its own, which answers one request at a time. What is expensive is looked at as often as
//! [`Cached`] says, however many ask.

mod answer;
mod api;
mod cached;
mod history;
mod host;
mod metrics;
mod observed;
#[cfg(test)]
mod openapi;
mod page;
mod process;
mod query;
mod server;
#[cfg(test)]
mod tests;
mod token;

pub use cached::Cached;
pub use metrics::{Kind, Metric};
pub use observed::{Observed, Unobservable, View};
pub use server::{AdminError, AdminServer};
pub use token::{Token, TokenError};
