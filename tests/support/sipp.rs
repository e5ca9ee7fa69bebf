//! The `sipp` command as caller, as phone and as the server that answers.

use std::{fs, net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, bail};

use crate::{
    host::Host,
    process::Process,
    scratch::Scratch,
    sockets::{Protocol, wait_for_listener},
};

/// Ends a caller whose calls do not.
const PATIENCE: Duration = Duration::from_secs(30);

/// What one call consists of; each is a file in `scenarios/` of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// An INVITE without credentials is refused with one 407.
    ChallengedInvite,
    /// A call without credentials, answered and then ended by the caller.
    Call,
    /// A call whose INVITE is challenged once, and whose BYE may be.
    CallWithDigest,
    /// A call with digest that the caller gives up while it rings.
    CancelledCall,
    /// An INVITE whose credentials are wrong: another 407, or 403.
    RefusedCall,
    /// An INVITE that nobody answers: sent once, and two seconds of silence are success.
    InviteWithoutAnswer,
    /// A call without credentials, answered and then ended by the callee.
    HeldCall,
    /// A call without credentials that is answered, changed by a second INVITE, and ended.
    ChangedCall,
    /// A call whose ringing is reliable (RFC 3262), and which both sides change before it is answered.
    ReliableCall,
    /// A call in which both sides send INFO, UPDATE, MESSAGE, INVITE, REFER and NOTIFY.
    EventfulCall,
    /// A subscription that is notified, refreshed and ended.
    Subscription,
    /// A message outside of any dialog.
    Message,
    /// A call with digest to somebody who is busy.
    BusyCall,
    /// A registration that is challenged once and then accepted.
    Registration,
    /// The same from behind a NAT: Via and Contact name a private address.
    RegistrationBehindNat,
    /// The same of many phones: see [`Sipp::phones`].
    RegistrationOfMany,
    /// A registration whose credentials are wrong: another 401, or 403.
    RefusedRegistration,
    /// A registration that is challenged twice and then accepted.
    RegistrationAfterTwoChallenges,
    /// A registration that is challenged twice and then refused: a third 401, or 403.
    RegistrationRefusedAfterTwoChallenges,
    /// A call whose INVITE is challenged twice, and whose BYE may be.
    CallAfterTwoChallenges,
    /// The other side: answers a call and waits for its end; answers OPTIONS and REGISTER with 200.
    Answer,
    /// The other side: lets a call ring, answers it and waits for its end, for four more seconds if the answer to
    /// that is lost.
    AnswerAfterRinging,
    /// The other side: answers a call and one change of it, and waits for its end.
    AnswerChange,
    /// The other side of a reliable call.
    AnswerReliably,
    /// The other side of an eventful call, which it ends.
    AnswerEventfully,
    /// The other side of a subscription.
    Notify,
    /// The other side: takes a message.
    TakeMessage,
    /// The other side: answers a call and ends it.
    HangUp,
    /// The other side: is busy.
    Busy,
    /// The other side: lets a call ring until the caller gives up.
    Ring,
}

/// A run of the `sipp` command.
///
/// Debian's version, 3.6.1, computes digests with MD5 only, takes the first challenge that it reads, and
/// has no TLS.
#[derive(Clone, Debug)]
pub struct Sipp {
    scenario: Scenario,
    local: SocketAddr,
    remote: Option<SocketAddr>,
    transport: &'static str,
    caller: String,
    callee: String,
    domain: String,
    line: Option<String>,
    username: String,
    password: String,
    phones: Vec<[String; 2]>,
    calls: Option<u32>,
    rate: u32,
    pause: Duration,
}

/// How calls ended, and what was said.
#[derive(Clone, Debug)]
pub struct Calls {
    /// Calls that went through the scenario to its end.
    pub successful: u64,
    /// Calls that did not.
    pub failed: u64,
    /// All messages sent and received, as its log has them.
    pub messages: String,
    /// What it found wrong.
    pub errors: String,
}

