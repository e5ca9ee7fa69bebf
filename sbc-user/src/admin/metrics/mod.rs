//! Metrics for Prometheus, in its text format, version 0.0.4.

mod list;
mod render;
mod text;

pub use list::{Kind, Metric};
pub(super) use render::render;
