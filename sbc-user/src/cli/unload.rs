use std::path::Path;

use crate::config::Config;
use crate::kernel::Pins;

pub(super) fn unload(path: &Path) -> anyhow::Result<()> {
    let config = Config::load(path)?;
    let pins = Pins::below(&config.kernel.bpf_file_system);
    let (interfaces, has_daemon) = (pins.all_interfaces(), pins.are_in_use());
    let left = pins.unload()?;
    println!("detached from {}", interfaces.join(", "));
    for path in left {
        println!("{} is not of any sbc, and left alone", path.display());
    }
    if has_daemon {
        println!("the daemon goes on without it and screens whatever arrives");
    }
    Ok(())
}