/// A running `sipp`.
#[derive(Debug)]
pub struct Running {
    process: Process,
    scratch: Scratch,
}

impl Sipp {
    /// One call from `local` to `remote`, over UDP, from `sip:caller@example.com` to
    /// `sip:callee@example.com`.
    #[must_use]
    pub fn calling(scenario: Scenario, local: SocketAddr, remote: SocketAddr) -> Self {
        Self { remote: Some(remote), calls: Some(1), ..Self::answering(scenario, local) }
    }

    /// Waits for calls on `local`, over UDP, until it is stopped.
    #[must_use]
    pub fn answering(scenario: Scenario, local: SocketAddr) -> Self {
        Self {
            scenario,
            local,
            remote: None,
            transport: "u1",
            caller: "caller".to_owned(),
            callee: "callee".to_owned(),
            domain: "example.com".to_owned(),
            line: None,
            username: String::new(),
            password: String::new(),
            phones: Vec::new(),
            calls: None,
            rate: 10,
            pause: Duration::from_millis(100),
        }
    }

    /// Over one TCP connection.
    #[must_use]
    pub fn over_tcp(self) -> Self {
        Self { transport: "t1", ..self }
    }

    /// The user of From and Contact, and of To and the Request-URI when registering.
    #[must_use]
    pub fn from(self, caller: &str) -> Self {
        Self { caller: caller.to_owned(), ..self }
    }

    /// The user of To and of the Request-URI.
    #[must_use]
    pub fn to(self, callee: &str) -> Self {
        Self { callee: callee.to_owned(), ..self }
    }

    /// The host part of From, To and the Request-URI.
    #[must_use]
    pub fn domain(self, domain: &str) -> Self {
        Self { domain: domain.to_owned(), ..self }
    }

    /// One more header line of its first message.
    #[must_use]
    pub fn line(self, line: &str) -> Self {
        Self { line: Some(line.to_owned()), ..self }
    }

    /// What a challenge is answered with; also sets [`Self::from`].
    #[must_use]
    pub fn credentials(self, username: &str, password: &str) -> Self {
        let (username, password) = (username.to_owned(), password.to_owned());
        Self { caller: username.clone(), username, password, ..self }
    }

    /// Each of these users, with its password, calls once, over UDP from a port of its own.
    pub fn phones(self, users: &[[String; 2]]) -> Result<Self> {
        let calls = u32::try_from(users.len())?;
        Ok(Self { phones: users.to_vec(), transport: "un", calls: Some(calls), ..self })
    }

    /// How many calls are made, or waited for.
    #[must_use]
    pub fn calls(self, calls: u32) -> Self {
        Self { calls: Some(calls), ..self }
    }

    /// How many calls begin in a second, if it is not ten.
    #[must_use]
    pub fn rate(self, rate: u32) -> Self {
        Self { rate, ..self }
    }

