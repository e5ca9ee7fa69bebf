//! The floor: a loop that accepts, shakes hands and answers a ping, with the library that sbc uses.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::files::{Files, PING, PONG};

/// Options of the floor.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[arg(long)]
    listen: SocketAddr,
    #[command(flatten)]
    files: Files,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let roots = Arc::new(options.files.roots()?);
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).build()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(options.files.chain()?, options.files.private_key()?)?;
    // As sbc: nobody is let in again without being looked at.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(options.listen).await.context("listening")?;
        loop {
            let (stream, _) = listener.accept().await.context("accepting")?;
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                stream.set_nodelay(true)?;
                let mut stream = acceptor.accept(stream).await?;
                let mut ping = [0; PING.len()];
                stream.read_exact(&mut ping).await?;
                stream.write_all(PONG).await?;
                stream.flush().await?;
                stream.read(&mut ping).await
            });
        }
    })
}
