//! The XDP program, and the program in front of the daemon's sockets: the adapters between received
//! packets, the shared decisions and the kernel maps.
//! There is no policy in here.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![cfg_attr(
    target_arch = "bpf",
    feature(asm_experimental_arch, core_intrinsics),
    expect(internal_features, reason = "the BPF target has no atomic read-modify-write in core")
)]
#![cfg_attr(
    target_arch = "bpf",
    expect(clippy::inline_always, reason = "the program is one function, see sbc-common")
)]

#[cfg(target_arch = "bpf")]
mod connection;
#[cfg(target_arch = "bpf")]
mod frame;
#[cfg(target_arch = "bpf")]
mod maps;
#[cfg(target_arch = "bpf")]
mod program;
#[cfg(target_arch = "bpf")]
mod sample;
#[cfg(target_arch = "bpf")]
mod scratch;
#[cfg(target_arch = "bpf")]
mod skb_frame;
#[cfg(target_arch = "bpf")]
mod socket;
#[cfg(target_arch = "bpf")]
mod tables;

#[cfg(not(target_arch = "bpf"))]
fn main() {}

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // Unreachable by construction. A loop rather than a promise to the compiler, which would take it
    // as leave to delete the bounds checks that lead here; the verifier refuses a program that keeps it.
    loop {}
}

/// The licence that the kernel asks for before it lends its GPL-only helpers.
#[cfg(target_arch = "bpf")]
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
