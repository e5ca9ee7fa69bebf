//! Configurations that are read anew while connections last.

use std::fmt;
use std::sync::Arc;

use rustls::Error;
use rustls::pki_types::UnixTime;
use tokio::sync::watch;

use super::ShownCertificate;

/// Judges again a certificate that was found good before.
pub trait Judge: Send + Sync + 'static {
    /// Says what is wrong with it now.
    fn judge(&self, shown: &ShownCertificate, now: UnixTime) -> Result<(), Error>;
}

/// A configuration, and who judges in its handshakes.
pub struct Loaded<C> {
    /// The configuration.
    pub config: Arc<C>,
    /// Judges certificates as its handshakes do.
    pub judge: Arc<dyn Judge>,
}

/// A configuration that can be replaced while it is used.
pub struct Live<C> {
    current: watch::Sender<Arc<Loaded<C>>>,
}

/// What a connection that uses a configuration is told of it.
pub struct Following<C>(watch::Receiver<Arc<Loaded<C>>>);

impl<C> Live<C> {
    /// This one, for the time being.
    #[must_use]
    pub fn of(loaded: Loaded<C>) -> Arc<Self> {
        let (current, _) = watch::channel(Arc::new(loaded));
        Arc::new(Self { current })
    }

    /// Follows it from now on.
    #[must_use]
    pub fn follow(&self) -> Following<C> {
        Following(self.current.subscribe())
    }

    /// The one in force.
    #[must_use]
    pub fn current(&self) -> Arc<Loaded<C>> {
        Arc::clone(&self.current.borrow())
    }

    /// Is what `other` is from now on: who is connected is judged by that.
    pub fn become_like(&self, other: &Self) {
        self.current.send_replace(other.current());
    }

    /// Believes nobody from now on, whatever the files say: who is connected is so no longer.
    pub fn give_up(&self) {
        let before = self.current();
        let loaded = Loaded { config: Arc::clone(&before.config), judge: Arc::new(Nobody) };
        self.current.send_replace(Arc::new(loaded));
    }
}

/// Finds no certificate good.
struct Nobody;

impl Judge for Nobody {
    fn judge(&self, _: &ShownCertificate, _: UnixTime) -> Result<(), Error> {
        Err(Error::General("nobody is believed".to_owned()))
    }
}

impl<C> fmt::Debug for Live<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Live").finish_non_exhaustive()
    }
}

impl<C> Following<C> {
    /// The one in force, of which the next change will be told.
    pub fn current(&mut self) -> Arc<Loaded<C>> {
        Arc::clone(&self.0.borrow_and_update())
    }

    /// Waits until it was replaced, for ever where nobody can do so any more.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
impl Live<rustls::ClientConfig> {
    /// One with which nobody can be connected to.
    pub(crate) fn believing_nobody() -> Arc<Self> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        Self::of(Loaded { config: Arc::new(config), judge: Arc::new(Nobody) })
    }
}
