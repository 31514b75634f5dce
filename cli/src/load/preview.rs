//! `kiln load FILE preview`: the first rows as a table.

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use kiln::arrow;
use kiln::connect::Scan;
use kiln::{Copied, Result};

use crate::{print, table};

/// Characters of one value that are shown.
const MAX_CHARS: usize = 40;

pub fn run<S: Scan>(rows: &Copied<S>, count: usize) -> Result<()> {
    let header = rows.schema()?.fields().iter().map(|field| field.name().clone()).collect();
    let mut lines = vec![header];
    for batch in rows.take(count)? {
        lines.extend(cells(&batch)?);
    }
    print(&table(&lines));
    Ok(())
}

fn cells(batch: &RecordBatch) -> Result<Vec<Vec<String>>> {
    let options = FormatOptions::default().with_null("NULL");
    let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let cell = |column: &ArrayFormatter<'_>, row: usize| {
        let text = column.value(row).to_string().replace('\n', "\\n");
        match text.char_indices().nth(MAX_CHARS) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    };
    Ok((0..batch.num_rows()).map(|row| columns.iter().map(|column| cell(column, row)).collect()).collect())
}
