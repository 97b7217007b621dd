//! The stored samples of a source.

use aws::invocation::Invocation;
use domain::source::mapping::read_sample;
use domain::{PartnerId, SourceId};
use store::{Actor, SamplePlace, StoredSample};

use crate::context::Setup;
use crate::http::problem::{Problem, saved_version};
use crate::{audit, quarantine};

/// The longest sample, in bytes.
pub(crate) const MAX_SAMPLE: usize = 64 * 1024;

/// A stored sample.
pub(super) struct Sample {
    /// Its place, counted from 1.
    pub(super) n: u8,
    pub(super) text: String,
}

pub(super) async fn read(
    setup: &Setup,
    partner: &PartnerId,
    source: &SourceId,
) -> Result<Vec<Sample>, Problem> {
    let places = setup.table().samples.get_all(partner, source).await?;
    let samples = places.into_iter().filter_map(|place| {
        let n = place.n + 1;
        place.text.map(|text| Sample { n, text })
    });
    Ok(samples.collect())
}

/// Stores a sample at the first free place. A sample that is stored already is not stored again.
pub(super) async fn add(
    setup: &Setup,
    partner: &PartnerId,
    source: &SourceId,
    text: &str,
    invocation: &Invocation,
) -> Result<(), Problem> {
    let text = text.trim();
    if text.len() > MAX_SAMPLE {
        return Err(Problem::invalid(
            "sample",
            "A sample has at most 65536 bytes.",
        ));
    }
    if let Err(err) = read_sample(text) {
        return Err(Problem::invalid("sample", format!("It {}.", err.problem)));
    }
    let places = setup.table().samples.get_all(partner, source).await?;
    let is_same = |place: &SamplePlace| place.text.as_deref() == Some(text);
    if places.iter().any(is_same) {
        return Ok(());
    }
    let free = places.iter().find(|place| place.text.is_none());
    let free = free.ok_or_else(|| {
        Problem::invalid(
            "sample",
            "A source has at most 5 samples. Remove one of them first.",
        )
    })?;
    let text = Some(text.to_owned());
    save(
        setup,
        (partner, source),
        free,
        (text, "sample_added"),
        invocation,
    )
    .await
}

/// Stores a message that could not be read as a sample.
pub(super) async fn add_message(
    setup: &Setup,
    partner: &PartnerId,
    source: &SourceId,
    message: &str,
    invocation: &Invocation,
) -> Result<(), Problem> {
    let read = quarantine::read(setup, partner, message).await?;
    if read.source != *source {
        return Err(quarantine::missing());
    }
    add(setup, partner, source, &read.text, invocation).await
}

/// Removes a sample. Removing it again changes nothing.
pub(super) async fn remove(
    setup: &Setup,
    partner: &PartnerId,
    source: &SourceId,
    n: u8,
    invocation: &Invocation,
) -> Result<(), Problem> {
    let places = setup.table().samples.get_all(partner, source).await?;
    let place = places.iter().find(|place| place.n + 1 == n);
    match place.filter(|place| place.text.is_some()) {
        Some(place) => {
            let change = (None, "sample_removed");
            save(setup, (partner, source), place, change, invocation).await
        }
        None => Ok(()),
    }
}

async fn save(
    setup: &Setup,
    (partner, source): (&PartnerId, &SourceId),
    place: &SamplePlace,
    (text, what): (Option<String>, &str),
    invocation: &Invocation,
) -> Result<(), Problem> {
    let sample = StoredSample {
        text,
        added_at: invocation.now(),
    };
    let place = (place.n, place.version);
    let saved = setup.table().samples.save(partner, source, place, &sample);
    saved_version(saved.await?)?;
    let detail = [("source", source.to_string())];
    audit::record(setup, partner, (Actor::Partner, what), &detail, invocation).await;
    Ok(())
}
