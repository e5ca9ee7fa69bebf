use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;

const IPV4_DESTINATION_PORT: usize = 14 + 20 + 2;

/// The floor: drops every frame without a look at it.
#[xdp]
pub(crate) fn bare(_: XdpContext) -> u32 {
    XDP_DROP
}

/// The floor of whoever looks: drops by the destination port, and so pays for the frame's way from
/// the core that wrote it.
#[xdp]
pub(crate) fn read(context: XdpContext) -> u32 {
    let port = context.data() + IPV4_DESTINATION_PORT;
    if port + 2 > context.data_end() {
        return XDP_PASS;
    }
    // SAFETY: both bytes lie within the frame, and the kernel places frames on even addresses.
    let port = u16::from_be(unsafe { *(port as *const u16) });
    if port == 5060 { XDP_DROP } else { XDP_PASS }
}
