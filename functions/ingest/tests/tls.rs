//! The real binary calls AWS over TLS.

use std::path::Path;

use anyhow::Result;
use local_stack::run_folder::RunFolder;

#[tokio::test]
async fn calls_to_aws_use_tls_with_the_pinned_roots() -> Result<()> {
    let folder = RunFolder::create("tls-of-ingest")?;
    bench::first_invocation::invoke_over_tls(Path::new(env!("CARGO_BIN_EXE_ingest")), &folder).await
}
