use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::contradiction::Found;
use super::{Config, Lifetime};
use crate::identity::Origid;

/// `[stir]`: whose signatures of calling numbers are believed, and what ours are made with.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stir {
    /// The authorities that certificates have to lead to, PEM.
    pub authorities: Option<PathBuf>,
    /// A directory of certificates: that of `https://host/path` is the file `host/path`, PEM.
    pub certificates: Option<PathBuf>,
    /// Certificates one by one.
    #[serde(default)]
    pub certificate: Vec<StirCertificate>,
    freshness: Option<Lifetime>,
    /// What calls are signed with.
    pub sign: Option<StirSign>,
}

/// A certificate that stands at a URL and is at hand in a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StirCertificate {
    /// As PASSporTs name it.
    pub url: String,
    /// PEM.
    pub file: PathBuf,
}

/// `[stir.sign]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StirSign {
    /// The private key, PEM.
    pub key: PathBuf,
    /// Where others find its certificate.
    pub certificate_url: String,
    /// Names us as the place that calls come from.
    pub origid: Origid,
}

/// What becomes of a peer's calls by what is signed of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StirPolicy {
    /// Nobody looks.
    #[default]
    Off,
    /// The upstream is told.
    Mark,
    /// The upstream is told, and calls whose number is not validated are refused.
    Require,
}

/// RFC 8224 §6.2.2 recommends a minute.
const DEFAULT_FRESHNESS: Duration = Duration::from_mins(1);

impl Stir {
    /// How long ago a number may have been signed.
    #[must_use]
    pub fn freshness(&self) -> Duration {
        self.freshness.map_or(DEFAULT_FRESHNESS, |freshness| freshness.0)
    }

    pub(super) fn resolve_paths(&mut self, directory: &Path) {
        let files = self.certificate.iter_mut().map(|certificate| &mut certificate.file);
        let keys = self.sign.iter_mut().map(|sign| &mut sign.key);
        let named = self.authorities.iter_mut().chain(&mut self.certificates);
        named.chain(files).chain(keys).for_each(|path| *path = directory.join(&path));
    }
}

pub(super) fn refuse(config: &Config) -> Result<(), Found> {
    let refuse = |problem: &str| Err(("[stir]".to_owned(), problem.to_owned()));
    let stir = config.stir.as_ref();
    let verifies = stir.is_some_and(|stir| stir.authorities.is_some());
    let signs = stir.and_then(|stir| stir.sign.as_ref());
    if let Some(peer) = config.peers.iter().find(|peer| peer.stir != StirPolicy::Off)
        && !verifies
    {
        return Err((
            format!("[[peer]] {:?}", peer.name),
            "stir is not off, but [stir] has no authorities: nobody would be believed".to_owned(),
        ));
    }
    if config.routes.iter().any(|route| route.attest.is_some()) && signs.is_none() {
        return Err((
            "[[route]]".to_owned(),
            "attest needs the table [stir.sign], which says what with".to_owned(),
        ));
    }
    let Some(stir) = stir else { return Ok(()) };
    if !verifies && (stir.certificates.is_some() || !stir.certificate.is_empty()) {
        return refuse("there are certificates, but no authorities to believe them by");
    }
    let urls = stir.certificate.iter().map(|certificate| &certificate.url);
    let own = signs.map(|sign| &sign.certificate_url);
    match urls.chain(own).find(|url| !is_url(url)) {
        Some(url) => {
            refuse(&format!("{url:?} is not a URL such as https://certificates.example/sbc.pem"))
        }
        None => Ok(()),
    }
}

/// It stands between angle brackets, and is compared as it is written.
fn is_url(text: &str) -> bool {
    text.strip_prefix("https://").is_some_and(|rest| {
        !rest.is_empty()
            && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"\\".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sample::{BASE, config, parse};

    const PEER: &str = "[[peer]]\nname = \"carrier\"\nrequire = [\"static\"]\nopens = [\"udp\"]\n\
        sources = [\"192.0.2.0/28\"]\ntarget = \"sip:192.0.2.1\"\n";
    const SIGN: &str = "[stir.sign]\nkey = \"key.pem\"\ncertificate-url = \"https://a.example/a.pem\"\n\
        origid = \"de305d54-75b4-431b-adb2-eb6b9e546014\"\n";

    #[test]
    fn files_stand_beside_the_configuration_and_a_minute_is_fresh() {
        let listed = "certificate = [{ url = \"https://b.example\", file = \"b.pem\" }]\n";
        let tail =
            format!("[stir]\nauthorities = \"a.pem\"\ncertificates = \"all\"\n{listed}{SIGN}");
        let stir = config(&format!("{tail}{PEER}stir = \"require\"")).stir.unwrap();
        assert_eq!(stir.authorities.as_deref(), Some(Path::new("/etc/sbc/a.pem")));
        assert_eq!(stir.certificates.as_deref(), Some(Path::new("/etc/sbc/all")));
        assert_eq!(stir.certificate[0].file, Path::new("/etc/sbc/b.pem"));
        assert_eq!(stir.sign.as_ref().unwrap().key, Path::new("/etc/sbc/key.pem"));
        assert_eq!(stir.freshness(), Duration::from_mins(1));
    }

    #[test]
    fn what_nobody_could_verify_or_sign_is_refused() {
        let route = "[[route]]\npeer = \"carrier\"\nattest = \"A\"\n";
        config(&format!("{PEER}{route}{SIGN}"));
        for (tail, expected) in [
            (format!("{PEER}stir = \"mark\""), "stir is not off, but [stir] has no authorities"),
            (format!("{PEER}{route}"), "attest needs the table [stir.sign]"),
            ("[stir]\ncertificates = \"all\"".to_owned(), "no authorities to believe them by"),
            (SIGN.replace("https", "http"), "is not a URL such as https://"),
            (SIGN.replace("a.pem", "a>.pem"), "is not a URL such as https://"),
            (SIGN.replace("de305d54", "de305d5"), "is not a UUID such as"),
        ] {
            let error = parse(&format!("{BASE}\n{tail}")).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
