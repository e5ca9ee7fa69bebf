use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use hyper::Request;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore, oneshot};
use tokio::time::{MissedTickBehavior, timeout};

use super::answer::{Answer, Desk};
use super::history::INTERVAL;
use super::observed::Observed;
use super::token::{Token, TokenError};
use crate::config::Admin;

/// Connections at a time; others wait in the network stack.
const MOST_AT_A_TIME: usize = 32;
/// How long one may take to say what it wants.
const HEADER: Duration = Duration::from_secs(5);
/// And to read the answer, all together.
const WHOLE: Duration = Duration::from_secs(15);
/// How many times as long as an answer took nobody else gets one.
const REST: u32 = 9;
const LARGEST_HEADER: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;

/// Why there is no admin listener.
#[derive(Debug, Error)]
pub enum AdminError {
    /// It cannot listen.
    #[error("cannot listen on the admin address {address}: {cause}")]
    Address {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// The token cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// It has no thread to run on.
    #[error("cannot start the admin listener: {0}")]
    Thread(#[from] io::Error),
}

/// A socket that nobody is answered at yet.
#[derive(Debug)]
pub struct AdminServer {
    listener: TcpListener,
    token: Option<Token>,
    names: Vec<String>,
}

/// Answers for as long as it lives.
#[derive(Debug)]
pub struct Answering(
    #[expect(dead_code, reason = "its end is what ends the thread")] oneshot::Sender<()>,
);

impl AdminServer {
    /// Reads the token and binds the socket.
    pub fn bind(config: &Admin) -> Result<Self, AdminError> {
        let token = config.token_file.as_deref().map(Token::load).transpose()?;
        let address = config.listen;
        let listener = TcpListener::bind(address)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|cause| AdminError::Address { address, cause })?;
        Ok(Self { listener, token, names: config.names.clone() })
    }

    /// Where it listens.
    #[cfg(test)]
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The same, for who shows this token.
    #[cfg(test)]
    pub(super) fn showing(self, token: Option<Token>) -> Self {
        Self { token, ..self }
    }

    /// Answers on a thread of its own what is asked about `subject`, until what it returns is dropped.
    pub fn start(self, subject: Arc<dyn Observed>) -> Result<Answering, AdminError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (end, ended) = oneshot::channel();
        let desk = Desk::new(subject, self.token, self.names);
        let listener = self.listener;
        thread::Builder::new().name("sbc-admin".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    Err(error) = serve(listener, desk) => {
                        tracing::error!(%error, "the admin listener has ended");
                    }
                    _ = ended => {}
                }
            });
        })?;
        Ok(Answering(end))
    }
}

/// Answers whoever connects, for ever, and notes the counters from time to time. Beyond some at a time they wait.
async fn serve(listener: TcpListener, desk: Desk) -> io::Result<Infallible> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let desk = Arc::new(Mutex::new(desk));
    let noting = Arc::clone(&desk);
    tokio::spawn(async move {
        let mut looks = tokio::time::interval(INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            noting.lock().await.note();
        }
    });
    let places = Arc::new(Semaphore::new(MOST_AT_A_TIME));
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            // One who asks and does not read must not keep his place.
            let _ = timeout(WHOLE, serve_one(stream, desk)).await;
            drop(place);
        });
    }
}

/// Answers one request. Whoever has another connects again: it costs a local caller nothing, and nobody keeps a place
/// that he does not use.
async fn serve_one(stream: TcpStream, desk: Arc<Mutex<Desk>>) -> hyper::Result<()> {
    let answer = service_fn(|request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(answer(desk, request).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        .keep_alive(false)
        .max_headers(MOST_HEADERS)
        .max_buf_size(LARGEST_HEADER)
        .serve_connection(TokioIo::new(stream), answer)
        .await
}

/// Answers when it is the request's turn. The next one's comes after a pause of [`REST`] times as long as this one
/// took, so that who asks without end takes a tenth of a core, and locks of the relay for no more of the time.
async fn answer<B>(desk: Arc<Mutex<Desk>>, request: Request<B>) -> Answer {
    let mut desk = desk.lock_owned().await;
    let began = Instant::now();
    let answer = desk.answer(&request);
    let pause = began.elapsed().saturating_mul(REST);
    tokio::spawn(async move {
        tokio::time::sleep(pause).await;
        drop(desk);
    });
    answer
}
