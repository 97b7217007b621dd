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
use crate::spread::Spread;

/// The benches, by their names in criterion, with the most microseconds that they should take.
const BENCHES: [(&str, Option<f64>); 4] = [
    ("verify a signature", Some(3.0)),
    ("parse and normalise", Some(20.0)),
    ("parse and map", Some(20.0)),
    ("write the message", None),
];

/// The part of criterion's `sample.json` that is read here: how often each sample ran the code, and
/// the nanoseconds that it took.
#[derive(Deserialize)]
struct Samples {
    iters: Vec<f64>,
    times: Vec<f64>,
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
    let head = ["2 KB, µs", "least", "median", "p95"].map(str::to_owned);
    let mut rows = vec![head];
    for (name, reach) in BENCHES {
        let spread = microseconds(name)?;
        // Criterion measures time, not CPU time: on a busy machine only the least sample says how
        // long the code takes.
        figures.add_uncompared(name, spread.least, "µs", reach);
        let [least, median, p95] = spread.cells();
        rows.push([name.to_owned(), least, median, p95]);
    }
    table::print(&rows);
    Ok(())
}

/// The time of one run of the code, by samples.
fn microseconds(name: &str) -> Result<Spread> {
    let folder: PathBuf = environment::target("criterion").join(name);
    let path = folder.join("new/sample.json");
    let text = fs::read_to_string(&path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let samples: Samples =
        serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    let times = samples.times.iter().zip(&samples.iters);
    Spread::of(times.map(|(time, runs)| time / runs / 1e3).collect())
}
