use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sbc_common::Mode;

use super::file::FilterMode;
use super::{Config, ConfigError, Outline, contradiction, mistake};

impl Config {
    /// Reads a file. Relative paths in it start at its directory.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
        Self::parse(&text, path)
    }

    /// Reads the text of a file that stands at `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|cause| ConfigError::Syntax {
            path: path.to_owned(),
            meant: mistake::meant(cause.message()),
            cause: Box::new(cause),
        })?;
        contradiction::refuse(&config).map_err(|(place, problem)| ConfigError::Contradiction {
            path: path.to_owned(),
            spot: mistake::spot_of(text, &place, &problem),
            place,
            problem,
        })?;
        config.outline = Arc::new(Outline::of(text));
        config.resolve_paths(path.parent().unwrap_or(Path::new(".")));
        Ok(config)
    }

    /// Whether verdicts are carried out.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        match self.mode {
            FilterMode::Observe => Mode::Observe,
            FilterMode::Enforce => Mode::Enforce,
        }
    }

    fn resolve_paths(&mut self, directory: &Path) {
        let resolve = |path: &mut PathBuf| *path = directory.join(&path);
        resolve(&mut self.state_directory);
        resolve(&mut self.kernel.bpf_file_system);
        resolve(&mut self.control.socket);
        self.admin.iter_mut().flat_map(|admin| &mut admin.token_file).for_each(resolve);
        if let Some(tls) = &mut self.tls {
            tls.resolve_paths(directory);
        }
        if let Some(tls) = &mut self.upstream.tls {
            tls.resolve_paths(directory);
        }
        for peer in self.peers.iter_mut() {
            peer.certificate.resolve_paths(directory);
        }
        if let Some(stir) = &mut self.stir {
            stir.resolve_paths(directory);
        }
        if let Some(users) = &mut self.users {
            users.store.resolve_paths(directory);
            if let Some(postgres) = &mut users.postgres {
                postgres.resolve_paths(directory);
            }
        }
        if let Some(of_users) = &mut self.directory {
            of_users.resolve_paths(directory);
        }
    }
}
