use std::path::Path;

use crate::config::Config;
use crate::kernel::Pins;

pub(super) fn unload(path: &Path) -> anyhow::Result<()> {
    let config = Config::load(path)?;
    let pins = Pins::below(&config.kernel.bpf_file_system);
    let (interfaces, has_daemon) = (pins.interfaces(), pins.are_in_use());
    pins.unload()?;
    println!("detached from {}", interfaces.join(", "));
    if has_daemon {
        println!("the daemon goes on without it and screens whatever arrives");
    }
    Ok(())
}
