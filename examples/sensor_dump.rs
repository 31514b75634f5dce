//! Converts sensor readings from Fahrenheit to Celsius, from one dump to another. Kiln does not support
//! this file format, so the job implements a `Scan` to read it and a `Sink` to write it.
//!
//! A dump consists of records of 12 bytes: a sensor as `u32` and a temperature as `f64`, little-endian.
//! `docs/connectors.md` explains this file part by part.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::Arc;

use kiln::arrow::array::{ArrayRef, AsArray, Float64Builder, RecordBatch, UInt32Builder};
use kiln::arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef, UInt32Type};
use kiln::connect::{
    Begin, PartWriter, PlannedSplit, Scan, ScanBatches, ScanPlan, ScanTask, Sink, SinkRun, SinkTask,
};
use kiln::job::Output;
use kiln::{Context, Error, Result, Row};
use serde::{Deserialize, Serialize};

const RECORD_BYTES: u64 = 12;
const SPLIT_RECORDS: u64 = 1 << 20;

#[derive(Row, Clone, Debug, PartialEq)]
struct Reading {
    sensor: u32,
    degrees: f64,
}

/// A source that reads a dump.
#[derive(Clone, Serialize, Deserialize)]
struct ReadDump {
    path: String,
}

impl Scan for ReadDump {
    type Split = Range<u64>;

    fn address(&self) -> String {
        self.path.clone()
    }

    fn label(&self) -> String {
        format!("read_dump {}", self.path)
    }

    fn plan(&self, _: Option<&SchemaRef>) -> Result<ScanPlan<Range<u64>>> {
        let bytes =
            fs::metadata(&self.path).map_err(|e| Error::io("no dump", e).at("dump", &self.path))?.len();
        if bytes % RECORD_BYTES != 0 {
            let error =
                Error::data(format!("the dump ends in the middle of a record of {RECORD_BYTES} bytes"));
            return Err(error.at("dump", &self.path).at("byte", bytes));
        }
        let records = bytes / RECORD_BYTES;
        let split = |start| start..records.min(start + SPLIT_RECORDS);
        let splits = (0..records).step_by(SPLIT_RECORDS as usize).map(split).map(|split| {
            let rows = split.end - split.start;
            PlannedSplit { split, rows: Some(rows), bytes: rows * RECORD_BYTES }
        });
        Ok(ScanPlan {
            schema: columns(),
            splits: splits.collect(),
            row_bytes: bytes,
            input: None,
            hold: None,
        })
    }

    fn open<'t>(
        &'t self,
        split: &'t Range<u64>,
        task: &'t ScanTask<'t>,
    ) -> Result<Box<dyn ScanBatches + 't>> {
        let mut file = File::open(&self.path).map_err(|e| Error::io("cannot open the dump", e))?;
        file.seek(SeekFrom::Start(split.start * RECORD_BYTES)).map_err(|e| Error::io("cannot seek", e))?;
        task.enter("dump", &self.path, "record", split.start);
        Ok(Box::new(Records { file: BufReader::new(file), left: split.clone(), task, read: 0 }))
    }
}

fn columns() -> SchemaRef {
    let sensor = Field::new("sensor", DataType::UInt32, false);
    Arc::new(Schema::new(vec![sensor, Field::new("degrees", DataType::Float64, false)]))
}

/// The records of one split.
struct Records<'t> {
    file: BufReader<File>,
    left: Range<u64>,
    task: &'t ScanTask<'t>,
    read: u64,
}

impl ScanBatches for Records<'_> {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let rows = self.task.limits().rows_of(RECORD_BYTES as usize) as u64;
        let (mut sensors, mut degrees) = (UInt32Builder::new(), Float64Builder::new());
        for _ in self.left.by_ref().take(rows as usize) {
            let (mut sensor, mut value) = ([0; 4], [0; 8]);
            let read = self.file.read_exact(&mut sensor).and_then(|()| self.file.read_exact(&mut value));
            read.map_err(|e| Error::io("cannot read the dump", e))?;
            sensors.append_value(u32::from_le_bytes(sensor));
            degrees.append_value(f64::from_le_bytes(value));
            self.read += RECORD_BYTES;
        }
        let columns: Vec<ArrayRef> = vec![Arc::new(sensors.finish()), Arc::new(degrees.finish())];
        let batch = RecordBatch::try_new(self.task.schema().clone(), columns)?;
        Ok((batch.num_rows() > 0).then_some(batch))
    }

    fn bytes_read(&self) -> u64 {
        self.read
    }
}

