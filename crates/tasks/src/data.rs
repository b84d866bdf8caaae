//! Readers of public data formats: tab-separated lines into typed rows.
//!
//! Common to all: a line ends with LF or CRLF, fields are split at tabs and nowhere else, and
//! quotes are ordinary characters. A file that is not UTF-8, has no rows, or holds a row that does
//! not fit is refused with its path and line. Each format has `read` for a file and `parse` for
//! bytes already at hand, whose `path` serves messages only.

pub mod cola;
pub mod movie_reviews;
pub mod sst2;
pub mod stsb;
mod table;
