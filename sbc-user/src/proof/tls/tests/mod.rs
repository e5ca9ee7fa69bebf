//! What the certificates of peers prove, and what the files must look like.

mod configuration;
mod identity;
mod own;
mod peers;
mod revocation;
mod verifier;
