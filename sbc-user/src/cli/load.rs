use std::path::Path;

use super::filter::{attach_filter, filter_options};
use super::log::start_log;
use crate::border::Clock;
use crate::config::Config;
use crate::control;
use crate::kernel::{Filter, ServiceUser};

pub(super) fn load(path: &Path) -> anyhow::Result<()> {
    let config = Config::load(path)?;
    start_log(config.log, None);
    let user = config.kernel.user.as_deref().map(ServiceUser::find).transpose()?;
    if let Some(user) = user.as_ref().filter(|user| !user.is_root()) {
        prepare_control_directory(&config, user)?;
    }
    let (mut filter, tables) = Filter::load(&filter_options(&config))?;
    attach_filter(&mut filter, tables, &config, Clock::start())?;
    println!("attached to {}", config.interface.outside.name);
    Ok(())
}

/// The directory of the control socket is often root's, in `/run`.
fn prepare_control_directory(config: &Config, user: &ServiceUser) -> anyhow::Result<()> {
    let Some(directory) = config.control.socket.parent() else { return Ok(()) };
    control::make_directory(directory, user.gid)?;
    if !user.may_write_to(directory) {
        tracing::warn!(
            "user {:?} cannot make the control socket: `chgrp {} {directory}` and `chmod 1775 \
             {directory}`, or choose another control.socket",
            user.name,
            user.gid,
            directory = directory.display()
        );
    }
    Ok(())
}
