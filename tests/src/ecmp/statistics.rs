//! What chance would make of it.

use statrs::distribution::{ChiSquared, ContinuousCDF as _};

/// Chi-square of `counts` against shares proportional to `weights`.
#[must_use]
pub fn chi_square(counts: &[u32], weights: &[f64]) -> f64 {
    let total: f64 = counts.iter().copied().map(f64::from).sum();
    let weight: f64 = weights.iter().sum();
    let term = |(count, w): (&u32, &f64)| {
        let expected = total * w / weight;
        (f64::from(*count) - expected).powi(2) / expected
    };
    counts.iter().zip(weights).map(term).sum()
}

/// Probability that chance makes chi-square at least this large.
///
/// # Panics
/// If `degrees` is 0.
#[must_use]
pub fn probability(chi_square: f64, degrees: usize) -> f64 {
    ChiSquared::new(degrees as f64).expect("at least one degree of freedom").sf(chi_square)
}

/// Probability of the dependence seen between two choices of the same flows, the first among
/// `rows`, the second among `columns`; all must be equally likely.
#[must_use]
pub fn independence(
    choices: impl IntoIterator<Item = (usize, usize)>,
    rows: usize,
    columns: usize,
) -> f64 {
    let mut table = vec![0_u32; rows * columns];
    for (row, column) in choices {
        table[row * columns + column] += 1;
    }
    let row = |i: usize| f64::from(table[i * columns..][..columns].iter().sum::<u32>());
    let column = |j: usize| f64::from(table[j..].iter().step_by(columns).sum::<u32>());
    let products = (0..rows * columns).map(|i| row(i / columns) * column(i % columns));
    let expected: Vec<f64> = products.collect();
    probability(chi_square(&table, &expected), (rows - 1) * (columns - 1))
}

/// How many of `values` equally likely values chance meets with `draws` draws.
#[must_use]
pub fn distinct(draws: u32, values: u32) -> f64 {
    let values = f64::from(values);
    values * (1.0 - (1.0 - 1.0 / values).powf(f64::from(draws)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_of_the_tables() {
        // Quantiles of the chi-square distribution for p = 0.05 and p = 0.001.
        for (x, degrees, p) in [(3.841, 1, 0.05), (18.307, 10, 0.05), (149.449, 100, 0.001)] {
            assert!((probability(x, degrees) - p).abs() < p / 100.0, "{x} of {degrees}");
        }
        assert!(chi_square(&[10, 20], &[1.0, 2.0]).abs() < 1e-9);
    }

    #[test]
    fn a_dependence_is_found() {
        let dependent = (0..10_000).map(|i| (i % 4, if i % 10 == 0 { i / 10 % 4 } else { i % 4 }));
        assert!(independence(dependent, 4, 4) < 1e-6);
        let independent = (0..10_000).map(|i| (i % 4, i / 4 % 4));
        assert!(independence(independent, 4, 4) > 0.001);
    }
}