    /// How long those of [`Scenario::Call`] talk and those of [`Scenario::AnswerAfterRinging`] ring, if it is not a
    /// tenth of a second.
    #[must_use]
    pub fn pausing(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// Runs it to its end.
    pub fn run(&self, host: &Host) -> Result<Calls> {
        self.start(host)?.finish()
    }

    /// Starts it; one that answers is ready when this returns.
    pub fn start(&self, host: &Host) -> Result<Running> {
        let scratch = Scratch::new()?;
        let more = self.line.as_ref().map(|line| format!("{line}\n      Max-Forwards: 70"));
        let scenario = self.scenario.xml();
        let scenario = more
            .map_or(scenario.to_owned(), |more| scenario.replacen("Max-Forwards: 70", &more, 1));
        scratch.write("scenario.xml", scenario)?;
        let mut command = if self.phones.is_empty() {
            host.command("sipp")
        } else {
            let files = self.phones.len() + 1024;
            let mut command = host.command("prlimit");
            command.args([&format!("--nofile={files}"), "sipp"]);
            command.args(["-max_socket", &(files - 512).to_string()]);
            command
        };
        if !self.phones.is_empty() {
            let lines: String = self.phones.iter().map(in_file).collect();
            scratch.write("phones.csv", format!("SEQUENTIAL\n{lines}"))?;
            command.args(["-inf", "phones.csv"]);
        }
        command.current_dir(scratch.path()).args(self.arguments());
        command.args(self.remote.map(|remote| remote.to_string()));
        let process = host.spawn("sipp", command)?;
        let running = Running { process, scratch };
        if self.remote.is_none() {
            let protocol = if self.transport == "u1" { Protocol::Udp } else { Protocol::Tcp };
            wait_for_listener(host, protocol, self.local.port(), PATIENCE)
                .with_context(|| running.process.output().unwrap_or_default())?;
        }
        Ok(running)
    }

    fn arguments(&self) -> Vec<String> {
        let local_port = self.local.port().to_string();
        let local = self.local.ip().to_string();
        let mut arguments: Vec<&str> = vec![
            "-sf",
            "scenario.xml",
            "-i",
            &local,
            "-p",
            &local_port,
            "-t",
            self.transport,
            "-s",
            &self.callee,
            "-key",
            "caller",
            &self.caller,
            "-key",
            "domain",
            &self.domain,
            "-au",
            &self.username,
            "-ap",
            &self.password,
            "-trace_stat",
            "-stf",
            "stat.csv",
            "-fd",
            "1",
            "-trace_msg",
            "-message_file",
            "messages",
            "-trace_err",
            "-error_file",
            "errors",
            "-nostdin",
        ];
        let auth_uri = if self.scenario.registers() {
            self.domain.clone()
        } else {
            format!("{}@{}", self.callee, self.domain)
        };
        arguments.extend(["-auth_uri", &auth_uri]);
        let (patience, calls) = (PATIENCE.as_secs().to_string(), self.calls.map(|n| n.to_string()));
        let (rate, pause) = (self.rate.to_string(), self.pause.as_millis().to_string());
        arguments.extend(["-d", &pause]);
        // As many calls at once as there are: sipp would begin fewer when some do not end.
        let at_once = calls.as_deref().unwrap_or("1");
        if self.remote.is_some() {
            arguments.extend(["-r", &rate, "-l", at_once]);
            // What is not answered is repeated for 32 seconds (RFC 3261 §17.1.2.2, timer F).
            let (whole, answer) =
                if self.phones.is_empty() { (&*patience, "10000") } else { ("60", "32000") };
            arguments.extend(["-timeout", whole, "-recv_timeout", answer]);
        }
        if let Some(calls) = &calls {
            arguments.extend(["-m", calls]);
        }
        arguments.into_iter().map(str::to_owned).collect()
    }
}

/// What the file says of a phone. A field is looked at for keywords, and a keyword not for fields.
fn in_file([user, password]: &[String; 2]) -> String {
    format!("{user};[authentication username={user} password={password}];\n")
}

impl Running {
    /// Waits until it has made all its calls.
    pub fn finish(mut self) -> Result<Calls> {
        let status = self.process.wait(PATIENCE * 2)?;
        // 1 is "at least one call failed", which the caller may want; 99 is "no call at all".
        if !matches!(status.code(), Some(0 | 1 | 99)) {
            bail!("{status}: {}{}", self.process.output()?, self.read("errors"));
        }
        self.calls()
    }

    /// Lets calls end, and ends it.
    pub fn stop(mut self) -> Result<Calls> {
        self.process.signal(libc::SIGUSR1)?;
        self.finish()
    }

