//! The product end to end: the real daemon and its filter between real peers, in network namespaces.
//!
//! What must not arrive is shown by counters that say where it ended, on both sides of the kernel's
//! boundary and on the peers'; never by nothing having been seen.

mod amplification;
mod bystander;
mod called_phone;
mod calls;
mod capture;
mod carrier;
mod carrier_proxy;
mod certificate;
mod changed_policy;
mod continuity;
mod credentials;
mod dialog;
mod digest;
mod endpoint;
mod expectation;
mod expiry;
mod failover;
mod flood;
mod forking;
mod hiding;
mod hop_limits;
mod hygiene;
mod inside;
mod ipsec;
mod lifecycle;
mod listed_peer;
mod methods;
mod names;
mod observability;
mod outbound;
mod overload;
mod phone_over_tls;
mod privileges;
mod promotion;
mod refusal_to_start;
mod registration;
mod request;
mod returning;
mod revocation;
mod second_layer;
mod silence;
mod socket_guard;
mod soft_phone;
mod stranger;
mod stream;
mod stream_phone;
mod stream_upstream;
mod subnet;
mod syn_flood;
mod takeover;
mod tls_end;
mod tls_interop;
mod tools;
