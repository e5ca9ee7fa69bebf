use sbc_common::{Prefix, SourceKey, TrustEntry};

use crate::kernel::{KernelError, KernelTables};

/// Where trust takes effect.
pub trait TrustTable {
    /// Enters or replaces the trust in one source.
    fn trust_source(&mut self, key: &SourceKey, entry: &TrustEntry) -> Result<(), KernelError>;
    /// Removes the trust in one source; it is no error if there is none.
    fn distrust_source(&mut self, key: &SourceKey) -> Result<(), KernelError>;
    /// Every source with an entry.
    fn sources(&self) -> Vec<(SourceKey, TrustEntry)>;
    /// Enters or replaces the trust in a prefix.
    fn trust_prefix(&mut self, prefix: Prefix, entry: &TrustEntry) -> Result<(), KernelError>;
    /// Removes the trust in a prefix; it is no error if there is none.
    fn distrust_prefix(&mut self, prefix: Prefix) -> Result<(), KernelError>;
    /// Every prefix with an entry.
    fn prefixes(&self) -> Vec<(Prefix, TrustEntry)>;
}

impl TrustTable for KernelTables {
    fn trust_source(&mut self, key: &SourceKey, entry: &TrustEntry) -> Result<(), KernelError> {
        self.trust_source(key, entry)
    }

    fn distrust_source(&mut self, key: &SourceKey) -> Result<(), KernelError> {
        self.distrust_source(key)
    }

    fn sources(&self) -> Vec<(SourceKey, TrustEntry)> {
        self.sources()
    }

    fn trust_prefix(&mut self, prefix: Prefix, entry: &TrustEntry) -> Result<(), KernelError> {
        self.trust_prefix(prefix, entry)
    }

    fn distrust_prefix(&mut self, prefix: Prefix) -> Result<(), KernelError> {
        self.distrust_prefix(prefix)
    }

    fn prefixes(&self) -> Vec<(Prefix, TrustEntry)> {
        self.prefixes()
    }
}
