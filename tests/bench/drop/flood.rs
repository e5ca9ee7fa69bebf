//! The flood: a process that does nothing but let the kernel run our program on frames of its own.

use std::{env, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use aya::{
    EbpfLoader,
    programs::{RawTracePoint, TestRun as _, TestRunAttrs, TestRunOptions, Xdp},
};
use clap::ValueEnum as _;
use sbc_tests::{Host, Process};

use crate::{
    cores,
    frames::{Template, Traffic},
    placement::Cores,
    receiver::Receiver,
};

/// Frames per batch, a power of two; the receiver's queue takes 256.
const BATCH: u32 = 64;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[arg(long)]
    object: PathBuf,
    #[arg(long)]
    interface: u32,
    /// The thread that receives on another core, or zero.
    #[arg(long)]
    receiver: u32,
    #[arg(long)]
    core: usize,
    #[arg(long, value_enum)]
    traffic: Traffic,
}

/// Starts it on `host`. It ends when the process is dropped.
pub(crate) fn start(
    host: &Host,
    object: &std::path::Path,
    receiver: &Receiver,
    cores: &Cores,
    traffic: Traffic,
) -> Result<Process> {
    let traffic = traffic.to_possible_value().context("a kind of traffic without a name")?;
    let mut command = host.command(env::current_exe().context("finding our own program")?);
    command.arg("flood").arg("--object").arg(object);
    command.args(["--interface", &receiver.way_here.to_string()]);
    command.args(["--receiver", &receiver.thread_elsewhere(cores).to_string()]);
    command.args(["--core", &cores.flood.to_string()]);
    command.args(["--traffic", traffic.get_name()]);
    host.spawn("the flood", command)
}

/// Is it.
pub(crate) fn run(options: &Options) -> Result<()> {
    cores::pin(0, options.core)?;
    let template = Template::of(options.traffic);
    let mut object = EbpfLoader::new()
        .override_global("INTERFACE", &options.interface, true)
        .override_global("BATCH", &BATCH, true)
        .override_global("RECEIVER", &options.receiver, true)
        .override_global("FAMILY", &template.family, true)
        .override_global("CHECKSUM_BASE", &template.checksum_base, true)
        .load_file(&options.object)
        .context("loading the flood's object")?;
    for (program, event) in [("queued", "xdp_devmap_xmit"), ("taken", "napi_poll")] {
        let observer: &mut RawTracePoint = object
            .program_mut(program)
            .with_context(|| format!("no {program} in it"))?
            .try_into()?;
        observer.load().with_context(|| format!("loading {program}"))?;
        observer.attach(event).with_context(|| format!("observing {event}"))?;
    }
    let program: &mut Xdp = object.program_mut("flood").context("no flood in it")?.try_into()?;
    program.load().context("loading the flood")?;
    // One call: between two there would be a gap of many milliseconds. At ten million a second this
    // one lasts seven minutes, and whoever started us kills us long before.
    program
        .test_run(TestRunOptions {
            data_in: Some(&template.frame),
            repeat: u32::MAX,
            attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
            ..TestRunOptions::new()
        })
        .context("letting the kernel send")?;
    bail!("the flood ended by itself")
}
