//! Enums that name what is counted, shown and documented, each entry once.

/// Defines an enum whose variants are written as documentation, identifier and name, and gives it
/// `ALL`, `COUNT`, `name` and `description`: the documentation of a variant is what the operator reads.
macro_rules! closed_list {
    (
        $(#[doc = $about:literal])+
        pub enum $list:ident {
            $($(#[doc = $text:literal])+ $variant:ident $name:literal,)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $list {
            $($(#[doc = $text])+ $variant,)+
        }

        impl $list {
            /// Every entry, in the order of the counters.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// How many entries there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The name used in status, logs and the reference pages.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// One or two sentences for the operator.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => concat!($($text),+).trim_ascii(),)+ }
            }
        }

        #[cfg(test)]
        mod list {
            use super::$list;

            #[test]
            fn the_position_in_the_list_is_the_index_of_the_counter() {
                for (position, entry) in $list::ALL.iter().enumerate() {
                    assert_eq!(*entry as usize, position);
                }
            }

            #[test]
            fn names_are_unique() {
                let mut names: Vec<_> = $list::ALL.iter().map(|entry| entry.name()).collect();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), $list::COUNT);
            }
        }
    };
}

pub(crate) use closed_list;
