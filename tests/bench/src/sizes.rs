//! The bytes of each program. A cold start reads most of it.

use std::fs;

use anyhow::Result;
use local_stack::deployment::FUNCTIONS;
use local_stack::table;

use crate::figures::Figures;
use crate::function::{HELLO, Programs};

/// In megabytes.
const INGEST_REACH: f64 = 5.5;
const REACH: f64 = 8.0;

pub(crate) fn measure(programs: &Programs, figures: &mut Figures) -> Result<()> {
    let mut rows = vec![["program", "MB"].map(str::to_owned)];
    for function in [HELLO].iter().chain(&FUNCTIONS) {
        let bytes = fs::metadata(programs.path(function)?)?.len();
        let megabytes = u32::try_from(bytes).map(f64::from)? / 1e6;
        let reach = match *function {
            HELLO => None,
            "ingest" => Some(INGEST_REACH),
            _ => Some(REACH),
        };
        figures.add(&format!("size of {function}"), megabytes, "MB", reach);
        rows.push([(*function).to_owned(), format!("{megabytes:.2}")]);
    }
    table::print(&rows);
    Ok(())
}
