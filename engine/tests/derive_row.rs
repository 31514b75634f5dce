//! The structs, columns, views and keys that `#[derive(Row)]` generates, tested with real batches.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Schema};
use kiln::Row;
use kiln::row::{ColumnBuilder, ColumnReader, IntoRow, Key, RowReader, schema, to_batch};

/// A request, with all kinds of columns.
#[derive(Row, Clone, Debug, PartialEq)]
struct Hit {
    url: String,
    status: u16,
    #[row(rename = "bytesSent")]
    bytes: Option<u64>,
    client: Client,
    origin: Option<Client>,
    window: (i64, String),
    r#type: bool,
}

#[derive(Row, Clone, Debug, PartialEq)]
#[row(key)]
struct Client {
    name: String,
    port: Option<u16>,
}

#[derive(Row, Clone, Debug, PartialEq)]
#[row(key)]
struct Point(i32, i32);

#[test]
fn columns_are_the_fields_in_order() {
    let client = DataType::Struct(
        vec![Field::new("name", DataType::Utf8, false), Field::new("port", DataType::UInt16, true)].into(),
    );
    let window = DataType::Struct(
        vec![Field::new("_1", DataType::Int64, false), Field::new("_2", DataType::Utf8, false)].into(),
    );
    let expected = Schema::new(vec![
        Field::new("url", DataType::Utf8, false),
        Field::new("status", DataType::UInt16, false),
        Field::new("bytesSent", DataType::UInt64, true),
        Field::new("client", client.clone(), false),
        Field::new("origin", client, true),
        Field::new("window", window, false),
        Field::new("type", DataType::Boolean, false),
    ]);
    assert_eq!(*schema::<Hit>(), expected);
    assert_eq!(Hit::data_type(), DataType::Struct(expected.fields));
}

#[test]
fn a_tuple_struct_has_numbered_columns() {
    let names: Vec<String> = Point::columns().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["_1", "_2"]);
    assert_eq!(round_trip(&[Point(1, -2), Point(3, 4)]), [Point(1, -2), Point(3, 4)]);
}

#[test]
fn rows_come_back_from_a_batch_as_they_went_in() {
    let hits: Vec<Hit> = (0..100).map(hit).collect();
    assert_eq!(round_trip(&hits), hits);
    assert_eq!(round_trip::<Hit>(&[]), []);
}

#[test]
fn rows_come_back_from_a_part_of_a_batch() {
    let batch = batch(&(0..10).map(hit).collect::<Vec<_>>()).slice(3, 4);
    assert_eq!(read::<Hit>(&batch), (3..7).map(hit).collect::<Vec<_>>());
}

#[test]
fn an_absent_struct_is_a_null_and_its_fields_are_placeholders() {
    let batch = batch(&[hit(0), hit(1)]);
    let origins = batch.column_by_name("origin").unwrap();
    assert_eq!((origins.is_null(0), origins.is_null(1)), (true, false));
    let origins = origins.as_any().downcast_ref::<StructArray>().unwrap();
    assert_eq!(origins.column_by_name("name").unwrap().null_count(), 0);
    origins.to_data().validate_full().unwrap();
}

#[test]
fn a_struct_column_holds_the_same_rows_as_a_table() {
    let mut builder = <Option<Hit> as Row>::Builder::default();
    for row in [Some(hit(1)), None, Some(hit(2))] {
        builder.push(row.view());
    }
    assert!(builder.size_bytes() > 0);
    let column = builder.finish();
    assert!(builder.is_empty());
    let reader = <Option<Hit> as Row>::Reader::open(&column).unwrap();
    let rows: Vec<_> = (0..3).map(|i| <Option<Hit>>::own(reader.get(i))).collect();
    assert_eq!(rows, [Some(hit(1)), None, Some(hit(2))]);
}

#[test]
fn a_function_can_parse_a_line_into_a_borrowed_view() {
    fn parse(line: &str) -> Option<ClientView<'_>> {
        let (name, port) = line.split_once(':')?;
        Some(ClientView { name, port: port.parse().ok() })
    }
    let parsed = parse("db:80").map(Client::own);
    assert_eq!(parsed, Some(Client { name: "db".into(), port: Some(80) }));
    assert_eq!(format!("{:?}", parse("db:x")), r#"Some(ClientView { name: "db", port: None })"#);
}

