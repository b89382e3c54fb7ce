//! Order statistics, which a few disturbed rounds do not move.

use serde::Serialize;

/// Middle and spread of a series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Half of the values are below.
    pub median: f64,
    /// Interquartile range: the middle half of the values lies in a range of this width.
    pub iqr: f64,
}

/// Summarizes `values`; `None` without any.
#[must_use]
pub fn summarize(values: &[f64]) -> Option<Summary> {
    let [low, median, high] = [0.25, 0.5, 0.75].map(|share| quantile(values, share));
    Some(Summary { median: median?, iqr: high? - low? })
}

/// The value below which `share` (0 to 1) of the `values` are; `None` without any.
#[must_use]
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    // Linear interpolation between the two nearest values.
    let at = share * last as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    Some(low + (high - low) * at.fract())
}

/// Summary of `numerators[i] / denominators[i]`: what was measured in one round belongs together.
#[must_use]
pub fn ratio(numerators: &[f64], denominators: &[f64]) -> Option<Summary> {
    let ratios: Vec<_> = numerators.iter().zip(denominators).map(|(n, d)| n / d).collect();
    summarize(&ratios)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_disturbed_round_moves_neither_median_nor_spread() {
        let calm = summarize(&[10.0, 11.0, 12.0, 13.0, 14.0]).unwrap();
        let disturbed = summarize(&[10.0, 11.0, 12.0, 13.0, 900.0]).unwrap();
        assert_eq!(calm, Summary { median: 12.0, iqr: 2.0 });
        assert_eq!(calm, disturbed);
    }

    #[test]
    fn an_even_number_of_values_has_its_median_between_the_middle_two() {
        assert_eq!(summarize(&[4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert_eq!(summarize(&[]), None);
    }

    #[test]
    fn ratios_pair_the_values_of_one_round() {
        let summary = ratio(&[10.0, 20.0, 30.0], &[5.0, 10.0, 15.0]).unwrap();
        assert_eq!(summary, Summary { median: 2.0, iqr: 0.0 });
    }
}
