//! What the packet generator says about a run.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

/// A run that came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Frames that the interface took.
    pub frames: u64,
    /// From the first frame to the end of the last, with all that this processor did meanwhile.
    pub elapsed: Duration,
}

/// What follows `Result: ` in a file of the generator, up to the end of the line.
pub(super) fn result(said: &str) -> Option<&str> {
    said.lines().find_map(|line| line.strip_prefix("Result: ")).map(str::trim)
}

impl Outcome {
    /// Reads an interface's file after a run. It ends with
    /// `Result: OK: ELAPSED(cBUSY+dIDLE) usec, FRAMES (60byte,0frags)` and a line with rates and
    /// `errors: N`.
    ///
    /// # Errors
    /// If the run failed, or a frame did.
    pub fn parse(said: &str) -> Result<Self> {
        let result = result(said).context("the packet generator says nothing about its run")?;
        let read = || {
            let (elapsed, rest) = result.strip_prefix("OK: ")?.split_once('(')?;
            let (frames, _) = rest.split_once(") usec, ")?.1.split_once(' ')?;
            let elapsed = Duration::from_micros(elapsed.parse().ok()?);
            Some(Self { frames: frames.parse().ok()?, elapsed })
        };
        let outcome =
            read().with_context(|| format!("the packet generator did not run: {result}"))?;
        let after = said.split_once("Result: ").map_or("", |(_, after)| after);
        let errors = after
            .lines()
            .find_map(|line| line.split_once("errors: "))
            .context("the packet generator does not say how many frames it could not send")?
            .1;
        ensure!(errors.trim() == "0", "the interface refused {errors} frames of the generator");
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Linux 6.12 says.
    const SAID: &str = "\
Params: count 20000  min_pkt_size: 60  max_pkt_size: 60
     frags: 0  delay: 0  clone_skb: 0  ifname: host0
     flows: 0 flowlen: 0
     Flags: UDPSRC_RND  NO_TIMESTAMP  
Current:
     pkts-sofar: 20000  errors: 0
     started: 23298617us  stopped: 23650688us idle: 5824us
Result: OK: 352070(c346246+d5824) usec, 20000 (60byte,-1frags)
  56806pps 27Mb/sec (27266880bps) errors: 0
";

    #[test]
    fn a_runs_frames_and_whole_time_are_read() {
        let outcome = Outcome::parse(SAID).unwrap();
        let elapsed = Duration::from_micros(352_070);
        assert_eq!(outcome, Outcome { frames: 20_000, elapsed });
    }

    #[test]
    fn frames_that_the_interface_refused_are_an_error() {
        let said = SAID.replace("bps) errors: 0", "bps) errors: 7");
        let message = Outcome::parse(&said).unwrap_err().to_string();
        assert_eq!(message, "the interface refused 7 frames of the generator");
    }

    #[test]
    fn what_is_no_run_is_refused_with_its_own_words() {
        for said in ["Result: OK: count=20000\n", "Result: ERROR: no such device\n", "Result: Idle"]
        {
            let message = Outcome::parse(said).unwrap_err().to_string();
            let words = said.trim().trim_start_matches("Result: ");
            assert_eq!(message, format!("the packet generator did not run: {words}"));
        }
        assert!(Outcome::parse("Params: count 0\n").is_err());
    }
}
