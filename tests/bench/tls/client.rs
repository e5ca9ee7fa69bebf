//! The load: so many handshakes under way, each followed by the next.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use rustls::{
    ClientConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    version::TLS13,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::files::{Files, PING, PONG};

/// Handshakes under way.
const WINDOW: usize = 16;
const PATIENCE: Duration = Duration::from_secs(5);

/// Somebody with a certificate.
#[derive(Clone)]
pub(crate) struct Client {
    connector: TlsConnector,
    server: SocketAddr,
    done: Arc<AtomicU64>,
}

impl Client {
    /// With TLS 1.3, and a key exchange that every server knows.
    pub(crate) fn new(files: &Files, server: SocketAddr) -> Result<Self> {
        let provider = CryptoProvider {
            kx_groups: vec![aws_lc_rs::kx_group::X25519],
            ..aws_lc_rs::default_provider()
        };
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(files.roots()?)
            .with_client_auth_cert(files.chain()?, files.private_key()?)?;
        config.resumption = rustls::client::Resumption::disabled();
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { connector, server, done: Arc::default() })
    }

    /// Handshakes that the server has finished too.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Works until `during` is over, or fails at the first handshake that does.
    pub(crate) async fn work<T>(&self, during: impl Future<Output = Result<T>>) -> Result<T> {
        let mut workers = JoinSet::new();
        for _ in 0..WINDOW {
            let client = self.clone();
            workers.spawn(async move {
                loop {
                    client.connect().await?.end().await?;
                    client.done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        tokio::select! {
            done = during => {
                // Now, and not when this thread waits for something next.
                workers.shutdown().await;
                done
            }
            Some(failed) = workers.join_next() => {
                let failed: Result<()> = failed.context("a connection panicked")?;
                failed.and_then(|()| anyhow::bail!("a connection ended by itself"))
            }
        }
    }

    /// Shakes hands; this half of it is done when it returns.
    pub(crate) async fn connect(&self) -> Result<Connected> {
        let shaking = async {
            let stream = TcpStream::connect(self.server).await?;
            stream.set_nodelay(true)?;
            let name = "example.com".try_into().map_err(std::io::Error::other)?;
            self.connector.connect(name, stream).await
        };
        let stream = timeout(PATIENCE, shaking).await.context("no handshake")??;
        Ok(Connected { stream, at: Instant::now() })
    }
}

/// A connection.
pub(crate) struct Connected {
    stream: TlsStream<TcpStream>,
    /// When the client's half of the handshake was done.
    pub(crate) at: Instant,
}

impl Connected {
    /// Has a ping answered, and ends the connection so that no port is left waiting.
    pub(crate) async fn end(mut self) -> Result<()> {
        let pinging = async {
            self.stream.write_all(PING).await?;
            self.stream.flush().await?;
            let mut pong = [0; PONG.len()];
            self.stream.read_exact(&mut pong).await?;
            std::io::Result::Ok(pong)
        };
        let pong = timeout(PATIENCE, pinging).await.context("no pong")??;
        ensure!(pong == *PONG, "no pong: {pong:?}");
        self.stream.get_ref().0.set_zero_linger()?;
        Ok(())
    }
}

/// Lets time pass.
pub(crate) async fn pass(time: Duration) {
    sleep(time).await;
}
