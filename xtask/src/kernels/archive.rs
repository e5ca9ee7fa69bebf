//! Debian's archive, also of releases that this machine is not one of.

use std::{fmt::Write as _, fs, path::Path, path::PathBuf};

use anyhow::{Context as _, Result, bail};

use super::release::Release;
use crate::{setup, tool::Tool, workspace};

/// Where kernels are looked for: the releases that have what we run on, and what is backported to the
/// newest of them.
const SUITES: [&str; 3] = ["bookworm", "trixie", "trixie-backports"];
const SECURITY_SUITES: [&str; 2] = ["bookworm-security", "trixie-security"];

/// apt with sources, lists and a cache of its own below the target folder: nothing here changes what
/// this machine installs. Signatures are checked as ever, and only Debian's are good.
pub(super) struct Archive {
    folder: PathBuf,
}

/// What has to be downloaded for one kernel.
pub(super) struct Packages {
    pub(super) version: String,
    names: Vec<String>,
}

impl Archive {
    /// Finds the mirrors that this machine uses, and fetches their lists.
    pub(super) fn open() -> Result<Self> {
        let archive = Self { folder: workspace::target().join("kernels/apt") };
        for folder in ["lists/partial", "cache/archives/partial"] {
            let folder = archive.folder.join(folder);
            fs::create_dir_all(&folder)
                .with_context(|| format!("creating {}", folder.display()))?;
        }
        let sources = archive.sources_file();
        fs::write(&sources, sources_list()?)
            .with_context(|| format!("writing {}", sources.display()))?;
        archive
            .tool("apt-get")
            .args(["update", "--error-on=any", "-oAcquire::Retries=3"])
            .advice(
                "Check the network. The keys of newer releases come with newer versions of the \
                 package debian-archive-keyring.",
            )
            .run_logged("kernels-apt-update")?;
        Ok(archive)
    }

    /// The kernels there are, oldest first.
    pub(super) fn releases(&self) -> Result<Vec<Release>> {
        let names = self.tool("apt-cache").args(["pkgnames", "linux-image-"]).output()?;
        let mut releases: Vec<_> = names.lines().filter_map(Release::of_package).collect();
        releases.sort();
        releases.dedup();
        Ok(releases)
    }

    pub(super) fn packages(&self, release: &Release) -> Result<Packages> {
        let image = release.image_package();
        let described =
            self.tool("apt-cache").args(["show", "--no-all-versions", &image]).output()?;
        let field = |name: &str| {
            let line = described.lines().find_map(|line| line.strip_prefix(name));
            line.with_context(|| format!("apt-cache shows no {name} of {image}"))
        };
        // Since 6.17 the image's package is empty, and depends on those of its parts.
        let parts = field("Depends: ")?
            .split(", ")
            .filter_map(|package| package.split_whitespace().next())
            .filter(|package| package.ends_with(&release.full_name()));
        let names = std::iter::once(image.as_str()).chain(parts).map(str::to_owned).collect();
        Ok(Packages { version: field("Version: ")?.to_owned(), names })
    }

    /// Downloads into `folder` and returns the files.
    pub(super) fn download(&self, packages: &Packages, folder: &Path) -> Result<Vec<PathBuf>> {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        self.tool("apt-get")
            .args(["download", "-oAcquire::Retries=3"])
            .args(packages.names.iter().map(|name| format!("{name}={}", packages.version)))
            .within(folder)
            .advice("Check the network.")
            .run_logged("kernels-apt-download")?;
        let files =
            fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
        let files: Vec<_> =
            files.map(|file| file.map(|file| file.path())).collect::<Result<_, _>>()?;
        if files.len() != packages.names.len() {
            bail!("{} packages downloaded of {}", files.len(), packages.names.join(", "));
        }
        Ok(files)
    }

    fn sources_file(&self) -> PathBuf {
        self.folder.join("sources.list")
    }

    fn tool(&self, program: &str) -> Tool {
        let option = |name: &str, path: &Path| format!("-oDir::{name}={}", path.display());
        Tool::new(program).args([
            option("Etc::sourcelist", &self.sources_file()),
            option("Etc::sourceparts", Path::new("/dev/null")),
            option("State::lists", &self.folder.join("lists")),
            option("Cache", &self.folder.join("cache")),
        ])
    }
}

fn sources_list() -> Result<String> {
    let Some(main) = debian_mirror("Debian")? else {
        bail!("apt has no source whose origin is Debian; this needs a Debian machine");
    };
    let mut list = String::new();
    let security = debian_mirror("Debian-Security")?;
    let mut add = |mirror: &str, suites: &[&str]| {
        for suite in suites {
            let keyring = setup::DEBIAN_KEYRING;
            let _ = writeln!(
                list,
                "deb [arch=amd64 target=Packages signed-by={keyring}] {mirror} {suite} main"
            );
        }
    };
    add(&main, &SUITES);
    if let Some(security) = security {
        add(&security, &SECURITY_SUITES);
    }
    Ok(list)
}

/// Where this machine gets Debian's packages from; what a source is shows only in its list, which is
/// fetched if it is not there.
pub(crate) fn debian_mirror(label: &str) -> Result<Option<String>> {
    let ask = || -> Result<Option<String>> {
        let mirrors = Tool::new("apt-get")
            .args(["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"])
            .args(["Origin: Debian".to_owned(), format!("Label: {label}")])
            .output()?;
        Ok(mirrors.lines().next().map(str::to_owned))
    };
    if let Some(mirror) = ask()? {
        return Ok(Some(mirror));
    }
    setup::fetch_package_lists()?;
    ask()
}
