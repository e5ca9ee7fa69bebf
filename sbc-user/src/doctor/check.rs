use crate::closed_list::closed_list;

closed_list! {
    /// What `sbc doctor` looks at, in the order in which it tells.
    pub enum Check {
        /// The configuration and all that it names can be read, and nothing in it is hardly meant: what `sbc check` says.
        Configuration "configuration",
        /// The kernel's release: 6.1 or later.
        Kernel "kernel",
        /// The kernel describes its own types, so that tools can name what the filter holds.
        TypeInformation "btf",
        /// Programs of the kernel are compiled, not interpreted.
        Compiler "jit",
        /// Whoever asks may load the filter, or somebody has loaded it before.
        Privileges "privileges",
        /// Locked memory: not counted for filters by the kernels that are supported.
        LockedMemory "locked-memory",
        /// As many files can be open as connections are let in.
        OpenFiles "open-files",
        /// SYN cookies, the length of queues, what IPsec is asked of, and what rewrites SIP on its way.
        NetworkStack "network-stack",
        /// The clock is kept right. Certificates, signatures of calling numbers and challenges depend on it.
        Clock "clock",
        /// A BPF file system is there, or can be mounted, and nobody but root may remove what is pinned.
        BpfFileSystem "bpf-file-system",
        /// There is a control group whose sockets the second program can guard.
        ControlGroup "control-group",
        /// The filter is loaded and attached to the interface, and enforces or observes.
        Filter "filter",
        /// The outside interface is there, up, and begins its packets with an Ethernet header.
        Interface "interface",
        /// Its driver can run the filter by itself.
        Driver "driver",
        /// The largest packet: small enough for the filter, large enough for SIP over UDP.
        Mtu "mtu",
        /// What the network card joins before the filter could see it.
        Offloads "offloads",
        /// Queues of the interface against cores.
        Queues "queues",
        /// Nobody else's XDP program holds the interface.
        OtherPrograms "other-programs",
        /// Packets that claim to come from inside are refused on the outside.
        ReversePath "reverse-path",
        /// What this machine forwards past the SBC.
        Forwarding "forwarding",
        /// The addresses of listeners and towards the upstream are this machine's, on the interface that is meant.
        Addresses "addresses",
        /// The ports are free, or held by the daemon.
        Ports "ports",
        /// The names of targets and peers lead somewhere.
        Names "names",
        /// When our own certificates end.
        Certificates "certificates",
        /// What our own certificates are for, and what peers' have to be for.
        CertificateUsage "certificate-usage",
        /// When the authorities that are believed end.
        Authorities "authorities",
        /// When the revocation lists end.
        RevocationLists "revocation-lists",
        /// Files that are named are for their owner alone where that is asked, and the daemon's user can read them.
        Files "files",
        /// The state directory is there and can be written.
        StateDirectory "state-directory",
        /// The daemon runs, answers and gives signs of life.
        Daemon "daemon",
        /// The upstream's targets live.
        Upstream "upstream",
        /// Peers that we connect to live, and what proves the others is in order.
        Peers "peers",
        /// Users, and who of them is let in, are as fresh as they should be.
        Users "users",
        /// There is room for further proofs.
        TrustTable "trust-table",
        /// The daemon keeps up.
        Load "load",
    }
}
