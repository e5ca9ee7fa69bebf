use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::config::{Config, SipTarget, TargetHost};
use crate::doctor::NameFact;
use crate::upstream::{FreshDns, Names, places, sources};

/// How long all questions about one name may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many names are looked up at a time.
const AT_ONCE: usize = 32;
const SILENT: &str = "the DNS does not answer";

/// Where the names of targets and peers lead.
pub(super) fn names(config: &Config) -> Vec<NameFact> {
    let mut asked = Vec::new();
    for target in &config.upstream.targets {
        asked.extend(Asked::target(&target.uri, "[upstream]"));
    }
    for peer in config.peers.iter() {
        let whose = format!("peer {:?}", peer.name);
        asked.extend(peer.target.as_ref().and_then(|target| Asked::target(target, &whose)));
        asked.extend(peer.names.iter().map(|name| Asked {
            name: name.to_string(),
            whose: whose.clone(),
            target: None,
        }));
    }
    if asked.is_empty() {
        return Vec::new();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (Ok(runtime), Ok(dns)) = (runtime, FreshDns::each(&config.dns.servers)) else {
        return asked
            .iter()
            .map(|asked| asked.fact(Err("there is no usable resolver".to_owned())))
            .collect();
    };
    let facts = runtime.block_on(ask_all(asked, dns));
    // Nobody waits for what the system still looks up.
    runtime.shutdown_background();
    facts
}

async fn ask_all(asked: Vec<Asked>, dns: Vec<FreshDns>) -> Vec<NameFact> {
    let dns = Arc::new(dns);
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut looks = JoinSet::new();
    for (position, asked) in asked.into_iter().enumerate() {
        let (dns, turns) = (Arc::clone(&dns), Arc::clone(&turns));
        looks.spawn(async move {
            let _turn = turns.acquire().await;
            let look = async {
                let mut said = Err(SILENT.to_owned());
                for server in dns.iter() {
                    said = asked.look_up(server).await;
                    if said.is_ok() {
                        break;
                    }
                }
                said
            };
            let said = tokio::time::timeout(PATIENCE, look).await;
            (position, asked.fact(said.unwrap_or_else(|_| Err(SILENT.to_owned()))))
        });
    }
    let mut facts = looks.join_all().await;
    facts.sort_by_key(|(position, _)| *position);
    facts.into_iter().map(|(_, fact)| fact).collect()
}

struct Asked {
    name: String,
    whose: String,
    /// Where requests go to; none for a name that they come from.
    target: Option<SipTarget>,
}

impl Asked {
    fn target(target: &SipTarget, whose: &str) -> Option<Self> {
        let TargetHost::Name(name) = &target.host else { return None };
        Some(Self { name: name.to_string(), whose: whose.to_owned(), target: Some(target.clone()) })
    }

    async fn look_up(&self, names: &impl Names) -> Result<usize, String> {
        let silent = |_| SILENT.to_owned();
        match &self.target {
            Some(target) => places(target, names).await.map(|it| it.records.len()).map_err(silent),
            None => sources(&self.name, names).await.map(|it| it.records.len()).map_err(silent),
        }
    }

    fn fact(&self, addresses: Result<usize, String>) -> NameFact {
        NameFact { name: self.name.clone(), whose: self.whose.clone(), addresses }
    }
}
