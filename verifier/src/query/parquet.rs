//! An answer as Apache Parquet: one row group, each column of one type, all of them optional.

use super::table::Answer;
use anyhow::Result;
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;
use rusqlite::types::Value;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Integer,
    Real,
    Text,
}

// What all values of a column are; a mixed one is text.
fn column(answer: &Answer, at: usize) -> Column {
    let values = answer.rows.iter().filter_map(|row| row.get(at));
    let mut kinds = values.filter_map(|value| match value {
        Value::Null => None,
        Value::Integer(_) => Some(Column::Integer),
        Value::Real(_) => Some(Column::Real),
        Value::Text(_) | Value::Blob(_) => Some(Column::Text),
    });
    let Some(first) = kinds.next() else { return Column::Text };
    if kinds.all(|kind| kind == first) { first } else { Column::Text }
}

/// The bytes of a file.
pub(super) fn encode(answer: &Answer) -> Result<Vec<u8>> {
    let columns: Vec<Column> = (0..answer.columns.len()).map(|at| column(answer, at)).collect();
    let fields = answer.columns.iter().zip(&columns).map(|(name, column)| {
        let physical = match column {
            Column::Integer => Physical::INT64,
            Column::Real => Physical::DOUBLE,
            Column::Text => Physical::BYTE_ARRAY,
        };
        let text = (*column == Column::Text).then_some(LogicalType::String);
        let field = Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(text);
        field.build().map(Arc::new)
    });
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    let schema = Arc::new(Type::group_type_builder("records").with_fields(fields).build()?);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    for (at, kind) in columns.iter().enumerate() {
        let values: Vec<&Value> = answer.rows.iter().filter_map(|row| row.get(at)).collect();
        match kind {
            Column::Integer => put::<Int64Type>(&mut group, &values, |value| match value {
                Value::Integer(number) => Some(*number),
                _ => None,
            })?,
            Column::Real => put::<DoubleType>(&mut group, &values, |value| match value {
                Value::Real(number) => Some(*number),
                _ => None,
            })?,
            Column::Text => put::<ByteArrayType>(&mut group, &values, |value| {
                let text = match value {
                    Value::Null => return None,
                    Value::Integer(number) => number.to_string(),
                    Value::Real(number) => number.to_string(),
                    Value::Text(text) => text.clone(),
                    Value::Blob(bytes) => coldlog_spec::hash::to_hex(bytes),
                };
                Some(ByteArray::from(text.into_bytes()))
            })?,
        }
    }
    group.close()?;
    Ok(writer.into_inner()?)
}

fn put<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[&Value],
    read: impl Fn(&Value) -> Option<T::T>,
) -> Result<()> {
    let read: Vec<Option<T::T>> = values.iter().map(|value| read(value)).collect();
    let levels: Vec<i16> = read.iter().map(|value| i16::from(value.is_some())).collect();
    let there: Vec<T::T> = read.into_iter().flatten().collect();
    let Some(mut writer) = group.next_column()? else { anyhow::bail!("a column too many") };
    writer.typed::<T>().write_batch(&there, Some(&levels), None)?;
    writer.close()?;
    Ok(())
}
