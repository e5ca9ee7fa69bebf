//! Certificates for TLS peers, made by the `openssl` command.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

/// What a certificate says.
#[derive(Clone, Copy, Debug)]
pub struct Certificate<'a> {
    /// Names the files, and is the subject's common name.
    pub name: &'a str,
    /// Subject alternative names of type URI, as in "sip:carrier.example".
    pub uri_sans: &'a [&'a str],
    /// Subject alternative names of type DNS, or IP for addresses.
    pub dns_sans: &'a [&'a str],
    /// What it may be used for.
    pub usage: Usage,
    /// When it may be used.
    pub validity: Validity,
}

/// The extended key usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// serverAuth.
    Server,
    /// clientAuth.
    Client,
    /// serverAuth and clientAuth.
    Both,
    /// Without the extension: anything.
    Unstated,
}

/// Where the present is in relation to the validity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Within.
    Valid,
    /// After.
    Expired,
    /// Before.
    NotYet,
}

/// A certificate's files, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The certificate; the authority signs directly, so that there is nothing between.
    pub chain: PathBuf,
    /// Its private key, PKCS #8.
    pub key: PathBuf,
}

/// A certificate authority with P-256 keys, whose files are all in one folder.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
}

const CONFIGURATION: &str = "\
[ca]
default_ca = authority
[authority]
dir = .
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = anything
unique_subject = no
crlnumber = crlnumber
crl_extensions = list-extensions
[anything]
commonName = supplied
[req]
distinguished_name = name
[name]
[list-extensions]
authorityKeyIdentifier = keyid
[authority-extensions]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
";

impl Authority {
    /// Makes one, of this name, in `folder`, which is created when missing.
    pub fn new(folder: impl Into<PathBuf>, name: &str) -> Result<Self> {
        let folder = folder.into();
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let authority = Self { folder };
        authority.write("authority.cnf", CONFIGURATION)?;
        authority.write("index.txt", "")?;
        authority.write("crlnumber", "01\n")?;
        authority.request("authority", name)?;
        authority.sign(
            "authority",
            Validity::Valid,
            &["-selfsign", "-keyfile", "authority.key"],
            &["-extensions", "authority-extensions"],
        )?;
        Ok(authority)
    }

    /// The authority's own certificate, which those who trust it are configured with.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }

    /// Issues a certificate with a new key.
    pub fn issue(&self, certificate: &Certificate<'_>) -> Result<Issued> {
        let name = certificate.name;
        self.write(&format!("{name}.ext"), certificate.extensions())?;
        self.request(name, name)?;
        self.sign(
            name,
            certificate.validity,
            &["-keyfile", "authority.key", "-cert", "authority.pem"],
            &["-extfile", &format!("{name}.ext")],
        )?;
        Ok(Issued {
            chain: self.folder.join(format!("{name}.pem")),
            key: self.folder.join(format!("{name}.key")),
        })
    }

    /// Issues a certificate for a key that there is, a file of this authority's folder named after the
    /// certificate.
    pub fn issue_for(&self, certificate: &Certificate<'_>, key: &Path) -> Result<Issued> {
        let name = certificate.name;
        let key_file = key.to_str().context("a path that is no text")?;
        self.write(&format!("{name}.ext"), certificate.extensions())?;
        self.openssl(&[
            "req",
            "-config",
            "authority.cnf",
            "-new",
            "-key",
            key_file,
            "-subj",
            &format!("/CN={name}"),
            "-out",
            &format!("{name}.csr"),
        ])?;
        self.sign(
            name,
            certificate.validity,
            &["-keyfile", "authority.key", "-cert", "authority.pem"],
            &["-extfile", &format!("{name}.ext")],
        )?;
        Ok(Issued { chain: self.folder.join(format!("{name}.pem")), key: key.to_owned() })
    }