#[test]
fn a_view_can_be_narrowed_to_stand_beside_a_shorter_one() {
    fn or_default<'a>(found: Option<ClientView<'a>>, default: ClientView<'static>) -> ClientView<'a> {
        found.unwrap_or(Client::narrow(default))
    }
    let default = ClientView { name: "nobody", port: None };
    let found = String::from("db");
    assert_eq!(or_default(Some(ClientView { name: &found, port: None }), default).name, "db");
    assert_eq!(or_default(None, default).name, "nobody");
}

#[test]
fn a_closure_may_return_the_row_or_its_view() {
    fn owned<R: IntoRow>(returned: R) -> R::Row {
        R::Row::own(returned.as_view())
    }
    assert_eq!(owned(hit(5)), hit(5));
    assert_eq!(owned(hit(5).view()), hit(5));
    assert_eq!(owned(PointView(1, 2)), Point(1, 2));
    assert_eq!(owned(("a", Some(PointView(1, 2)))), ("a".to_owned(), Some(Point(1, 2))));
}

#[test]
fn a_column_of_another_type_is_refused_by_name() {
    let wrong = batch(&[("x".to_owned(), 7_u64)]);
    let error = RowReader::<Client>::open(&wrong).err().unwrap();
    assert_eq!(error.to_string(), "a column has the type UInt64, expected UInt16, at column port");
    assert_eq!(error.class(), kiln::Class::Data);
}

#[test]
fn a_batch_with_too_few_columns_is_refused() {
    let error = RowReader::<Client>::open(&batch(&[7_u64])).err().unwrap();
    assert_eq!(error.to_string(), "a batch has 1 columns, expected 2");
    let error = <Client as Row>::Reader::open(batch(&[7_u64]).column(0)).err().unwrap();
    assert!(error.to_string().starts_with("a column has the type UInt64, expected Struct"), "{error}");
}

#[test]
fn a_kept_key_matches_itself_and_no_other() {
    let keys = keys();
    let mut arena = <Client as Key>::Arena::default();
    let slots: Vec<_> = keys.iter().map(|k| Client::store(k.view(), &mut arena)).collect();
    for (slot, key) in slots.iter().zip(&keys) {
        assert_eq!(Client::own(Client::load(slot, &arena)), *key);
        for other in &keys {
            assert_eq!(Client::matches(slot, &arena, other.view()), key == other);
            assert_eq!(Client::same(key.view(), other.view()), key == other);
        }
    }
    let hashes: HashSet<u64> = keys.iter().map(|k| Client::hash(k.view())).collect();
    assert_eq!(hashes.len(), keys.len());
}

#[test]
fn keys_are_ordered_and_hashed_like_tuples_of_their_fields() {
    type Pair = (String, Option<u16>);
    fn pair(client: &Client) -> (&str, Option<u16>) {
        (&client.name, client.port)
    }
    for a in &keys() {
        assert_eq!(Client::hash(a.view()), Pair::hash(pair(a)));
        for b in &keys() {
            assert_eq!(Client::compare(a.view(), b.view()), Pair::compare(pair(a), pair(b)));
        }
    }
}

#[derive(Row, Clone, Copy, Debug, PartialEq)]
enum Level {
    Warn,
    #[row(rename = "fatal error")]
    Fatal,
    r#Info,
}

#[test]
fn an_enum_is_a_dictionary_of_its_variants_names() {
    let rows = [Level::Info, Level::Fatal, Level::Info, Level::Warn];
    assert_eq!(Level::data_type(), dictionary());
    let batch = batch(&rows);
    let names = arrow::compute::cast(batch.column(0), &DataType::Utf8).unwrap();
    assert_eq!(*names.as_string::<i32>(), StringArray::from(vec!["Info", "fatal error", "Info", "Warn"]));
    assert_eq!(read::<Level>(&batch), rows);
    assert_eq!(round_trip(&[Some(Level::Fatal), None]), [Some(Level::Fatal), None]);
}

#[test]
fn variants_are_keys_in_the_order_of_declaration() {
    assert!(Level::compare(Level::Warn, Level::Fatal).is_lt());
    assert!(Level::compare(Level::Info, Level::Fatal).is_gt());
    assert!(Level::same(Level::Info, Level::Info) && Level::hash(Level::Info) != Level::hash(Level::Warn));
}

