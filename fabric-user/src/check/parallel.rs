//! Several things at a time, and not all at once.

use std::{
    num::NonZeroUsize,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Does something for each of them, at most `width` at a time; what came of it, in their order.
pub(crate) fn each<T: Sync, R: Send>(
    width: NonZeroUsize,
    all: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(all.len()));
    let worker = || {
        while let Some((index, one)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            all.get(index).map(|one| (index, one))
        } {
            let result = work(one);
            // Another worker has panicked: the scope does as well.
            let Ok(mut done) = done.lock() else { return };
            done.push((index, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..width.get().min(all.len()) {
            scope.spawn(worker);
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_done_once_and_results_keep_their_order() {
        let all: Vec<usize> = (0..100).collect();
        let width = NonZeroUsize::new(7).unwrap();
        let squares = each(width, &all, |number| number * number);
        assert_eq!(squares, all.iter().map(|number| number * number).collect::<Vec<_>>());
        assert!(each(width, &[] as &[usize], |number| *number).is_empty());
    }
}
