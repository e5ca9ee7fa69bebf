//! ESP as the kernel does it, and the shipped filter in front of it.
//!
//! It takes root, and a kernel that has ESP, which not every machine's has: so Cargo does not run these
//! tests by itself. `cargo xtask kernels` runs them, in guests whose kernels have it.

#[cfg(test)]
mod association;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod filter;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod proof;
#[cfg(test)]
mod wire;
