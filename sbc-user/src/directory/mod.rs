//! Who of the users may use what he proves, and who he may say to be, as an LDAP directory says.
//!
//! A directory knows no password that a challenge could be answered with: the users' store does. What the directory
//! says is kept in memory and asked for anew in the background, never for a message.

mod claim;
mod doubts;
mod people;
mod source;

pub use claim::Claim;
pub use doubts::{Doubt, Doubts};
pub use people::{Known, People, WhatToRead};
pub use source::{NoAnswer, Source, SourceError};