#[test]
fn an_enum_is_read_from_plain_text_and_from_any_dictionary() {
    let text: ArrayRef = Arc::new(StringArray::from(vec![Some("Warn"), None]));
    for column in [Arc::clone(&text), arrow::compute::cast(&text, &dictionary()).unwrap()] {
        let reader = <Option<Level> as Row>::Reader::open(&column).unwrap();
        assert_eq!((reader.get(0), reader.get(1)), (Some(Level::Warn), None));
    }
}

#[test]
fn a_name_that_no_variant_has_is_an_error_with_column_and_value() {
    #[derive(Row)]
    struct Line {
        level: Level,
    }
    let text: ArrayRef = Arc::new(StringArray::from(vec!["Warn", "Debug"]));
    let batch = RecordBatch::try_from_iter([("level", text)]).unwrap();
    let error = RowReader::<Line>::open(&batch).err().unwrap();
    let text = "`Debug` is none of Warn, fatal error, Info, at column level";
    assert_eq!((error.class(), &error.to_string()[..]), (kiln::Class::Data, text));
}

#[test]
fn a_null_where_a_field_is_no_option_is_an_error_with_the_column() {
    let batch = batch(&[(Some(1_u64), 2_u64), (None, 3)]);
    let error = RowReader::<(u64, u64)>::open(&batch).err().unwrap();
    assert_eq!(error.class(), kiln::Class::Data);
    assert!(error.to_string().contains("at column _1"), "{error}");
}

fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

#[test]
fn names_of_the_job_do_not_clash_with_generated_ones() {
    #[derive(kiln::Row, Clone, Debug, PartialEq)]
    struct Row {
        index: u8,
        view: Builder,
        columns: Result,
    }
    #[derive(kiln::Row, Clone, Debug, PartialEq)]
    #[row(key)]
    struct Builder {
        slot: u8,
        arena: u8,
        hash: u8,
        a: u8,
        b: u8,
    }
    #[derive(kiln::Row, Clone, Debug, PartialEq)]
    struct Result(u8);
    let row = Row { index: 1, view: Builder { slot: 2, arena: 3, hash: 4, a: 5, b: 6 }, columns: Result(7) };
    assert_eq!(round_trip(std::slice::from_ref(&row)), [row]);
}

mod elsewhere {
    //! A key with a field that the rest of the file cannot see.
    #![deny(missing_docs, unreachable_pub)]

    /// A place.
    #[derive(kiln::Row)]
    #[row(key)]
    pub(crate) struct Place {
        /// Its name.
        pub(super) name: String,
        zone: Zone,
    }

    #[derive(kiln::Row)]
    #[row(key)]
    struct Zone(u8);

    /// The view of a place.
    pub(crate) fn place(name: &str) -> PlaceView<'_> {
        PlaceView { name, zone: ZoneView(1) }
    }
}

#[test]
fn a_view_and_its_fields_are_as_visible_as_the_struct_and_its_fields() {
    let view: elsewhere::PlaceView<'_> = elsewhere::place("Zugspitze");
    assert_eq!(elsewhere::Place::own(view).name, view.name);
}

/// Every second row has no `origin`, every third no `bytes`.
fn hit(i: u16) -> Hit {
    Hit {
        url: format!("/page/{i}"),
        status: 200 + i,
        bytes: (!i.is_multiple_of(3)).then_some(u64::from(i)),
        client: Client { name: format!("client {i}"), port: None },
        origin: (i % 2 == 1).then(|| Client { name: format!("a somewhat long name {i}"), port: Some(i) }),
        window: (i64::from(i) - 5, "x".repeat(usize::from(i))),
        r#type: i.is_multiple_of(5),
    }
}

/// Keys with short and long strings, with and without a port.
fn keys() -> Vec<Client> {
    let names = ["", "a", "b", "a name of more than fifteen bytes", "a name of more than fifteen byteS"];
    let ports = [None, Some(0), Some(80)];
    names.iter().flat_map(|n| ports.map(|port| Client { name: (*n).into(), port })).collect()
}

fn batch<T: Row>(rows: &[T]) -> RecordBatch {
    let mut builder = T::Builder::default();
    rows.iter().for_each(|row| builder.push(row.view()));
    assert_eq!(builder.len(), rows.len());
    to_batch::<T>(&mut builder).expect("a builder's rows make a batch")
}

fn read<T: Row>(batch: &RecordBatch) -> Vec<T> {
    RowReader::<T>::open(batch).expect("a batch of these rows opens").iter().map(T::own).collect()
}

fn round_trip<T: Row>(rows: &[T]) -> Vec<T> {
    read(&batch(rows))
}
