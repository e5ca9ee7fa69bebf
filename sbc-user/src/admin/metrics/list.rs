/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, until what counts it begins anew.
    Counter,
    /// It goes up and down.
    Gauge,
}

impl Kind {
    /// The name in the text format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

macro_rules! metrics {
    ($($(#[doc = $text:literal])+ $variant:ident $kind:ident $name:literal [$($label:literal),*],)+) => {
        /// Everything that is measured: the one closed list that names every metric and line of documentation about
        /// it.
        ///
        /// Labels are of closed lists or of the configuration: nothing that a stranger sends is one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Metric {
            $($(#[doc = $text])+ $variant,)+
        }

        impl Metric {
            /// Every metric, in the order in which they are told.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// How it behaves.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self { $(Self::$variant => Kind::$kind,)+ }
            }

            /// The names of its labels.
            #[must_use]
            pub const fn labels(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($label),*],)+ }
            }

            /// What it tells, in a sentence or two.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => concat!($($text),+).trim_ascii(),)+ }
            }
        }
    };
}

metrics! {
    /// The version that runs, as a label; always 1.
    BuildInfo Gauge "sbc_build_info" ["version"],

    /// The mode of the filter: 1 for the one in force, 0 for the other.
    FilterMode Gauge "sbc_filter_mode" ["mode"],
    /// Interfaces that the filter is attached to.
    FilterInterfaces Gauge "sbc_filter_interfaces" [],
    /// Whether a second filter guards the daemon's sockets.
    FilterGuardsSockets Gauge "sbc_filter_guards_sockets" [],
    /// Time since the daemon last told the filter that it lives; absent if it never did.
    FilterHeartbeatAge Gauge "sbc_filter_heartbeat_age_seconds" [],
    /// Whether everything passes because the daemon was silent for longer than it may be.
    FilterEnforcementEnded Gauge "sbc_filter_enforcement_ended" [],
    /// Frames that the filter has judged, by the reason of the verdict and what that says; while it observes all pass.
    FilterFrames Counter "sbc_filter_frames_total" ["reason", "action"],
    /// Their bytes, with the Ethernet header.
    FilterFrameBytes Counter "sbc_filter_frame_bytes_total" ["reason", "action"],
    /// The same frames with everything that they are counted under: the proof of the source's entry ("none" for
    /// strangers), the address family, and what was carried. A combination is told from its first frame on.
    FilterVerdicts Counter "sbc_filter_verdicts_total" ["reason", "lane", "family", "carrier"],
    /// Packets that the second filter has judged in front of the daemon's sockets.
    SocketPackets Counter "sbc_socket_packets_total" ["reason", "action"],
    /// Their bytes, without the Ethernet header.
    SocketPacketBytes Counter "sbc_socket_packet_bytes_total" ["reason", "action"],
    /// Samples of judged frames that found the kernel's ring full.
    FilterSamplesLost Counter "sbc_filter_samples_lost_total" [],

    /// Messages that the daemon has received from outside.
    MessagesReceived Counter "sbc_messages_received_total" ["transport"],
    /// What became of messages, those of the upstream included.
    Messages Counter "sbc_messages_total" ["outcome"],
    /// Requests of peers, and of all users together, that were relayed to the upstream or refused. The holder is
    /// "users", or "peer" and a name; what is refused in a peer's name over UDP may be forged.
    Requests Counter "sbc_requests_total" ["holder", "result"],
    /// Registrations among those that were relayed.
    Registrations Counter "sbc_registrations_total" ["holder"],
    /// Calls that the holder began ("from"), or that began to it ("to").
    Calls Counter "sbc_calls_total" ["holder", "direction"],
    /// Those of them that were answered.
    CallsAnswered Counter "sbc_calls_answered_total" ["holder", "direction"],
    /// Connections that were refused.
    ConnectionsRefused Counter "sbc_connections_refused_total" ["reason"],
    /// Sources that were banned, and those that would have been if bans were enforced.
    Bans Counter "sbc_bans_total" ["enforced"],
    /// How far the daemon is behind: 0 calm, 1 busy, 2 heavy, 3 critical.
    LoadLevel Gauge "sbc_load_level" [],
    /// By how much strangers' budget in the kernel is divided until it is calm again.
    StrangersSlowdown Gauge "sbc_strangers_slowdown_ratio" [],
    /// Samples of judged frames that the daemon has read.
    SamplesRead Counter "sbc_samples_read_total" [],
    /// Records of the kernel's ring that were no samples.
    SamplesUnreadable Counter "sbc_samples_unreadable_total" [],
    /// Samples that captures were too slow for.
    SamplesMissed Counter "sbc_samples_missed_total" [],

    /// Sources that are trusted, or denied, by the class of proof.
    TrustedSources Gauge "sbc_trusted_sources" ["proof"],
    /// Sources that there is room for.
    TrustTableCapacity Gauge "sbc_trust_table_capacity" [],
    /// Proofs that the kernel had no room for.
    TrustTableFull Counter "sbc_trust_table_full_total" [],

    /// Places that a target of the upstream was found at, by whether they live.
    UpstreamPlaces Gauge "sbc_upstream_places" ["target", "state"],
    /// Places that a peer's target was found at, by whether they live.
    PeerPlaces Gauge "sbc_peer_places" ["peer", "target", "state"],
    /// Sources that are trusted for a peer, by the class of proof.
    PeerSources Gauge "sbc_peer_sources" ["peer", "proof"],
    /// TLS connections that keep a peer's trust alive.
    PeerConnections Gauge "sbc_peer_tls_connections" ["peer"],
    /// IPsec associations that a peer's packets may come out of.
    PeerAssociations Gauge "sbc_peer_ipsec_associations" ["peer"],
    /// Networks of a peer for which IPsec proves nothing, or not all that is opened for them.
    PeerUnproven Gauge "sbc_peer_ipsec_unproven_networks" ["peer"],
    /// Names of a peer whose last look in the DNS has brought nothing new, so that what was said before holds.
    PeerNamesFailing Gauge "sbc_peer_names_failing" ["peer"],

    /// Users in force; absent if there are none, or if the upstream alone knows them.
    Users Gauge "sbc_users" [],
    /// Time since the users were last known to be those of the store.
    UsersAge Gauge "sbc_users_age_seconds" [],
    /// Whether the store could not be read when it was last asked.
    UsersFailing Gauge "sbc_users_failing" [],
    /// Users of the store by what the directory says of them: let-in or barred.
    DirectoryUsers Gauge "sbc_directory_users" ["state"],
    /// Time since an answer of the directory was believed.
    DirectoryAge Gauge "sbc_directory_age_seconds" [],
    /// Whether what the directory says now is not in force.
    DirectoryFailing Gauge "sbc_directory_failing" [],
    /// When a certificate of ours, or one between it and its authority, is over, since 1970.
    CertificateExpiry Gauge "sbc_certificate_expiry_timestamp_seconds" ["place"],

    /// Time of the CPUs that the process has used.
    ProcessCpu Counter "process_cpu_seconds_total" [],
    /// Memory of the process that is resident.
    ProcessResident Gauge "process_resident_memory_bytes" [],
    /// Memory of the process that has an address.
    ProcessVirtual Gauge "process_virtual_memory_bytes" [],
    /// Open files and sockets of the process.
    ProcessOpenFiles Gauge "process_open_fds" [],
    /// The most files and sockets that it may have open.
    ProcessMostFiles Gauge "process_max_fds" [],
    /// Threads of the process.
    ProcessThreads Gauge "process_threads" [],
    /// When the daemon began, since 1970.
    ProcessStart Gauge "process_start_time_seconds" [],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_say_what_they_count_in() {
        let mut names: Vec<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Metric::ALL.len());
        for metric in Metric::ALL {
            let name = metric.name();
            assert!(name.starts_with("sbc_") || name.starts_with("process_"), "{name}");
            let is_counter = metric.kind() == Kind::Counter;
            assert_eq!(name.ends_with("_total"), is_counter, "{name}");
            assert!(!metric.description().contains('\n') && metric.description().ends_with('.'));
        }
    }
}
