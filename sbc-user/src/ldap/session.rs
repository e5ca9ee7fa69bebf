use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::ber::{self, SEQUENCE};
use super::message::{self, Answer, BOUND, DONE, ENTRY, EXTENDED_ANSWER, REFERENCE};
use super::{Entry, Filter, LdapError, LdapUrl, Place};

/// The longest message that is taken from a server, in bytes: an entry has some attributes of some hundred bytes.
pub const LONGEST_MESSAGE: usize = 1 << 20;

/// How long one of several addresses has to answer.
const FOR_AN_ADDRESS: Duration = Duration::from_secs(3);

const SUCCESS: i32 = 0;

/// Who asks, by a simple bind.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    /// The account's distinguished name, or what else the server takes for one.
    pub dn: &'a str,
    /// Not empty: a bind without a password succeeds and proves nothing (RFC 4513 §5.1.2).
    pub password: &'a str,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// The distinguished name that all entries stand below.
    pub base: &'a str,
    /// Which of them.
    pub filter: &'a Filter,
    /// What of them.
    pub attributes: &'a [&'a str],
    /// How long the server may look for one page, in seconds.
    pub seconds: i32,
    /// How many entries a page has at most.
    pub page: i32,
}

/// A connection to a directory. Once there is one it has no limits of time: whoever asks sets them.
pub struct Session {
    stream: BufReader<Box<dyn Stream>>,
    last_id: i32,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Session {
    /// Connects, speaking TLS from the start (`ldaps`), or with `start_tls` before anything else is said.
    pub async fn connect(
        url: &LdapUrl,
        tls: Option<&Arc<ClientConfig>>,
        start_tls: bool,
    ) -> Result<Self, LdapError> {
        let (host, port, is_secure) = match url.place() {
            Place::Socket(path) => {
                return Ok(Self::over(UnixStream::connect(path).await?, 0));
            }
            Place::Host { host, port, is_secure } => (host, *port, *is_secure),
        };
        let mut stream = connect_to(host, port).await?;
        if !is_secure && !start_tls {
            return Ok(Self::over(stream, 0));
        }
        let mut last_id = 0;
        if !is_secure {
            last_id += 1;
            stream.write_all(&message::start_tls(last_id)).await?;
            // Not one byte more than the answer is read: what follows it in clear is nothing that TLS has protected.
            let answer = receive(&mut stream).await?;
            expect_success(&Answer::read(&answer)?, last_id, EXTENDED_ANSWER, "StartTLS")?;
        }
        let tls = tls.ok_or_else(|| io::Error::other("nothing is known of whom to believe"))?;
        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?;
        Ok(Self::over(stream, last_id))
    }

    fn over(stream: impl Stream + 'static, last_id: i32) -> Self {
        Self { stream: BufReader::new(Box::new(stream)), last_id }
    }

    /// Proves who asks.
    pub async fn bind(&mut self, login: &Login<'_>) -> Result<(), LdapError> {
        let id = self.next_id();
        self.stream.write_all(&message::bind(id, login)).await?;
        self.stream.flush().await?;
        let answer = receive(&mut self.stream).await?;
        expect_success(&Answer::read(&answer)?, id, BOUND, "the bind")
    }

    /// Hands every entry that is found to `take`, page by page. If this fails, or `take` does, what was handed over
    /// is a part of them and worth nothing. References to other servers are left out.
    pub async fn search(
        &mut self,
        search: &Search<'_>,
        mut take: impl FnMut(&Entry<'_>) -> Result<(), LdapError> + Send,
    ) -> Result<(), LdapError> {
        let mut cookie = Vec::new();
        loop {
            let id = self.next_id();
            self.stream.write_all(&message::search(id, search, &cookie)).await?;
            self.stream.flush().await?;
            loop {
                let answer = receive(&mut self.stream).await?;
                let answer = Answer::read(&answer)?;
                match answer.kind {
                    ENTRY if answer.id == id => take(&answer.entry()?)?,
                    REFERENCE if answer.id == id => {}
                    _ => {
                        expect_success(&answer, id, DONE, "the search")?;
                        cookie = answer.cookie()?.to_vec();
                        break;
                    }
                }
            }
            if cookie.is_empty() {
                return Ok(());
            }
        }
    }

    /// Says goodbye.
    pub async fn end(mut self) {
        let id = self.next_id();
        // Whoever does not hear it sees the connection end.
        let _ = self.stream.write_all(&message::unbind(id)).await;
        let _ = self.stream.shutdown().await;
    }

    const fn next_id(&mut self) -> i32 {
        self.last_id = self.last_id.saturating_add(1);
        self.last_id
    }
}

/// Connects to the first address of a host that answers: a server with one that does not is there all the same.
async fn connect_to(host: &str, port: u16) -> Result<TcpStream, LdapError> {
    let mut problem = LdapError::Connection(io::Error::other("the name has no address"));
    for address in lookup_host((host, port)).await? {
        match timeout(FOR_AN_ADDRESS, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => problem = error.into(),
            Err(_) => problem = LdapError::Silence,
        }
    }
    Err(problem)
}

/// Reads the content of one message, and nothing beyond it.
async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, LdapError> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).await?;
    let [SEQUENCE, first] = head else { return Err(LdapError::Malformed) };
    let mut further = [0; ber::LENGTH_BYTES];
    let count = ber::further_length_bytes(first)?;
    let further = further.get_mut(..count).unwrap_or_default();
    stream.read_exact(further).await?;
    let length = ber::length(first, further);
    if length > LONGEST_MESSAGE {
        return Err(LdapError::TooLong(length));
    }
    let mut content = vec![0; length];
    stream.read_exact(&mut content).await?;
    Ok(content)
}

