//! What a table of a kind has: said once, for the parser and for `--explain`.

/// A kind's table.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The table's name.
    pub(crate) word: &'static str,
    /// What is true if its cases pass.
    pub(crate) about: &'static str,
    /// Its fields.
    pub(crate) fields: &'static [Field],
    /// A table as one would write it.
    pub(crate) example: &'static str,
}

/// A field of a table.
#[derive(Debug)]
pub(crate) struct Field {
    name: &'static str,
    /// What it says.
    pub(crate) about: &'static str,
    /// What is the case without it.
    pub(crate) absent: Absent,
}

/// What a field is where it is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// It has to be written.
    Required,
    /// There is none, as the field's sentence says.
    None,
    /// This value, as it would be written.
    Or(&'static str),
}

impl Field {
    /// By its name as the language spells it, which may have `r#` in front.
    pub(crate) const fn new(name: &'static str, about: &'static str, absent: Absent) -> Self {
        Self { name, about, absent }
    }

    /// Its name in the table.
    pub(crate) fn name(&self) -> &'static str {
        self.name.strip_prefix("r#").unwrap_or(self.name)
    }
}

/// Declares the table of a kind: a structure that serde reads, and its [`Shape`].
macro_rules! shape {
    (
        $(#[doc = $about:literal])+
        $visibility:vis struct $name:ident: $word:literal, $example:literal {
            $( $(#[doc = $text:literal])+ $field:ident: $type:ty = $absent:expr, )*
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        $visibility struct $name {
            $( $(#[doc = $text])+ $field: $type, )*
        }

        impl $name {
            /// What the table has.
            pub(crate) const SHAPE: &'static crate::check::shape::Shape = {
                use crate::check::shape::Absent::*;
                &crate::check::shape::Shape {
                    word: $word,
                    about: concat!($($about),+),
                    fields: &[$(crate::check::shape::Field::new(
                        stringify!($field),
                        concat!($($text),+),
                        $absent,
                    )),*],
                    example: $example,
                }
            };
        }
    };
}

pub(crate) use shape;
