//! Configurations that are read anew while connections last.

use std::fmt;
use std::sync::Arc;

use rustls::Error;
use rustls::pki_types::UnixTime;
use tokio::sync::watch;

use super::{ShownCertificate, TlsError};

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
    read: Box<dyn Fn() -> Result<Loaded<C>, TlsError> + Send + Sync>,
}

/// What a connection that uses a configuration is told of it.
pub struct Following<C>(watch::Receiver<Arc<Loaded<C>>>);

impl<C> Live<C> {
    /// Reads it with `read`, now and whenever it is asked to.
    pub fn new(
        read: impl Fn() -> Result<Loaded<C>, TlsError> + Send + Sync + 'static,
    ) -> Result<Arc<Self>, TlsError> {
        let (current, _) = watch::channel(Arc::new(read()?));
        Ok(Arc::new(Self { current, read: Box::new(read) }))
    }

    /// One that stays what it is.
    #[cfg(test)]
    pub(crate) fn of(loaded: Loaded<C>) -> Arc<Self> {
        let (current, _) = watch::channel(Arc::new(loaded));
        Arc::new(Self { current, read: Box::new(|| unreachable!("nobody reads it anew")) })
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

/// Files that can be read anew.
pub trait Renewable: Send + Sync {
    /// Reads them, and returns what puts what was read in force.
    fn read(&self) -> Result<Box<dyn FnOnce() + Send + '_>, TlsError>;
}

impl<C: Send + Sync> Renewable for Live<C> {
    fn read(&self) -> Result<Box<dyn FnOnce() + Send + '_>, TlsError> {
        let loaded = Arc::new((self.read)()?);
        Ok(Box::new(move || {
            self.current.send_replace(loaded);
        }))
    }
}

/// Puts in force what is in the files now: of all of them, or of none if one cannot be used.
pub fn renew(all: &[Arc<dyn Renewable>]) -> Result<(), TlsError> {
    let read = all.iter().map(|it| it.read()).collect::<Result<Vec<_>, _>>()?;
    for put_in_force in read {
        put_in_force();
    }
    Ok(())
}

#[cfg(test)]
impl Live<rustls::ClientConfig> {
    /// One with which nobody can be connected to.
    pub(crate) fn believing_nobody() -> Arc<Self> {
        struct Nobody;
        impl Judge for Nobody {
            fn judge(&self, _: &ShownCertificate, _: UnixTime) -> Result<(), Error> {
                Err(Error::General("nobody is believed".to_owned()))
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        Self::of(Loaded { config: Arc::new(config), judge: Arc::new(Nobody) })
    }
}
