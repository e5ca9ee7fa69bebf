use std::fs;
use std::io;
use std::path::Path;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::config::{Config, Proof};
use crate::transport::Transport;

const SYN_COOKIES: &str = "/proc/sys/net/ipv4/tcp_syncookies";

/// A directory for each interface, by address family.
const INTERFACES: [&str; 2] = ["/proc/sys/net/ipv4/conf", "/proc/sys/net/ipv6/conf"];

/// What this machine is set to and hardly meant to be.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let has_streams = config.listen.iter().any(|listen| listen.transport != Transport::Udp);
    let syn_cookies = fs::read_to_string(SYN_COOKIES);
    let cookies = has_streams.then(|| without_syn_cookies(syn_cookies)).flatten();
    let needs_policies = config.peers.iter().any(|peer| peer.requires(Proof::Ipsec));
    let families = INTERFACES.iter().filter(|_| needs_policies);
    cookies
        .into_iter()
        .chain(families.flat_map(|place| without_policies(Path::new(place))))
        .collect()
}

/// The interfaces of which the network stack asks no policy of IPsec, by what is said of each below `place`.
fn without_policies(place: &Path) -> Vec<String> {
    let interfaces = fs::read_dir(place).into_iter().flatten().flatten();
    let is_off = |path: &Path| {
        // Nobody but this machine sends there, and "default" is none yet.
        let is_one = !path.ends_with("lo") && !path.ends_with("default");
        let setting = fs::read_to_string(path.join("disable_policy"));
        is_one && setting.is_ok_and(|setting| setting.trim() != "0")
    };
    let off = interfaces.map(|it| it.path()).filter(|path| is_off(path));
    let mut warnings: Vec<_> = off
        .map(|path| {
            format!(
                "{}/disable_policy is not 0: what arrives there in clear is taken for what comes out of \
                 IPsec",
                path.display()
            )
        })
        .collect();
    warnings.sort_unstable();
    warnings
}

/// Lets the daemon have as many connections open as the system allows it: by default that is far fewer than
/// its own limits, and strangers could use up the upstream's. Says so if they still could.
pub(super) fn allow_connections(wanted: u64) -> Option<String> {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        Ok(hard)
    });
    match raised {
        Ok(allowed) if allowed >= wanted => None,
        Ok(allowed) => Some(format!(
            "only {allowed} files can be open, and {wanted} connections should be: raise the hard limit \
             (LimitNOFILE= of the service, `ulimit -Hn`)"
        )),
        Err(error) => Some(format!("the limit of open files cannot be raised: {error}")),
    }
}

/// The one setting is for both versions of IP.
fn without_syn_cookies(setting: io::Result<String>) -> Option<String> {
    let way_out = match setting {
        Ok(text) if text.trim() == "0" => {
            "net.ipv4.tcp_syncookies is 0: `sysctl -w net.ipv4.tcp_syncookies=1` turns them on"
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            "this kernel was built without CONFIG_SYN_COOKIES"
        }
        Ok(_) | Err(_) => return None,
    };
    Some(format!(
        "no SYN cookies, so that a flood of forged attempts keeps peers from connecting over TLS and \
         TCP: {way_out}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_may_not_have_as_many_connections_as_wanted_is_told() {
        assert_eq!(allow_connections(1), None);
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(soft, hard);
        let told = allow_connections(u64::MAX);
        assert!(hard == u64::MAX || told.unwrap().contains("LimitNOFILE"));
    }

    #[test]
    fn interfaces_of_which_no_policy_is_asked_are_told() {
        let place = tempfile::tempdir().unwrap();
        for (interface, setting) in
            [("eth0", "0\n"), ("vti0", "1\n"), ("lo", "1\n"), ("all", "1\n")]
        {
            fs::create_dir(place.path().join(interface)).unwrap();
            fs::write(place.path().join(interface).join("disable_policy"), setting).unwrap();
        }
        let told = without_policies(place.path());
        let parts = ["all/disable_policy is not 0", "vti0/disable_policy is not 0"];
        assert_eq!(told.len(), parts.len());
        assert!(told.iter().zip(parts).all(|(told, part)| told.contains(part)), "{told:?}");
        assert_eq!(without_policies(&place.path().join("nowhere")), Vec::<String>::new());
    }

    #[test]
    fn syn_cookies_that_are_off_are_told_with_the_way_to_turn_them_on() {
        let told = without_syn_cookies(Ok("0\n".to_owned())).unwrap();
        assert!(told.contains("sysctl -w net.ipv4.tcp_syncookies=1"), "{told}");
        for text in ["1\n", "2\n"] {
            assert_eq!(without_syn_cookies(Ok(text.to_owned())), None);
        }
        let told = without_syn_cookies(Err(io::ErrorKind::NotFound.into())).unwrap();
        assert!(told.contains("CONFIG_SYN_COOKIES"), "{told}");
        assert_eq!(without_syn_cookies(Err(io::ErrorKind::PermissionDenied.into())), None);
    }
}
