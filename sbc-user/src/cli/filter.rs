use sbc_common::{Address, Protocol, Service};

use crate::border::Clock;
use crate::config::{Config, TunnelPolicy};
use crate::kernel::{Filter, FilterOptions, FilterSettings, KernelTables, ProtectedService};
use crate::transport::Transport;
use crate::trust::Ledger;

/// What the kernel is to load for a configuration.
pub(super) fn filter_options(config: &Config) -> FilterOptions {
    let outside = &config.interface.outside;
    FilterOptions {
        interface: outside.name.clone(),
        mode: outside.xdp,
        bpf_file_system: config.kernel.bpf_file_system.clone(),
        trust_capacity: config.kernel.trust_entries,
        user: config.kernel.user.clone(),
    }
}

/// Tells a filter the whole policy, and only then lets it judge packets.
pub(super) fn attach_filter(
    filter: &mut Filter,
    tables: KernelTables,
    config: &Config,
    clock: Clock,
) -> anyhow::Result<Ledger<KernelTables>> {
    // Trust before services before mode: a filter that is adopted from a previous run must not drop
    // a source that the new policy trusts.
    let mut ledger = Ledger::begin(tables, config, clock.monotonic())?;
    ledger.table_mut().apply_services(&protected_services(config))?;
    let outside = &config.interface.outside;
    ledger.table_mut().apply_settings(&FilterSettings {
        mode: config.mode(),
        unknown: config.unknown.action.into(),
        unknown_budget: config.unknown.budget.budget(),
        tls_attempts: config.limits.tls_attempts.budget(),
        tls_attempts_from: config.limits.tls_attempts_per_network.budget(),
        early_fragments: config.limits.early_fragments.budget(),
        hop_limits: outside.hop_limits.into(),
        reverse_path: outside.reverse_path.into(),
        tunnels_pass: outside.tunnels == TunnelPolicy::Pass,
    })?;
    let attached = filter.attach()?;
    tracing::info!(interface = outside.name, ?attached, "filter attached");
    Ok(ledger)
}

fn protected_services(config: &Config) -> Vec<ProtectedService> {
    let services = config.listen.iter().map(|listen| {
        let (protocol, service) = match listen.transport {
            Transport::Udp => (Protocol::Udp, Service::ClearSip),
            Transport::Tcp => (Protocol::Tcp, Service::ClearSip),
            Transport::Tls => (Protocol::Tcp, Service::Tls),
        };
        let address = Address::from(listen.address.ip());
        ProtectedService { address, port: listen.address.port(), protocol, service }
    });
    // The network stack takes a packet to any address of the machine on any interface.
    let inside = ProtectedService {
        address: Address::from(config.upstream.address.ip()),
        port: config.upstream.address.port(),
        protocol: Protocol::Udp,
        service: Service::Inside,
    };
    services.chain([inside]).collect()
}
