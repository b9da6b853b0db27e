//! Values in columns: ids as SQLite's signed integers, times as milliseconds.

use super::StoreError;
use rusqlite::Row;
use rusqlite::types::{FromSql, ToSql, ToSqlOutput, Type, Value};
use wayhaven_shared::value::{
    AlertId, ChannelId, DeliveryId, DrillId, Evidence, ExceptionId, GuildId, HoldId, IncidentId, JobId,
    LinkId, ProtectionId, PunishmentId, RoleId, Span, Timestamp, Untrusted, UserId, WarningStep,
    WarningSteps,
};

/// A value that a column can hold. The ids' bound (below 2^63) is what makes the conversion exact.
pub(super) struct Sql<T>(pub(super) T);

macro_rules! identifiers_in_columns {
    ($($name:ident),*) => {$(
        impl ToSql for Sql<$name> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Owned(Value::Integer(self.0.get().cast_signed())))
            }
        }
        impl ToSql for Sql<Option<$name>> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let value = self.0.map_or(Value::Null, |id| Value::Integer(id.get().cast_signed()));
                Ok(ToSqlOutput::Owned(value))
            }
        }
        impl Column for $name {
            type Raw = i64;
            fn from_raw(raw: i64) -> Option<Self> {
                Self::new(raw.cast_unsigned())
            }
        }
    )*};
}
identifiers_in_columns!(
    UserId,
    GuildId,
    RoleId,
    ChannelId,
    PunishmentId,
    DeliveryId,
    LinkId,
    ProtectionId,
    JobId,
    ExceptionId,
    HoldId,
    AlertId,
    IncidentId,
    DrillId
);

/// A type that is read from a column through a raw one.
pub(super) trait Column: Sized {
    type Raw: FromSql;
    fn from_raw(raw: Self::Raw) -> Option<Self>;
}

impl Column for Timestamp {
    type Raw = i64;
    fn from_raw(raw: i64) -> Option<Self> {
        Some(Self::from_millis(raw))
    }
}

impl Column for Untrusted {
    type Raw = String;
    fn from_raw(raw: String) -> Option<Self> {
        Some(Self::clipped(&raw))
    }
}

macro_rules! parsed_from_columns {
    ($($name:ident),*) => {$(
        impl Column for $name {
            type Raw = String;
            fn from_raw(raw: String) -> Option<Self> {
                raw.parse().ok()
            }
        }
    )*};
}
parsed_from_columns!(Evidence, Span, WarningStep, WarningSteps);

/// Reads columns by name and turns what does not fit into an error that names it.
pub(super) fn column<T: Column>(row: &Row<'_>, name: &'static str) -> rusqlite::Result<T> {
    T::from_raw(row.get(name)?).ok_or_else(|| odd(name))
}

/// Like [`column`], where NULL is allowed.
pub(super) fn optional<T: Column>(row: &Row<'_>, name: &'static str) -> rusqlite::Result<Option<T>> {
    row.get::<_, Option<T::Raw>>(name)?.map(|raw| T::from_raw(raw).ok_or_else(|| odd(name))).transpose()
}

/// Reads a column of words by the function that knows them.
pub(super) fn word<T>(row: &Row<'_>, name: &'static str, read: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    read(row.get_ref(name)?.as_str()?).ok_or_else(|| odd(name))
}

/// A value that this version cannot read, by the name of its column.
pub(super) fn odd(name: &'static str) -> rusqlite::Error {
    let error = StoreError::Row { table: name, what: "the value is none of those this version knows".into() };
    rusqlite::Error::FromSqlConversionFailure(0, Type::Null, Box::new(error))
}