/// A sink that writes a dump. Each attempt of a partition writes a separate file. The commit joins the
/// files of the successful attempts and renames the result, so that readers see either the old dump or
/// the new one.
#[derive(Clone, Serialize, Deserialize)]
struct WriteDump {
    path: String,
}

impl Sink for WriteDump {
    type Stage = String;
    type Held = String;
    type Part = (String, u64);

    fn address(&self) -> String {
        self.path.clone()
    }

    fn label(&self) -> String {
        "write_dump".to_owned()
    }

    fn begin(&self, columns: &SchemaRef, run: &SinkRun) -> Result<Begin<String, String>> {
        if columns.fields().iter().map(|field| field.data_type()).ne([&DataType::UInt32, &DataType::Float64])
        {
            return Err(Error::config("a dump holds a `u32` and an `f64`").at("dump", &self.path));
        }
        let folder = format!("{}.{}", self.path, run.run_id().replace('/', "_"));
        fs::create_dir_all(&folder).map_err(|e| Error::io("cannot stage the dump", e))?;
        Ok(Begin::Begun { held: folder.clone(), stage: folder })
    }

    fn open<'t>(
        &'t self,
        folder: &'t String,
        task: &'t SinkTask<'t>,
    ) -> Result<Box<dyn PartWriter<Part = (String, u64)> + 't>> {
        let path = format!("{folder}/{}-{}", task.partition(), task.attempt());
        let file = File::create(&path).map_err(|e| Error::io("cannot write the dump", e))?;
        Ok(Box::new(Part { path, file: BufWriter::new(file), rows: 0 }))
    }

    fn commit(&self, folder: String, parts: Vec<(String, u64)>, run: &SinkRun) -> Result<()> {
        let whole = format!("{folder}/whole");
        let joined = File::create(&whole).and_then(|mut to| {
            parts
                .iter()
                .try_for_each(|(part, _)| std::io::copy(&mut File::open(part)?, &mut to).map(drop))?;
            to.sync_all()
        });
        joined.map_err(|e| Error::io("cannot join the parts of the dump", e))?;
        let guard = run.committing()?;
        fs::rename(&whole, &self.path).map_err(|e| Error::io("cannot publish the dump", e))?;
        let rows = parts.iter().map(|(_, rows)| rows).sum();
        let (uri, partitions) = (self.path.clone(), parts.len() as u64);
        run.published(Output {
            uri,
            partitions,
            files: 1,
            rows,
            bytes: rows * RECORD_BYTES,
            ..Output::default()
        });
        drop(guard);
        fs::remove_dir_all(&folder).map_err(|e| Error::io("cannot remove the staged parts", e))
    }
}

/// The file of one task.
struct Part {
    path: String,
    file: BufWriter<File>,
    rows: u64,
}

impl PartWriter for Part {
    type Part = (String, u64);

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let sensors = batch.column(0).as_primitive::<UInt32Type>().values();
        let degrees = batch.column(1).as_primitive::<Float64Type>().values();
        for (sensor, degrees) in sensors.iter().zip(degrees) {
            let written = self.file.write_all(&sensor.to_le_bytes());
            let written = written.and_then(|()| self.file.write_all(&degrees.to_le_bytes()));
            written.map_err(|e| Error::io("cannot write the dump", e).at("file", &self.path))?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(String, u64)> {
        self.file.flush().map_err(|e| Error::io("cannot write the dump", e).at("file", &self.path))?;
        Ok((self.path, self.rows))
    }
}

#[derive(clap::Parser)]
struct Args {
    input: String,
    output: String,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> Result<()> {
    let readings = cx.scan::<Reading, _>(ReadDump { path: args.input });
    let celsius = readings.map(|r| Reading { sensor: r.sensor, degrees: (r.degrees - 32.0) / 1.8 });
    celsius.write_to(WriteDump { path: args.output })
}
