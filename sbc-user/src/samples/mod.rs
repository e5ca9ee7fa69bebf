//! What the filter has sampled: frames that it dropped, or would have, with their verdicts.
//!
//! Strangers decide what is in them and how often there is one, within the bounds of the kernel half: one
//! of each verdict, CPU and timer tick. What is kept here is bounded by number, whoever they are of.

mod filter;
mod log;
mod sample;

#[cfg(test)]
mod tests;

pub use filter::SampleFilter;
pub use log::{SampleLog, TooManyWatchers, Watch};
pub use sample::{BadSample, Moment, Sample};