    /// How calls ended so far: up to a second ago.
    pub fn calls(&self) -> Result<Calls> {
        let statistics = self.read("stat.csv");
        let mut lines = statistics.lines();
        let names = lines.next().unwrap_or_default();
        let values = lines.next_back().unwrap_or_default();
        let count = |wanted: &str| -> Result<u64> {
            let mut columns = names.split(';').zip(values.split(';'));
            let (_, value) = columns.find(|(name, _)| *name == wanted).with_context(|| {
                let said = self.process.output().unwrap_or_default();
                format!("{wanted} is not in sipp's statistics: {said}{}", self.read("errors"))
            })?;
            value.parse().with_context(|| format!("{wanted} is {value:?}"))
        };
        Ok(Calls {
            successful: count("SuccessfulCall(C)")?,
            failed: count("FailedCall(C)")?,
            messages: self.read("messages"),
            errors: self.read("errors"),
        })
    }

    /// The messages that it has sent and received so far.
    #[must_use]
    pub fn messages(&self) -> String {
        self.read("messages")
    }

    /// The process, for what else may be done to one.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// A file it writes; empty until it does.
    fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.scratch.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Scenario {
    /// Whether the Request-URI is the domain's own.
    fn registers(self) -> bool {
        matches!(
            self,
            Self::Registration
                | Self::RegistrationBehindNat
                | Self::RegistrationOfMany
                | Self::RefusedRegistration
                | Self::RegistrationAfterTwoChallenges
                | Self::RegistrationRefusedAfterTwoChallenges
                | Self::CallAfterTwoChallenges
        )
    }

    fn xml(self) -> &'static str {
        match self {
            Self::ChallengedInvite => include_str!("scenarios/challenged_invite.xml"),
            Self::Call => include_str!("scenarios/call.xml"),
            Self::CallWithDigest => include_str!("scenarios/call_with_digest.xml"),
            Self::CancelledCall => include_str!("scenarios/cancelled_call.xml"),
            Self::RefusedCall => include_str!("scenarios/refused_call.xml"),
            Self::InviteWithoutAnswer => include_str!("scenarios/invite_without_answer.xml"),
            Self::BusyCall => include_str!("scenarios/busy_call.xml"),
            Self::ChangedCall => include_str!("scenarios/changed_call.xml"),
            Self::ReliableCall => include_str!("scenarios/reliable_call.xml"),
            Self::EventfulCall => include_str!("scenarios/eventful_call.xml"),
            Self::Subscription => include_str!("scenarios/subscription.xml"),
            Self::Message => include_str!("scenarios/message.xml"),
            Self::AnswerReliably => include_str!("scenarios/answer_reliably.xml"),
            Self::AnswerEventfully => include_str!("scenarios/answer_eventfully.xml"),
            Self::Notify => include_str!("scenarios/notify.xml"),
            Self::TakeMessage => include_str!("scenarios/take_message.xml"),
            Self::HeldCall => include_str!("scenarios/held_call.xml"),
            Self::Registration => include_str!("scenarios/registration.xml"),
            Self::RegistrationBehindNat => include_str!("scenarios/registration_behind_nat.xml"),
            Self::RegistrationOfMany => include_str!("scenarios/registration_of_many.xml"),
            Self::RefusedRegistration => include_str!("scenarios/refused_registration.xml"),
            Self::RegistrationAfterTwoChallenges => {
                include_str!("scenarios/registration_after_two_challenges.xml")
            }
            Self::RegistrationRefusedAfterTwoChallenges => {
                include_str!("scenarios/registration_refused_after_two_challenges.xml")
            }
            Self::CallAfterTwoChallenges => {
                include_str!("scenarios/call_after_two_challenges.xml")
            }
            Self::Answer => include_str!("scenarios/answer.xml"),
            Self::Busy => include_str!("scenarios/busy.xml"),
            Self::HangUp => include_str!("scenarios/hang_up.xml"),
            Self::AnswerAfterRinging => include_str!("scenarios/answer_after_ringing.xml"),
            Self::AnswerChange => include_str!("scenarios/answer_change.xml"),
            Self::Ring => include_str!("scenarios/ring.xml"),
        }
    }
}
