use std::path::Path;

use crate::config::Config;
use crate::kernel::Pins;

pub(super) fn unload(path: &Path) -> anyhow::Result<()> {
    let config = Config::load(path)?;
    let pins = Pins::below(&config.kernel.bpf_file_system);
    let interfaces = pins.interfaces();
    pins.unload()?;
    println!("detached from {}", interfaces.join(", "));
    Ok(())
}
