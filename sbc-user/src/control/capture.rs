use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{CaptureLine, CaptureRequest, SampleLine};
use crate::border::InForce;
use crate::kernel::{KernelTables, interface_name};
use crate::samples::Sample;

/// How long somebody may take nothing before he is given up: others wait for his place.
const PATIENCE: Duration = Duration::from_mins(1);
/// How many samples are written at once.
const BATCH: usize = 64;

/// Sends samples until the asker leaves, or takes nothing for too long.
pub(super) async fn send(
    mut stream: UnixStream,
    in_force: &InForce<KernelTables>,
    request: &CaptureRequest,
) {
    let watch = request.filter().and_then(|filter| {
        in_force.border().samples().watch(filter, request.recent).map_err(|full| full.to_string())
    });
    let (mut reading, mut writing) = stream.split();
    let mut lines = Lines::new(in_force);
    let mut watch = match watch {
        Ok(watch) => watch,
        Err(why) => {
            lines.add(&CaptureLine::Refused(why));
            let _ = timeout(PATIENCE, writing.write_all(&lines.text)).await;
            return;
        }
    };
    let recent = std::mem::take(&mut watch.recent);
    for batch in recent.chunks(BATCH) {
        for sample in batch {
            lines.add_sample(sample);
        }
        if !written(&mut writing, &mut lines.text).await {
            return;
        }
    }
    drop(recent);
    lines.add(&CaptureLine::Live);
    let (mut told, mut batch) = (0, Vec::with_capacity(BATCH));
    loop {
        if !written(&mut writing, &mut lines.text).await {
            return;
        }
        tokio::select! {
            count = watch.queue.recv_many(&mut batch, BATCH) => if count == 0 { return },
            // He has nothing more to ask: he ends, and hears how much he missed.
            _ = reading.read_u8() => break,
        }
        for sample in batch.drain(..) {
            lines.add_sample(&sample);
        }
        let missed = watch.missed();
        if missed > told {
            lines.add(&CaptureLine::Missed(missed));
            told = missed;
        }
    }
    lines.add(&CaptureLine::Missed(watch.missed()));
    written(&mut writing, &mut lines.text).await;
}

/// Writes and forgets `text`; false if nobody takes it.
async fn written(writing: &mut (impl AsyncWrite + Unpin), text: &mut Vec<u8>) -> bool {
    let mut rest = &text[..];
    while !rest.is_empty() {
        match timeout(PATIENCE, writing.write(rest)).await {
            Ok(Ok(count)) if count > 0 => rest = rest.get(count..).unwrap_or_default(),
            Ok(_) | Err(_) => return false,
        }
    }
    text.clear();
    true
}

/// Lines that are about to be written.
struct Lines<'a> {
    in_force: &'a InForce<KernelTables>,
    text: Vec<u8>,
    /// The interface that the last sample arrived on.
    interface: Option<(u32, String)>,
}

impl<'a> Lines<'a> {
    const fn new(in_force: &'a InForce<KernelTables>) -> Self {
        Self { in_force, text: Vec::new(), interface: None }
    }

    fn add_sample(&mut self, sample: &Arc<Sample>) {
        let interface = self.interface_name(sample.interface);
        let line = SampleLine::of(sample, self.in_force.border().holder(sample), interface);
        self.add(&CaptureLine::Sample(Box::new(line)));
    }

    fn add(&mut self, line: &CaptureLine) {
        // Writing plain structs to memory does not fail.
        if serde_json::to_writer(&mut self.text, line).is_ok() {
            self.text.push(b'\n');
        }
    }

    fn interface_name(&mut self, index: u32) -> String {
        match &self.interface {
            Some((known, name)) if *known == index => name.clone(),
            _ => {
                let name = interface_name(index).unwrap_or_else(|| format!("interface {index}"));
                self.interface = Some((index, name.clone()));
                name
            }
        }
    }
}
