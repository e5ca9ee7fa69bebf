use std::time::Duration;

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

/// A zone, as lines of a zone file without class and lifetime; `silent` is a name that is not answered, perhaps
/// only for one type, which is written before it.
struct Zone {
    text: &'static str,
    silent: &'static str,
}

impl Zone {
    fn records(&self, name: &str, kind: &str) -> Result<Vec<Vec<&'static str>>, NoAnswer> {
        let name = name.trim_end_matches('.');
        if name == self.silent || format!("{kind} {name}") == self.silent {
            return Err(NoAnswer);
        }
        let lines = self.text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let wanted = [name, kind];
        Ok(lines
            .filter(|it| it.len() > 2 && it[..2] == wanted)
            .map(|it| it[2..].to_vec())
            .collect())
    }
}

fn answer<T>(records: Vec<T>) -> Answer<T> {
    Answer { records, until: Instant::now() + MINUTE, is_whole: true }
}

impl Names for Zone {
    async fn services(&self, name: &str) -> Result<Answer<Service>, NoAnswer> {
        let service = |record: Vec<&str>| Service {
            order: (record[0].parse().unwrap(), record[1].parse().unwrap()),
            transport: match record[2] {
                "SIP+D2U" => Transport::Udp,
                "SIP+D2T" => Transport::Tcp,
                _ => Transport::Tls,
            },
            replacement: record[3].to_owned(),
        };
        Ok(answer(self.records(name, "NAPTR")?.into_iter().map(service).collect()))
    }

    async fn servers(&self, name: &str) -> Result<Answer<Server>, NoAnswer> {
        let server = |record: Vec<&str>| Server {
            priority: record[0].parse().unwrap(),
            weight: record[1].parse().unwrap(),
            port: record[2].parse().unwrap(),
            host: record[3].to_owned(),
        };
        Ok(answer(self.records(name, "SRV")?.into_iter().map(server).collect()))
    }

    async fn addresses(&self, name: &str) -> Result<Answer<IpAddr>, NoAnswer> {
        let records = self.records(name, "A")?.into_iter().chain(self.records(name, "AAAA")?);
        Ok(answer(records.map(|record| record[0].parse().unwrap()).collect()))
    }
}

async fn found(target: &str, text: &'static str) -> Vec<String> {
    let target: SipTarget = target.parse().unwrap();
    let found = places(&target, &Zone { text, silent: "silent.example" }).await.unwrap();
    let left = found.until.saturating_duration_since(Instant::now());
    assert!(left <= super::super::directory::LONGEST);
    let text = |it: &Found| format!("{:x} {} {} {}", it.order, it.weight, it.transport, it.remote);
    found.records.iter().map(text).collect()
}

const FULL: &str = "\
    pbx.example NAPTR 20 1 SIP+D2U _sip._udp.pbx.example
    pbx.example NAPTR 10 2 SIP+D2T tcp.pbx.example
    pbx.example NAPTR 10 1 SIPS+D2T _sips._tcp.pbx.example
    _sips._tcp.pbx.example SRV 1 5 5061 a.pbx.example
    tcp.pbx.example SRV 2 0 5070 a.pbx.example
    tcp.pbx.example SRV 1 7 5071 b.pbx.example
    _sip._udp.pbx.example SRV 1 1 5060 .
    _sip._tcp.pbx.example SRV 9 9 5099 b.pbx.example
    a.pbx.example A 10.0.0.5
    a.pbx.example AAAA 2001:db8::5
    b.pbx.example A 10.0.0.6
    pbx.example A 10.0.0.9";

#[tokio::test]
async fn without_port_and_transport_naptr_chooses_then_srv_then_the_addresses() {
    let expected = [
        "1 5 TLS 10.0.0.5:5061",
        "1 5 TLS [2001:db8::5]:5061",
        "10001 7 TCP 10.0.0.6:5071",
        "10002 1 TCP 10.0.0.5:5070",
        "10002 1 TCP [2001:db8::5]:5070",
    ];
    assert_eq!(found("sip:pbx.example", FULL).await, expected);
}

#[tokio::test]
async fn a_transport_that_is_written_asks_srv_only_and_a_port_neither() {
    assert_eq!(found("sip:pbx.example;transport=tcp", FULL).await, ["9 9 TCP 10.0.0.6:5099"]);
    assert_eq!(found("sips:pbx.example", FULL).await[0], "1 5 TLS 10.0.0.5:5061");
    assert_eq!(found("sip:pbx.example:5088", FULL).await, ["0 1 UDP 10.0.0.9:5088"]);
    assert_eq!(found("sips:pbx.example:5088", FULL).await, ["0 1 TLS 10.0.0.9:5088"]);
}

#[tokio::test]
async fn without_any_of_these_records_the_host_is_reached_at_its_address() {
    let host = "host.example A 10.0.0.9";
    assert_eq!(found("sip:host.example", host).await, ["0 1 UDP 10.0.0.9:5060"]);
    assert_eq!(found("sips:host.example", host).await, ["0 1 TLS 10.0.0.9:5061"]);
    assert_eq!(found("sip:other.example", host).await, [""; 0]);
    let srv = "_sip._tcp.pbx.example SRV 1 1 5070 host.example\nhost.example A 10.0.0.9";
    assert_eq!(found("sip:pbx.example", srv).await, ["10001 1 TCP 10.0.0.9:5070"]);
}

