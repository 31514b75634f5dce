//! How contenders are run, measured and compared.

pub mod contest;
pub mod measure;
pub mod report;
pub mod scratch;
pub mod startup;
