use std::fs;
use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::config::Config;
use crate::transport::Transport;

const SYN_COOKIES: &str = "/proc/sys/net/ipv4/tcp_syncookies";

/// What this machine is set to and hardly meant to be.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let has_streams = config.listen.iter().any(|listen| listen.transport != Transport::Udp);
    let syn_cookies = fs::read_to_string(SYN_COOKIES);
    if has_streams { without_syn_cookies(syn_cookies).into_iter().collect() } else { Vec::new() }
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
