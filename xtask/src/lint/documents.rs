//! What documents refer to: other files, their headings, and examples that a test has read.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// Examples of configurations, and the test that reads them.
const EXAMPLES: &str = "packaging/config/examples";
const EXAMPLES_TEST: &str = "sbc-user/tests/examples.rs";

/// Fails with every link that leads nowhere and every example that is not tested.
pub(super) fn check() -> Result<()> {
    let root = workspace::root();
    let mut breaches = Vec::new();
    let documents = documents(root)?;
    for document in &documents {
        let text = read(document)?;
        let name = document.strip_prefix(root).unwrap_or(document).display();
        for (line, target) in links(&text) {
            if let Some(problem) = problem(root, document, &text, &target) {
                breaches.push(format!("{name}:{line}: {target}: {problem}"));
            }
        }
    }
    breaches.extend(untested_examples(root)?);
    if breaches.is_empty() {
        return Ok(());
    }
    bail!("documents refer to what is not there:\n    {}", breaches.join("\n    "))
}

fn untested_examples(root: &Path) -> Result<Vec<String>> {
    let test = read(&root.join(EXAMPLES_TEST))?;
    let folder = root.join(EXAMPLES);
    let entries = fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))?;
    let mut untested = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !test.contains(&format!("(\"{name}\",")) {
            untested.push(format!("{EXAMPLES}/{name}: {EXAMPLES_TEST} does not read it"));
        }
    }
    Ok(untested)
}

/// The targets of links, with the number of their line; code is left out.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let line = without_code(line);
        let mut rest = line.as_str();
        while let Some((_, after)) = rest.split_once("](") {
            let Some((target, after)) = after.split_once(')') else { break };
            found.push((number, target.to_owned()));
            rest = after;
        }
    }
    found
}

/// The lines outside of fenced code, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// Why a target is not there; addresses elsewhere are not asked.
fn problem(root: &Path, document: &Path, text: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) =
        target.split_once('#').map_or((target, None), |(file, it)| (file, Some(it)));
    let path = plain(&document.parent().unwrap_or(root).join(file));
    let is_there = file.is_empty() || path.starts_with(root) && path.exists();
    if !is_there {
        return Some("no such file".to_owned());
    }
    let anchor = anchor?;
    let other = if file.is_empty() { text.to_owned() } else { fs::read_to_string(&path).ok()? };
    (!anchors(&other).contains(anchor)).then(|| "no such heading".to_owned())
}

/// Without `..`, as a browser reads it.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut whole, part| {
        match part {
            Component::ParentDir => {
                whole.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => whole.push(part),
        }
        whole
    })
}

/// What headings can be linked to by, as GitHub makes it: small letters, hyphens for spaces, no punctuation, and a number
/// for the second of a name.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text) {
        let title = line.trim_start_matches('#');
        if title == line || !title.starts_with(' ') {
            continue;
        }
        let slug: String = title
            .trim()
            .to_lowercase()
            .chars()
            .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
            .map(|letter| if letter == ' ' { '-' } else { letter })
            .collect();
        let twin = (1..).map(|number| format!("{slug}-{number}"));
        let free = [slug.clone()].into_iter().chain(twin).find(|slug| !anchors.contains(slug));
        anchors.extend(free);
    }
    anchors
}

/// Every `.md` file of the repository, outside target folders and hidden ones.
fn documents(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type()?.is_dir() {
            let is_hidden = name.to_string_lossy().starts_with('.');
            if !is_hidden && name != "target" && path != workspace::target() {
                found.extend(documents(&path)?);
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{anchors, links, plain, problem};

    #[test]
    fn links_are_found_in_prose_and_not_in_code() {
        let text = "[a](a.md) and [b](b.md#c), `[c](c.md)`\n```\n[d](d.md)\n```\n![e](e.svg)\n";
        let found: Vec<_> = links(text).into_iter().map(|(_, target)| target).collect();
        assert_eq!(found, ["a.md", "b.md#c", "e.svg"]);
        assert_eq!(links(text)[2].0, 5);
    }

    #[test]
    fn headings_are_linked_to_as_github_does_it() {
        let text = "# Too much: `to` do?\n## Users\n## Users\n#no heading\n```\n# code\n```\n";
        let found: Vec<_> = anchors(text).into_iter().collect();
        assert_eq!(found, ["too-much-to-do", "users", "users-1"]);
    }

    #[test]
    fn what_is_not_there_is_told() {
        let root = crate::workspace::root();
        let readme = root.join("README.md");
        let told = |target: &str| problem(root, &readme, "# Here\n", target);
        for fine in [
            "#here",
            "docs/architecture.md",
            "docs/architecture.md#invariants",
            "https://example.com/",
        ] {
            assert_eq!(told(fine), None, "{fine}");
        }
        for wrong in
            ["#there", "docs/nothing.md", "docs/architecture.md#nothing", "../../etc/passwd"]
        {
            assert!(told(wrong).is_some(), "{wrong}");
        }
        assert_eq!(plain(Path::new("/a/b/../c/./d")), Path::new("/a/c/d"));
    }
}
