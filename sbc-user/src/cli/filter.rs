use crate::border::Clock;
use crate::config::Config;
use crate::kernel::{Filter, FilterOptions, KernelTables};
use crate::policy;
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
    ledger.table_mut().apply_services(&policy::protected_services(config))?;
    ledger.table_mut().apply_settings(&policy::filter_settings(config))?;
    let attached = filter.attach()?;
    tracing::info!(interface = config.interface.outside.name, ?attached, "filter attached");
    Ok(ledger)
}
