//! The source that a command is about, and its path in the API.

use clap::Args;
use domain::SourceId;

#[derive(Debug, Clone, Args)]
pub(crate) struct SourceOption {
    /// The source's id, src_…
    #[arg(value_name = "SOURCE", value_parser = parse_source)]
    pub(super) source: SourceId,
}

fn parse_source(text: &str) -> Result<SourceId, String> {
    SourceId::parse(text).map_err(|err| err.to_string())
}

pub(super) fn path(source: &SourceId) -> String {
    format!("sources/{source}")
}
