//! The floor: whatever arrives is sent back as it is.

use std::{
    io,
    net::{SocketAddr, SocketAddrV4, UdpSocket},
};

use anyhow::{Context as _, Result};

use crate::batch::{self, Batch};

/// Datagrams that are taken, and sent, in one system call.
const BATCH: usize = 32;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
}

/// Runs until killed.
pub(crate) fn run(options: &Options) -> Result<()> {
    let socket = UdpSocket::bind(options.listen)
        .with_context(|| format!("listening on {}", options.listen))?;
    let mut batch = Batch::new(BATCH);
    loop {
        pass_back(&socket, &mut batch, <[u8]>::to_vec)?;
    }
}

/// Waits for requests, and answers all that have arrived.
pub(crate) fn pass_back(
    socket: &UdpSocket,
    batch: &mut Batch,
    answer: impl Fn(&[u8]) -> Vec<u8>,
) -> Result<()> {
    match batch.receive(socket, libc::MSG_WAITFORONE) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
        Err(error) => return Err(error).context("receiving"),
    }
    let answers: Vec<(Vec<u8>, SocketAddrV4)> =
        batch.datagrams().map(|(request, source)| (answer(request), source)).collect();
    let datagrams: Vec<_> =
        answers.iter().map(|(bytes, to)| (bytes.as_slice(), Some(*to))).collect();
    batch::send(socket, &datagrams).context("sending")
}
