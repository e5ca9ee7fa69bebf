use crate::{
    Address, AssociationKey, Budget, Datagram, FirstSeen, Gate, Meter, MonotonicNanos, Packet,
    Service, ServiceKey, Setting, SourceKey, Standing, Transports, TrustEntry, look_up,
};

/// What [`decide()`](crate::decide()) may ask. The kernel answers from maps, tests from host memory.
pub trait Tables {
    /// The service protected under exactly this key.
    fn service(&self, key: &ServiceKey) -> Option<Service>;

    /// Says whether some service is protected at exactly this address.
    fn protects(&self, address: &Address) -> bool;

    /// A word of [`Coarse`](crate::Coarse). Asked of everybody; it may say too much of what the tables
    /// hold, and never too little.
    fn coarse(&self, word: u32) -> u64;

    /// A word of the [`Filter`](crate::Filter). The same holds.
    fn filter(&self, word: u32) -> u64;

    /// The trust entry of exactly this source.
    fn trusted_source(&self, source: &SourceKey) -> Option<TrustEntry>;

    /// The trust entry of the longest prefix that contains `source`.
    fn trusted_prefix(&self, source: &Address) -> Option<TrustEntry>;

    /// Where packets of an IPsec association come from. Asked only while [`Setting::AssociationsUntil`] is
    /// to come, of peers that may use IPsec.
    fn association(&self, key: &AssociationKey) -> Option<Address>;

    /// How a source stands of which `gate` says that something may be known. Whoever answers from
    /// elsewhere answers as [`look_up()`] does.
    #[inline(always)]
    fn look_up(&self, gate: Gate, source: Address, port: u16, transport: Transports) -> Standing
    where
        Self: Sized,
    {
        look_up(self, gate, source, port, transport)
    }

    /// One word of configuration.
    fn setting(&self, setting: Setting) -> u64;

    /// Spends one packet of what `meter` counts; `false` when the budget is spent.
    fn spend(&mut self, meter: Meter, budget: Budget) -> bool;

    /// What is remembered where `datagram` would stand.
    fn first_seen(&self, datagram: Datagram) -> FirstSeen;

    /// Remembers the first fragment of `datagram`.
    fn remember(&mut self, datagram: Datagram, seen: FirstSeen);

    /// Says whether an answer to the packet would leave by the interface that the packet came in by.
    /// Asked only where [`Setting::ReversePath`] says so, of trusted sources.
    fn returns_the_same_way(&self, packet: &Packet) -> bool;

    /// Says whether the network stack knows a connection that the TCP segment belongs to: one that stands,
    /// that is being made, or that the segment completes, because it brings back a SYN cookie. Asked only
    /// about segments to TLS listeners that do not ask for a connection.
    fn is_of_connection(&self, packet: &Packet) -> bool;

    /// The time. Asked about a source that has an entry, and before a drop where silence ends enforcement:
    /// reading a clock costs more than all of the rest of a stranger's drop.
    fn now(&self) -> MonotonicNanos;
}
