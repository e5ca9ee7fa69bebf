use super::*;

/// Everything that we show as a configuration is one.
#[test]
fn every_example_is_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut checked = 0;
    for file in files_below(&root.join("packaging"), "toml") {
        checked += 1;
        check_example(&fs::read_to_string(&file).unwrap(), &file);
    }
    let pages = files_below(&root.join("docs"), "md");
    for page in pages.into_iter().chain([root.join("README.md")]).filter(|page| page.exists()) {
        let text = fs::read_to_string(&page).unwrap();
        for block in text.split("```toml\n").skip(1) {
            checked += 1;
            check_example(block.split("```").next().unwrap_or_default(), &page);
        }
    }
    assert!(checked > 0, "no example was found");
}

/// A whole configuration, a users file, or tables to be added to a configuration.
fn check_example(text: &str, place: &Path) {
    let is_users_file = text.contains("[[user]]");
    if is_users_file {
        Users::parse(text).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
        return;
    }
    let has_version = text.lines().any(|line| line.trim_start().starts_with("version ="));
    let text = if has_version { text.to_owned() } else { added_to_base(text, place) };
    Config::parse(&text, place).unwrap_or_else(|error| panic!("{error}"));
}

/// What stands in both is as in the addition.
fn added_to_base(text: &str, place: &Path) -> String {
    let mut whole: toml::Table = toml::from_str(BASE).unwrap();
    let more: toml::Table =
        toml::from_str(text).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
    for (key, value) in more {
        match (whole.get_mut(&key), value) {
            (Some(toml::Value::Table(table)), toml::Value::Table(more)) => table.extend(more),
            (Some(toml::Value::Array(list)), toml::Value::Array(more)) => list.extend(more),
            (_, value) => drop(whole.insert(key, value)),
        }
    }
    whole.to_string()
}

fn files_below(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
    found
}
