//! The relay between a phone outside and an upstream, each as its RFC has it.

mod dialog;
mod hiding;
mod loops;
mod privacy;
mod registration;
mod scene;
mod single;
mod target;
mod transaction;
