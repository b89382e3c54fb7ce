//! Counters of entries that begin anew.

use aya::{
    Pod,
    maps::{MapData, MapError, PerCpuArray, PerCpuValues},
    util::nr_cpus,
};

/// Sets a per-CPU counter to zero.
pub(super) fn reset<T: Pod + Default>(
    map: &mut PerCpuArray<MapData, T>,
    index: u32,
) -> Result<(), MapError> {
    let cpus = nr_cpus().map_err(|(_, error)| MapError::IoError(error))?;
    let zeros = PerCpuValues::try_from(vec![T::default(); cpus]).map_err(MapError::IoError)?;
    map.set(index, zeros, 0)
}
