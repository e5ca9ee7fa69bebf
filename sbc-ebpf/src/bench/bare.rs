use aya_ebpf::bindings::xdp_action::XDP_DROP;
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;

/// The floor: drops every frame without a look at it.
#[xdp]
pub(crate) fn bare(_: XdpContext) -> u32 {
    XDP_DROP
}
