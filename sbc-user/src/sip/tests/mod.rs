//! What the scanner refuses and how it reads what it accepts, and what is written from it.

mod framer;
mod identity;
mod malformed;
mod properties;
mod reply;
mod rewrite;
mod salvage;
mod sample;
mod structure;
mod torture;
