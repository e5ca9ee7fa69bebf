use crate::border::Clock;
use crate::config::{Config, Proof};
use crate::kernel::{AtSockets, Attached, Filter, FilterOptions, KernelTables};
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
        socket_filter: config.kernel.socket_filter,
        cgroup: config.kernel.cgroup.clone(),
    }
}

/// Tells a filter the whole policy, and only then lets it judge packets.
pub(super) fn attach_filter(
    filter: &mut Filter,
    tables: KernelTables,
    config: &Config,
    clock: Clock,
) -> anyhow::Result<Ledger<KernelTables>> {
    let mut ledger = change_policy(tables, config, clock)?;
    let (attached, at_sockets) = filter.attach(ledger.table_mut())?;
    tracing::info!(interface = config.interface.outside.name, ?attached, "filter attached");
    if attached == Attached::Generic && config.peers.iter().any(|it| it.requires(Proof::Ipsec)) {
        tracing::warn!(
            "the filter is attached in the network stack, not in the driver: what comes out of an IPsec \
             tunnel may meet it again, and is dropped then"
        );
    }
    match at_sockets {
        AtSockets::Impossible(error) => tracing::warn!(
            "what comes in by another interface or out of a tunnel is not filtered in front of the \
             daemon's sockets: {error}"
        ),
        AtSockets::Attached | AtSockets::InPlace | AtSockets::Before | AtSockets::Off => {
            tracing::info!(?at_sockets, "filter in front of the daemon's sockets");
        }
    }
    Ok(ledger)
}

/// Puts the policy of `config` in the place of whatever `tables` hold, while packets are judged by them:
/// nobody whom both policies let through is dropped, and nobody passes whom both of them drop.
///
/// What lets more pass comes first and what lets less pass comes last, so that in between nothing is
/// carried out that one of the policies only observes. Whom the new policy trusts is entered before its
/// services are protected, and whom it does not trust is removed after the old ones are given up: to a
/// service that only one of them protects, nobody is a stranger before or after.
fn change_policy(
    mut tables: KernelTables,
    config: &Config,
    clock: Clock,
) -> anyhow::Result<Ledger<KernelTables>> {
    let settings = policy::filter_settings(config);
    tables.widen(&settings)?;
    let (mut ledger, stale) = Ledger::begin_beside(tables, config, clock.monotonic())?;
    ledger.table_mut().apply_services(&policy::protected_services(config))?;
    stale.remove(ledger.table_mut())?;
    ledger.table_mut().apply_settings(&settings)?;
    // A filter that has let everything pass for want of a daemon enforces from here on. Before it is told
    // what silence does: it would take the time since the last daemon for one.
    ledger.table_mut().beat(clock.monotonic())?;
    ledger.table_mut().end_enforcement_after(config.kernel.longest_silence())?;
    Ok(ledger)
}
