//! `fabricctl bypass`: the switch that hands all traffic to the kernel.
//!
//! One word of one map, which every packet reads. Attaching or detaching a program would reset the
//! rings of many NICs.

use std::process::ExitCode;

use anyhow::Context as _;
use aya::maps::MapData;
use fabric_common::schema::settings::Settings;
use serde::Serialize;

use super::{
    instance::Choice,
    print::{self, Of},
};
use crate::kernel::memory::MappedArray;

/// Arguments of `fabricctl bypass`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to do
    #[arg(default_value = "show")]
    switch: Switch,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    choice: Choice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    /// The kernel carries all traffic
    On,
    /// Fabric forwards again
    Off,
    /// Say how it is
    Show,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Document {
    bypass: bool,
    changed: bool,
}

/// Runs `fabricctl bypass`.
///
/// # Errors
/// If the instance has no maps.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let chosen = args.choice.resolve()?;
    chosen.require()?;
    let context = || format!("cannot open the map settings of instance {}", chosen.name());
    let data = MapData::from_pin(chosen.instance.map("settings")).with_context(context)?;
    let writable = args.switch != Switch::Show;
    let settings: MappedArray<Settings> =
        MappedArray::new(data.fd(), 1, writable).with_context(context)?;
    let was = settings.get(0).bypass != 0;
    let is = match args.switch {
        Switch::On => true,
        Switch::Off => false,
        Switch::Show => was,
    };
    if is != was {
        settings.update(0, |value| value.bypass = is.into());
    }
    if args.json {
        let document = Document { bypass: is, changed: is != was };
        print::json(&Of::new(chosen.name(), document))?;
    } else {
        print::text(&format!("{}\n", sentence(is, is != was || !writable)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn sentence(on: bool, news: bool) -> String {
    let (state, meaning) = match on {
        true => ("on", "the kernel carries all traffic"),
        false => ("off", "Fabric forwards"),
    };
    let already = if news { "" } else { " already" };
    format!("bypass is {state}{already}: {meaning}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_says_what_the_switch_means_and_whether_it_moved() {
        assert_eq!(sentence(true, true), "bypass is on: the kernel carries all traffic");
        assert_eq!(sentence(false, false), "bypass is off already: Fabric forwards");
    }
    #[test]
    fn what_is_printed_as_json_is_written_down() {
        let document = Document { bypass: true, changed: false };
        crate::cli::golden::golden("bypass", &Of::new("golden", document));
    }
}
