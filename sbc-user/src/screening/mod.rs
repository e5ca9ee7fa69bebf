//! Who may have what relayed. The decisions are pure: message, source, proofs and time come in, what
//! is to be done comes out.

mod evidence;
mod excess;
mod options;
mod outcome;
mod rejection;
mod screen;
mod shedding;
mod vouched;

pub use evidence::{Evidence, Standing};
pub use options::asks_us;
pub use outcome::Outcome;
pub use rejection::Rejection;
pub use screen::{Screen, Screened};
pub use shedding::is_shed;
pub use vouched::Entitlement;
