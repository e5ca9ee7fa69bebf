//! Who the relay hands requests to: the hosts of the protected system, and which of them live.
//!
//! Nothing here waits. A [`Pool`] is a snapshot that is swapped whole, and a choice among its targets
//! depends on the request alone, as long as nothing dies or comes back.

mod choice;
mod directory;
mod dns;
mod health;
mod last_answers;
mod pool;
mod probe;
mod recent;
mod resolve;

pub use directory::{Directory, Found, Group, Source};
pub use dns::{Dns, FreshDns};
pub use health::Health;
pub use pool::{Place, Pool, Target};
pub use probe::is_probe;
pub use resolve::{Answer, Names, NoAnswer, Server, Service, places, sources};
