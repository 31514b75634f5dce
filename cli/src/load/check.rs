//! `kiln load FILE check`: what a load would read and write.

use kiln::connect::Scan;
use kiln::{Copied, Result};

use super::file::{Target, Terms};
use crate::{print, table};

pub fn run<S: Scan>(rows: &Copied<S>, target: &Target, terms: &Terms) -> Result<()> {
    let schema = rows.schema()?;
    target.check(rows, terms)?;
    let mut lines = vec![["column", "type", "nulls"].map(str::to_owned).to_vec()];
    lines.extend(schema.fields().iter().map(|field| {
        let nulls = if field.is_nullable() { "yes" } else { "no" };
        vec![field.name().clone(), field.data_type().to_string(), nulls.to_owned()]
    }));
    print(&table(&lines));
    let splits = rows.splits()?;
    print(&format!("{splits} split{}\n{target}\n", if splits == 1 { "" } else { "s" }));
    Ok(())
}
