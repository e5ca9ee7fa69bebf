//! Those that drop.

mod bare;
mod iptables;
mod nftables;
mod sbc;
mod socket;
mod xdp_filter;

use std::{io::Write as _, path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail};
use sbc_tests::Host;

use crate::{
    case::{Case, Kind},
    receiver::Receiver,
};

pub(crate) use sbc::Unattached;

/// A million entries take some of them seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// Something that drops the flood and counts what it dropped.
pub(crate) trait Defence {
    /// Packets that it has dropped so far, by a count that nothing else adds to.
    fn dropped(&mut self, receiver: &Receiver) -> Result<u64>;
}

/// Sets up what `case` measures.
pub(crate) fn install(case: &Case, receiver: &Receiver, object: &Path) -> Result<Box<dyn Defence>> {
    Ok(match case.defence {
        Kind::Bare => Box::new(bare::Bare::attach(receiver, object, "bare")?),
        Kind::Read => Box::new(bare::Bare::attach(receiver, object, "read")?),
        Kind::Sbc => Box::new(sbc::Sbc::attach(receiver, case)?),
        Kind::NftablesNetdev => Box::new(nftables::Nftables::netdev(receiver, case)?),
        Kind::NftablesInput => Box::new(nftables::Nftables::input(receiver, case)?),
        Kind::IptablesIpset => Box::new(iptables::Iptables::install(receiver, case)?),
        Kind::XdpFilter => Box::new(xdp_filter::XdpFilter::attach(receiver, case)?),
        Kind::SocketFilter => Box::new(socket::Socket::rejecting(receiver)?),
        Kind::SocketWithoutReader => Box::new(socket::Socket::unread(receiver)?),
        Kind::RepeatedBare | Kind::RepeatedSbc => bail!("{} is not flooded", case.name),
    })
}

/// Runs a program that reads `text`.
fn feed(host: &Host, program: &str, arguments: &[&str], text: &str) -> Result<()> {
    let mut command = host.command(program);
    command.args(arguments).stdin(Stdio::piped());
    let mut process = host.spawn(program, command)?;
    let mut stdin = process.take_stdin().context("no pipe")?;
    let written = stdin.write_all(text.as_bytes());
    drop(stdin);
    process.expect_success(PATIENCE)?;
    written.with_context(|| format!("telling {program}"))
}