#[tokio::test]
async fn the_best_are_taken_whatever_order_the_dns_has_them_in() {
    let line = |priority| format!("_sip._udp.pbx.example SRV {priority} 1 5060 a.pbx.example\n");
    let mut text: Vec<_> = (1..=20).rev().map(line).collect();
    text.push("a.pbx.example A 10.0.0.5\na.pbx.example AAAA 2001:db8::5".to_owned());
    let found = found("sip:pbx.example;transport=udp", text.concat().leak()).await;
    let expected = (1..=8).flat_map(|priority| {
        ["10.0.0.5:5060", "[2001:db8::5]:5060"].map(|at| format!("{priority:x} 1 UDP {at}"))
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
}

async fn found_beside(silent: &'static str, target: &str) -> Result<Vec<String>, NoAnswer> {
    let target: SipTarget = target.parse().unwrap();
    let found = places(&target, &Zone { text: FULL, silent }).await?;
    assert!(found.until <= Instant::now() + super::super::directory::PAUSE, "asked again soon");
    Ok(found.records.iter().map(|it| format!("{} {}", it.transport, it.remote)).collect())
}

#[tokio::test]
async fn one_name_that_is_not_answered_takes_nothing_from_the_others() {
    let a = ["TLS 10.0.0.5:5061", "TLS [2001:db8::5]:5061"];
    let tcp = ["TCP 10.0.0.5:5070", "TCP [2001:db8::5]:5070"];
    let b = "TCP 10.0.0.6:5071";
    let beside_b = [a, tcp].concat();
    assert_eq!(found_beside("b.pbx.example", "sip:pbx.example").await.unwrap(), beside_b);
    assert_eq!(found_beside("a.pbx.example", "sip:pbx.example").await.unwrap(), [b]);
    assert_eq!(found_beside("tcp.pbx.example", "sip:pbx.example").await.unwrap(), a);
    let beside_tls = [b, tcp[0], tcp[1]];
    assert_eq!(
        found_beside("_sips._tcp.pbx.example", "sip:pbx.example").await.unwrap(),
        beside_tls
    );
}

#[tokio::test]
async fn a_dns_that_knows_nothing_of_naptr_is_asked_for_the_rest() {
    let silent = "NAPTR pbx.example";
    let found = found_beside(silent, "sip:pbx.example").await.unwrap();
    assert_eq!(found, ["TCP 10.0.0.6:5099"]);
    let target: SipTarget = "sip:b.pbx.example".parse().unwrap();
    let zone = Zone { text: FULL, silent: "NAPTR b.pbx.example" };
    let found = places(&target, &zone).await.unwrap().records;
    assert_eq!(found, [Found::at(Transport::Udp, "10.0.0.6:5060".parse().unwrap())]);
}

#[tokio::test]
async fn where_nothing_is_found_and_something_is_not_answered_that_is_no_answer() {
    assert_eq!(found_beside("pbx.example", "sip:pbx.example:5060").await, Err(NoAnswer));
    let of_srv = found_beside("_sips._tcp.pbx.example", "sips:pbx.example").await;
    assert_eq!(of_srv, Err(NoAnswer), "its own address is not meant");
}

async fn addresses(domain: &str, text: &'static str, silent: &'static str) -> (Vec<String>, bool) {
    let found = sources(domain, &Zone { text, silent }).await;
    let text = |found: Answer<IpAddr>| {
        (found.records.iter().map(ToString::to_string).collect(), found.is_whole)
    };
    found.map_or((vec!["no answer".to_owned()], false), text)
}

#[tokio::test]
async fn who_may_call_is_at_the_addresses_of_all_services_or_else_at_those_of_the_host() {
    const SERVICES: &str = "\
        carrier.example A 192.0.2.80
        _sip._udp.carrier.example SRV 1 1 5060 a.carrier.example
        _sip._tcp.carrier.example SRV 1 1 5060 a.carrier.example
        _sips._tcp.carrier.example SRV 1 1 5061 b.carrier.example
        a.carrier.example A 192.0.2.1
        a.carrier.example AAAA 2001:db8::1
        b.carrier.example A 192.0.2.2";
    let all = ["192.0.2.1", "192.0.2.2", "2001:db8::1"].map(str::to_owned).to_vec();
    assert_eq!(addresses("carrier.example", SERVICES, "").await, (all.clone(), true));
    assert_eq!(addresses("pbx.example", FULL, "").await.0, ["10.0.0.5", "10.0.0.6", "2001:db8::5"]);
    assert_eq!(
        addresses("a.carrier.example", SERVICES, "").await.0,
        ["192.0.2.1", "2001:db8::1"].map(str::to_owned)
    );
    for (silent, found) in [
        ("b.carrier.example", vec![all[0].clone(), all[2].clone()]),
        ("SRV _sips._tcp.carrier.example", vec![all[0].clone(), all[2].clone()]),
        ("NAPTR carrier.example", all),
    ] {
        assert_eq!(
            addresses("carrier.example", SERVICES, silent).await,
            (found, false),
            "{silent}"
        );
    }
    let nothing = ("carrier.example A 192.0.2.80", "SRV _sip._udp.carrier.example");
    assert_eq!(addresses("carrier.example", nothing.0, nothing.1).await.0, ["no answer"]);
    assert_eq!(addresses("carrier.example", "", "").await, (Vec::new(), true));
}
