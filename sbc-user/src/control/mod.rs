//! The control socket: whoever may connect asks one thing, in one line of JSON, and is answered in JSON.
//! `docs/reference/control.md` says who may ask what.
//!
//! ```text
//! {"version":1,"ask":"version"}                           the Versions that are understood; the version of a
//!                                                         request may be missing, and is this one then
//! {"ask":"status"}                                        a Status, and the end
//! {"ask":"seen","address":"198.51.100.7","port":5070}     a list of Seen, the latest first, and the end;
//!                                                         the port may be missing
//! {"ask":"lift","address":"198.51.100.7"}                the places whose bans were ended; without an address all
//! {"ask":"reload"}                                        what came of it, a Reloaded
//! {"ask":"configuration"}                                 Fingerprints of the keys of the configuration in force
//! {"ask":"mode","mode":"enforce","for-seconds":600}       a ModeAnswer, and the end; without the seconds the
//!                                                         mode stays
//! {"ask":"confirm"}                                       a ModeAnswer, and the end: what is on trial stays
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
mod mode;
mod request;
mod server;

pub use client::{
    CaptureLines, ControlError, ask, capture, change_mode, confirm_mode, fingerprints, lift,
    reload, seen,
};
pub use mode::{ModeAnswer, WantedMode};
pub use request::{
    Ask, CaptureLine, CaptureRequest, Judged, LONGEST_LINE, Reloaded, Request, SampleLine, Seen,
    VERSION, Versions,
};
pub use server::{ControlServer, make_directory};
