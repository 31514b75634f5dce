//! Aggregation by key: a combine before the exchange and a merge after it.
//!
//! `reduce_by_key`, `fold_by_key`, `count_by_value`, `distinct` and similar operators differ only in
//! their [`Aggregate`]. [`Combine`] ends a fused chain: it folds each row into a hash [`table`] and
//! writes one row per key and task. [`Merge`] starts the stage after the exchange. [`Placed`] does
//! both, for rows that are already hash-partitioned by key. The hash is computed on the view and travels
//! with the row, unless computing it again is cheaper (`carried`).

mod carried;
mod combine;
mod kinds;
mod merge;
mod part;
mod placed;
mod room;
mod slices;
mod table;

pub use combine::Combine;
pub use kinds::{Aggregate, CountDistinct, FromFirst, FromZero, Name, NoShared, Reduce, Seen, Sketch};
pub use merge::Merge;
pub use part::Part;
pub use placed::Placed;
pub use slices::Slices;
pub use table::{Occupied, Table, partition_of};
