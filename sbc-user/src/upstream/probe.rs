//! Asking targets whether they live.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::{Health, Pool, Target};
use crate::config::Probe;
use crate::sip::{Message, StartLine};
use crate::transport::{Flow, Outbox, Transport};

/// The beginning of the branch of each question.
const BRANCH: &str = "z9hG4bKprobe";
/// RFC 3261 §17.1.2.2, timer E: over UDP a question is repeated so long after it was asked.
const REPETITIONS: [Duration; 2] = [Duration::from_millis(500), Duration::from_millis(1500)];

/// The questions that are not answered yet, by what makes each its own: nobody but the target knows it.
#[derive(Debug, Default)]
pub(super) struct Questions(Mutex<HashMap<String, Question>>);

#[derive(Debug)]
struct Question {
    /// Where it was sent, and where the answer must come from.
    to: Flow,
    health: Arc<Health>,
    message: Vec<u8>,
}

/// Says whether a message is one of our questions, or answers one.
#[must_use]
pub fn is_probe(message: &Message<'_>) -> bool {
    message.top_via().branch.is_some_and(|branch| branch.starts_with(BRANCH.as_bytes()))
}

impl Pool {
    /// Takes note of an answer that arrived on `arrival`; says whether it was one to a question of ours that
    /// came from whoever was asked. Whoever answers lives, except with 503.
    pub fn is_answered(&self, response: &Message<'_>, arrival: &Flow) -> bool {
        let (Some(policy), StartLine::Response { status, .. }) =
            (&self.probe, response.start_line())
        else {
            return false;
        };
        let branch = response.top_via().branch.unwrap_or_default();
        let Some(name) = branch.strip_prefix(BRANCH.as_bytes()) else { return false };
        let Ok(name) = std::str::from_utf8(name) else { return false };
        let mut questions = self.questions.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from = Flow { connection: 0, ..*arrival };
        if questions.get(name).is_none_or(|question| question.to != from) {
            return false;
        }
        if status < 200 {
            return true;
        }
        let Some(question) = questions.remove(name) else { return false };
        drop(questions);
        if status == 503 {
            failed(&question, policy, "it answers 503");
        } else if question.health.succeeded(policy.successes) {
            tracing::info!(target = %question.to, "a target of the upstream lives again");
        }
        true
    }

    /// Asks every target, again and again. Ends at once for a pool that is not probed.
    pub async fn keep_asking(&self, outbox: &Outbox, listeners: &[(Transport, SocketAddr)]) {
        let Some(policy) = &self.probe else { return };
        let mut rounds = interval(policy.interval());
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            self.ask_all(policy, outbox, listeners).await;
        }
    }

    async fn ask_all(
        &self,
        policy: &Probe,
        outbox: &Outbox,
        listeners: &[(Transport, SocketAddr)],
    ) {
        let start = Instant::now();
        for target in self.targets().iter() {
            let Some((_, own)) = listeners.get(usize::from(target.flow.listener)) else { continue };
            let mut random = [0; 16];
            if let Err(error) = getrandom::fill(&mut random) {
                tracing::error!(%error, "no randomness: targets are not asked");
                return;
            }
            let name = format!("{:032x}", u128::from_ne_bytes(random));
            let message = question(&name, target, *own);
            let (to, health) = (target.flow, Arc::clone(&target.health));
            let question = Question { to, health, message: message.clone() };
            self.unanswered(|questions| questions.insert(name, question));
            let _ = outbox.send(&to, message);
        }
        let timeout = policy.timeout();
        for pause in REPETITIONS.into_iter().filter(|pause| *pause < timeout) {
            sleep_until(start + pause).await;
            let again: Vec<_> = self.unanswered(|questions| {
                let over_udp = questions.values().filter(|it| !it.to.transport.is_stream());
                over_udp.map(|question| (question.to, question.message.clone())).collect()
            });
            for (to, message) in again {
                let _ = outbox.send(&to, message);
            }
        }
        sleep_until(start + timeout).await;
        for question in self.unanswered(std::mem::take).values() {
            failed(question, policy, "it does not answer");
        }
    }

    fn unanswered<R>(&self, act: impl FnOnce(&mut HashMap<String, Question>) -> R) -> R {
        act(&mut self.questions.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn failed(question: &Question, policy: &Probe, why: &str) {
    if question.health.failed(policy.failures) {
        tracing::warn!(target = %question.to, why, "a target of the upstream is dead");
    }
}

/// RFC 3261 §11.1.
fn question(name: &str, target: &Target, own: SocketAddr) -> Vec<u8> {
    let Flow { transport, remote, .. } = target.flow;
    let parameter = match transport {
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
        Transport::Tls => ";transport=tls",
    };
    let address = own.ip();
    format!(
        "OPTIONS sip:{remote}{parameter} SIP/2.0\r\n\
         Via: SIP/2.0/{transport} {own};branch={BRANCH}{name};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:sbc@{own}>;tag={name}\r\n\
         To: <sip:{remote}{parameter}>\r\n\
         Call-ID: {name}\r\n\
         CSeq: 1 OPTIONS\r\n\
         Contact: <sip:{own}{parameter}>\r\n\
         User-Agent: sbc at {address}\r\n\
         Accept: application/sdp\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests;
