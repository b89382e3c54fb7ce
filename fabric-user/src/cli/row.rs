//! What a row of a table is: a struct, whose serde form is what programs get and whose fields have a
//! text and a title for people.

use std::{net::IpAddr, time::Duration};

use serde::{Serialize, Serializer};

use super::{format, table::Column};
use crate::mac::Mac;

/// A row. [`rows`] implements it.
pub(super) trait Row: Serialize {
    /// A column for each field.
    const COLUMNS: &'static [Column];
    /// Said where there is no row.
    const EMPTY: &'static str;

    /// The texts of the fields.
    fn cells(&self) -> Vec<String>;
}

/// Makes a struct and its [`Row`]: what is said if there is none, then its fields, each behind the
/// title of its column. After a title may stand what is special about the column (see [`Column`]). The
/// comments of the fields are what `docs/json.md` says of them.
macro_rules! rows {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident, $empty:literal {
            $($(#[doc = $about:literal])+ $title:literal $([$($flag:ident),+])? $field:ident: $type:ty,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, serde::Serialize)]
        $vis struct $name {
            $($(#[doc = $about])+ pub(super) $field: $type,)+
        }

        impl $crate::cli::row::Row for $name {
            const COLUMNS: &'static [$crate::cli::table::Column] = &[$(
                $crate::cli::table::Column::new(
                    stringify!($field),
                    $title,
                    concat!($($about),+),
                    <$type as $crate::cli::row::Shown>::RIGHT,
                )$($(.$flag())+)?,
            )+];
            const EMPTY: &'static str = $empty;

            fn cells(&self) -> Vec<String> {
                vec![$($crate::cli::row::Shown::shown(&self.$field),)+]
            }
        }
    };
}
pub(super) use rows;

/// What can stand in a cell.
pub(super) trait Shown {
    /// It stands at the right edge, as numbers do.
    const RIGHT: bool = false;

    /// The text for people; `-` for nothing.
    fn shown(&self) -> String;
}

macro_rules! shown {
    ($right:literal: $($type:ty),+) => {
        $(impl Shown for $type {
            const RIGHT: bool = $right;

            fn shown(&self) -> String {
                self.to_string()
            }
        })+
    };
}
shown!(false: String, &'static str, IpAddr, Mac);
shown!(true: u8, u16, u32, u64, usize);

impl Shown for bool {
    fn shown(&self) -> String {
        if *self { "yes" } else { "-" }.into()
    }
}

impl<T: Shown> Shown for Option<T> {
    const RIGHT: bool = T::RIGHT;

    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| "-".into(), T::shown)
    }
}

impl<T: Shown> Shown for Vec<T> {
    fn shown(&self) -> String {
        let all: Vec<String> = self.iter().map(T::shown).collect();
        if all.is_empty() { "-".into() } else { all.join(", ") }
    }
}

/// A value that people read otherwise than programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said<T> {
    text: String,
    /// What programs get.
    pub(super) value: T,
}

impl<T> Said<T> {
    pub(super) fn new(text: impl Into<String>, value: T) -> Self {
        Self { text: text.into(), value }
    }
}

impl<T> Shown for Said<T> {
    fn shown(&self) -> String {
        self.text.clone()
    }
}

impl<T: Serialize> Serialize for Said<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

/// A number, or a word that stands for one that is taken from the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum OrWord<T> {
    Word(&'static str),
    Number(T),
}

/// How long ago something was, in seconds; `never` and null without.
pub(super) fn ago(age: Option<Duration>) -> Said<Option<f64>> {
    let text = age.map_or_else(|| "never".into(), |age| format!("{} ago", format::duration(age)));
    Said::new(text, age.map(|age| age.as_secs_f64()))
}

/// A duration in seconds.
pub(super) fn lasting(time: Duration) -> Said<f64> {
    Said::new(format::duration(time), time.as_secs_f64())
}

/// A number of bytes.
pub(super) fn size(bytes: u64) -> Said<u64> {
    Said::new(format::bytes(bytes), bytes)
}

/// A part of a whole in percent; `-` and null of nothing.
pub(super) fn percent(part: u64, whole: u64) -> Said<Option<f64>> {
    let percent = (whole > 0).then(|| part as f64 * 100.0 / whole as f64);
    Said::new(format::share(part, whole), percent)
}