    /// Writes the list of what is revoked, these and whatever was before, which is `current` or past its next
    /// update; returns where, which is always the same file.
    pub fn revoke(&self, revoked: &[&Issued], is_current: bool) -> Result<PathBuf> {
        let ca = ["ca", "-config", "authority.cnf", "-batch"];
        let signer = ["-keyfile", "authority.key", "-cert", "authority.pem"];
        for issued in revoked {
            let chain = issued.chain.to_str().context("a path that is no text")?;
            self.openssl(&[&ca[..], &signer[..], &["-revoke", chain]].concat())?;
        }
        let (start, end) = if is_current { Validity::Valid } else { Validity::Expired }.dates();
        let dates = ["-crl_lastupdate", start, "-crl_nextupdate", end, "-out", "revoked.pem"];
        self.openssl(&[&ca[..], &signer[..], &["-gencrl"], &dates[..]].concat())?;
        Ok(self.folder.join("revoked.pem"))
    }

    fn request(&self, file: &str, common_name: &str) -> Result<()> {
        self.openssl(&[
            "req",
            "-config",
            "authority.cnf",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-noenc",
            "-subj",
            &format!("/CN={common_name}"),
            "-keyout",
            &format!("{file}.key"),
            "-out",
            &format!("{file}.csr"),
        ])
    }

    /// `openssl x509` knows dates only from 3.4 on; `openssl ca` always did.
    fn sign(
        &self,
        file: &str,
        validity: Validity,
        signer: &[&str],
        extensions: &[&str],
    ) -> Result<()> {
        let (start, end) = validity.dates();
        let request = format!("{file}.csr");
        let certificate = format!("{file}.pem");
        let mut args = vec!["ca", "-config", "authority.cnf", "-batch", "-notext", "-rand_serial"];
        args.extend(["-in", &request, "-out", &certificate, "-startdate", start, "-enddate", end]);
        args.extend(signer);
        args.extend(extensions);
        self.openssl(&args)
    }

    fn openssl(&self, args: &[&str]) -> Result<()> {
        let output = Command::new("openssl")
            .args(args)
            .current_dir(&self.folder)
            .output()
            .context("starting openssl; `cargo xtask setup` installs it")?;
        if !output.status.success() {
            bail!("openssl {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> Result<()> {
        let path: &Path = &self.folder.join(name);
        fs::write(path, contents).with_context(|| format!("writing {}", path.display()))
    }
}

impl Certificate<'_> {
    fn extensions(&self) -> String {
        let uris = self.uri_sans.iter().map(|uri| format!("URI:{uri}"));
        let domains = self.dns_sans.iter().map(|name| {
            let kind = if name.parse::<IpAddr>().is_ok() { "IP" } else { "DNS" };
            format!("{kind}:{name}")
        });
        let names: Vec<String> = uris.chain(domains).collect();
        let names = match names.as_slice() {
            [] => String::new(),
            names => format!("subjectAltName = {}\n", names.join(",")),
        };
        let mut extensions = "\
            basicConstraints = critical, CA:FALSE\n\
            keyUsage = critical, digitalSignature\n\
            subjectKeyIdentifier = hash\n\
            authorityKeyIdentifier = keyid\n"
            .to_owned();
        extensions += &names;
        extensions += match self.usage {
            Usage::Server => "extendedKeyUsage = serverAuth\n",
            Usage::Client => "extendedKeyUsage = clientAuth\n",
            Usage::Both => "extendedKeyUsage = serverAuth, clientAuth\n",
            Usage::Unstated => "",
        };
        extensions
    }
}

impl Validity {
    /// First and last second, as UTCTime-compatible text.
    fn dates(self) -> (&'static str, &'static str) {
        match self {
            Self::Valid => ("20200101000000Z", "20491231235959Z"),
            Self::Expired => ("20200101000000Z", "20200102000000Z"),
            Self::NotYet => ("20491231000000Z", "20491231235959Z"),
        }
    }
}
