//! The writing half of a connection.

use std::io;

use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::queue::Waiting;

/// Writes the queue to the peer; remembers how far it came, so that it can be stopped anywhere.
pub(super) struct Writer<W> {
    half: W,
    waiting: Waiting,
    current: Option<Partly>,
}

/// A message of which the first `written` bytes are on their way.
struct Partly {
    message: Vec<u8>,
    written: usize,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    pub(super) fn new(half: W, waiting: Waiting) -> Self {
        Self { half, waiting, current: None }
    }

    /// Writes message after message; ends when the queue is closed and empty. Cancel safe.
    pub(super) async fn run(&mut self) -> io::Result<()> {
        loop {
            let current = match &mut self.current {
                Some(current) => current,
                None => match self.waiting.next().await {
                    Some(message) => self.current.insert(Partly { message, written: 0 }),
                    None => return Ok(()),
                },
            };
            // Not `write_all`: stopped in the middle, it would forget how much it wrote.
            while let Some(rest @ [_, ..]) = current.message.get(current.written..) {
                let written = self.half.write(rest).await?;
                if written == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                current.written = current.written.saturating_add(written);
            }
            // TLS holds back what does not fit into the socket until it is flushed.
            self.half.flush().await?;
            self.waiting.written(current.message.len());
            self.current = None;
        }
    }

    /// Writes what is queued, lets nothing more in, and says goodbye.
    pub(super) async fn finish(&mut self) -> io::Result<()> {
        self.waiting.close();
        self.run().await?;
        self.half.shutdown().await
    }

    pub(super) fn into_half(self) -> W {
        self.half
    }
}
