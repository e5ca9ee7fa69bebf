//! The control socket: whoever may connect asks one thing, in one line of JSON, and is answered in JSON.
//!
//! ```text
//! {"ask":"status"}                                        a Status, and the end
//! {"ask":"seen","address":"198.51.100.7","port":5070}     a list of Seen, the latest first, and the end;
//!                                                         the port may be missing
//! {"ask":"capture","reasons":["unknown-source"],
//!  "sources":["198.51.100.0/24"],"recent":true}           a CaptureLine in each line, until the asker
//!                                                         ends its side, and then how much was missed;
//!                                                         each of the three may be missing
//! ```
//!
//! What cannot be answered gets `{"refused":"why"}`. Lines are at most [`LONGEST_LINE`] bytes long.
//!
//! Frames are what strangers sent: they are handed out as they are, in base64.

mod capture;
mod client;
mod request;
mod server;

pub use client::{CaptureLines, ControlError, ask, capture, lift, seen};
pub use request::{CaptureLine, CaptureRequest, Judged, LONGEST_LINE, Request, SampleLine, Seen};
pub use server::{ControlServer, make_directory};
