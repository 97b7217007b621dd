//! The code that runs for each event, measured alone by criterion.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use local_stack::environment;
use local_stack::process::run_logged;
use local_stack::progress::step;
use local_stack::run_folder::RunFolder;
use local_stack::table;
use serde::Deserialize;

use crate::figures::Figures;

/// The benches, by their names in criterion, with the most microseconds that they should take.
const BENCHES: [(&str, Option<f64>); 4] = [
    ("verify a signature", Some(3.0)),
    ("parse and normalise", Some(20.0)),
    ("parse and map", Some(20.0)),
    ("write the message", None),
];

/// The part of criterion's `estimates.json` that is read here.
#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    /// In nanoseconds.
    point_estimate: f64,
    confidence_interval: Interval,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

pub(crate) async fn measure(folder: &RunFolder, figures: &mut Figures) -> Result<()> {
    let mut bench = environment::cargo(&["bench", "--package", "hot-paths", "--bench", "events"]);
    bench.args(["--", "--noplot"]);
    let log = folder.path().join("criterion.log");
    step(
        "the code of each event",
        run_logged("cargo bench", bench, log),
    )
    .await?;
    let head = ["2 KB, µs", "median", "95 % confidence"].map(str::to_owned);
    let mut rows = vec![head];
    for (name, reach) in BENCHES {
        let median = estimates(name)?.median;
        let microseconds = |nanoseconds: f64| format!("{:.2}", nanoseconds / 1e3);
        let interval = &median.confidence_interval;
        figures.add_uncompared(name, median.point_estimate / 1e3, "µs", reach);
        rows.push([
            name.to_owned(),
            microseconds(median.point_estimate),
            format!(
                "{} to {}",
                microseconds(interval.lower_bound),
                microseconds(interval.upper_bound)
            ),
        ]);
    }
    table::print(&rows);
    Ok(())
}

fn estimates(name: &str) -> Result<Estimates> {
    let path: PathBuf = environment::target("criterion")
        .join(name)
        .join("new/estimates.json");
    let text = fs::read_to_string(&path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}
