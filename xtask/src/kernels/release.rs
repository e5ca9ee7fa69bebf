//! A release of the kernel.

const IMAGE: &str = "linux-image-";

/// Debian's flavour for virtual machines: the same source and the smallest set of drivers.
const FLAVOUR: &str = "-cloud-amd64";

/// A release of a kernel of Debian's, ordered by age.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Release {
    numbers: Vec<u32>,
    name: String,
}

impl Release {
    /// The release that a package holds; `None` when it is no kernel, or stands for whichever is the
    /// newest of a series.
    pub(super) fn of_package(package: &str) -> Option<Self> {
        Self::named(package.strip_prefix(IMAGE)?.strip_suffix(FLAVOUR)?)
    }

    /// As in "6.1.0-56" or "6.12.117+deb13".
    pub(super) fn named(name: &str) -> Option<Self> {
        let numbers: Vec<u32> = name
            .split(|letter: char| !letter.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect();
        (numbers.len() >= 3).then(|| Self { numbers, name: name.to_owned() })
    }

    /// As Debian writes it, without the flavour.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// As the kernel itself says it.
    pub(super) fn full_name(&self) -> String {
        format!("{}{FLAVOUR}", self.name)
    }

    /// As in "6.1".
    pub(super) fn series(&self) -> String {
        let numbers: Vec<_> = self.numbers.iter().take(2).map(u32::to_string).collect();
        numbers.join(".")
    }

    /// Says whether this is `asked`, or belongs to it as "6.1.0-56" does to "6.1".
    pub(super) fn is_of(&self, asked: &str) -> bool {
        self.name
            .strip_prefix(asked)
            .is_some_and(|rest| !rest.starts_with(|letter: char| letter.is_ascii_digit()))
    }

    /// The package that holds the kernel, or depends on those that do.
    pub(super) fn image_package(&self) -> String {
        format!("{IMAGE}{}", self.full_name())
    }
}

#[cfg(test)]
mod tests {
    use super::Release;

    #[test]
    fn kernels_are_told_from_what_stands_for_them() {
        let of_package = |package| Release::of_package(package).map(|release| release.name);
        assert_eq!(of_package("linux-image-6.1.0-56-cloud-amd64").unwrap(), "6.1.0-56");
        assert_eq!(of_package("linux-image-6.12-cloud-amd64"), None);
        assert_eq!(of_package("linux-image-cloud-amd64"), None);
        assert_eq!(of_package("linux-image-6.1.0-56-amd64"), None);
        assert_eq!(of_package("linux-image-6.1.0-56-cloud-amd64-unsigned"), None);
    }

    #[test]
    fn releases_are_ordered_by_number() {
        let release = |name| Release::named(name).unwrap();
        assert!(release("6.1.0-9") < release("6.1.0-56"));
        assert!(release("6.1.0-56") < release("6.12.74+deb13"));
        assert!(release("6.12.117+deb12") < release("6.12.117+deb13"));
        assert!(release("6.12.115+deb13") < release("6.12.115+deb13.1"));
        assert_eq!(release("6.12.115+deb13.1").series(), "6.12");
    }
}
