use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixListener;

use super::ControlError;
use crate::border::Border;
use crate::kernel::KernelTables;

/// Makes a directory that a group may make its sockets in, unless it is there already.
///
/// It is sticky: what stands in it beside them, such as the mount of the BPF file system, is removed by
/// its owner alone.
pub fn make_directory(directory: &Path, group: u32) -> Result<(), ControlError> {
    let failed = |cause| ControlError::Socket { path: directory.to_owned(), cause };
    if let Some(above) = directory.parent() {
        fs::create_dir_all(above).map_err(failed)?;
    }
    match fs::create_dir(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(failed(error)),
    }
    chown(directory, None, Some(group)).map_err(failed)?;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o1775)).map_err(failed)
}

/// The bound socket; its file is removed when it is dropped.
pub struct ControlServer {
    listener: UnixListener,
    path: PathBuf,
}

impl ControlServer {
    /// Binds the socket at `path`, for its owner only, in place of one that nobody answers at.
    pub fn bind(path: &Path) -> Result<Self, ControlError> {
        let failed = |cause| ControlError::Socket { path: path.to_owned(), cause };
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(ControlError::Taken(path.to_owned()));
        }
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(failed)?;
        }
        // A path that was mistyped must not cost anybody a file.
        match fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(path).map_err(failed)?,
            Ok(_) => return Err(ControlError::NotASocket(path.to_owned())),
            Err(_) => {}
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Answers whoever connects, one after the other, for ever.
    pub async fn serve(&self, border: Arc<Border<KernelTables>>) {
        loop {
            let Ok((mut stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let snapshot = border.status().map(|status| serde_json::to_vec(&status));
            let Ok(Ok(snapshot)) = snapshot else {
                tracing::error!("the status could not be read");
                continue;
            };
            let written = stream.write_all(&snapshot);
            // One who asks and does not read must not keep the others waiting.
            let _ = tokio::time::timeout(Duration::from_secs(5), written).await;
        }
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_that_nobody_answers_at_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());

        let server = ControlServer::bind(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(server);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_socket_that_somebody_answers_at_is_left_to_him() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        let _first = ControlServer::bind(&path).unwrap();

        let second = ControlServer::bind(&path);
        assert!(matches!(second, Err(ControlError::Taken(_))));
        assert!(path.exists());
    }

    #[tokio::test]
    async fn what_is_no_socket_is_not_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users.toml");
        fs::write(&path, "precious").unwrap();

        let bound = ControlServer::bind(&path);
        let error = bound.err().unwrap().to_string();
        assert!(error.contains("users.toml is no socket"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
