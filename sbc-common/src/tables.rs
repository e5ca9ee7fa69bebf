use crate::{Address, MonotonicNanos, Service, ServiceKey, Setting, SourceKey, TrustEntry};

/// What [`decide()`](crate::decide()) may ask. The kernel answers from maps, tests from host memory.
pub trait Tables {
    /// Says whether any protected service uses `port` (host byte order), over whatever protocol and at
    /// whatever address. The cheap first question that most traffic of a gateway ends with.
    fn serves_port(&self, port: u16) -> bool;

    /// The service protected under exactly this key.
    fn service(&self, key: &ServiceKey) -> Option<Service>;

    /// Says whether some service is protected under exactly this address.
    fn protects(&self, address: &Address) -> bool;

    /// The trust entry of exactly this source.
    fn trusted_source(&self, source: &SourceKey) -> Option<TrustEntry>;

    /// The trust entry of the longest prefix that contains `source`.
    fn trusted_prefix(&self, source: &Address) -> Option<TrustEntry>;

    /// One word of configuration.
    fn setting(&self, setting: Setting) -> u64;

    /// Spends one packet of the unknown lane's budget; `false` when it is spent.
    fn spend_unknown(&mut self) -> bool;

    /// The time. Asked only about a source that has an entry: reading a clock costs more than all of
    /// the rest of a stranger's drop.
    fn now(&self) -> MonotonicNanos;
}