fn expect_success(
    answer: &Answer<'_>,
    id: i32,
    kind: u8,
    doing: &'static str,
) -> Result<(), LdapError> {
    // Who ends the connection says so without having been asked (RFC 4511 §4.4.1).
    let is_notice = answer.id == 0 && answer.kind == EXTENDED_ANSWER;
    if !is_notice && (answer.id != id || answer.kind != kind) {
        return Err(LdapError::Malformed);
    }
    let ending = answer.ending()?;
    if is_notice || ending.code != SUCCESS {
        let (code, diagnosis) = (ending.code, ending.diagnosis);
        return Err(LdapError::Refused { doing, code, diagnosis });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a session hears that a server says nothing but this to.
    async fn searched(said: &'static [u8]) -> Result<usize, LdapError> {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        theirs.write_all(said).await.unwrap();
        let mut session = Session::over(ours, 0);
        let filter: Filter = "(uid=*)".parse().unwrap();
        let search = Search { base: "", filter: &filter, attributes: &[], seconds: 1, page: 1 };
        let mut count = 0;
        let take = |_: &Entry<'_>| {
            count += 1;
            Ok(())
        };
        let searching = session.search(&search, take);
        // Who says no more has ended.
        let ended = async {
            theirs.shutdown().await.unwrap();
        };
        let (done, ()) = tokio::join!(searching, ended);
        done.map(|()| count)
    }

    const ENTRY_OF_1: &[u8] = b"\x30\x09\x02\x01\x01\x64\x04\x04\x00\x30\x00";
    const DONE_OF_1: &[u8] = b"\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00";

    #[tokio::test]
    async fn entries_count_only_when_the_server_says_that_these_were_all() {
        let whole = [ENTRY_OF_1, ENTRY_OF_1, DONE_OF_1].concat().leak();
        assert_eq!(searched(whole).await.unwrap(), 2);
        let part = [ENTRY_OF_1, ENTRY_OF_1].concat().leak();
        assert!(matches!(searched(part).await, Err(LdapError::Connection(_))));
    }

    #[tokio::test]
    async fn what_is_no_answer_to_the_question_is_refused() {
        let others = b"\x30\x0c\x02\x01\x09\x65\x07\x0a\x01\x00\x04\x00\x04\x00";
        assert!(matches!(searched(others).await, Err(LdapError::Malformed)));
        assert!(matches!(searched(b"HTTP/1.1 400").await, Err(LdapError::Malformed)));
        assert!(matches!(searched(b"\x30\x84\x7f\xff\xff\xff").await, Err(LdapError::TooLong(_))));
        let notice = b"\x30\x0c\x02\x01\x00\x78\x07\x0a\x01\x34\x04\x00\x04\x00";
        let error = searched(notice).await.unwrap_err().to_string();
        assert!(error.contains("52 (unavailable)"), "{error}");
        let limited = b"\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x04\x04\x00\x04\x00";
        let limited = [ENTRY_OF_1, limited].concat().leak();
        let error = searched(limited).await.unwrap_err().to_string();
        assert!(error.contains("size limit exceeded"), "{error}");
    }
}
