//! CPU time of the first invocation of `ingest`, which reads two secrets and opens connections:
//! without TLS, and with the two TLS handshakes that it makes in AWS, to Secrets Manager and SQS.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use hot_paths::Format;
use local_stack::environment;
use local_stack::progress::step;
use local_stack::run_folder::RunFolder;
use local_stack::table;
use tokio::process::Command;

use crate::aws_stub::AwsStub;
use crate::figures::Figures;
use crate::function::{Programs, RunningFunction, aws_variables};
use crate::requests::BenchSource;
use crate::spread::Spread;
use crate::tls::Authority;

const ROUNDS: usize = 25;
/// Milliseconds of CPU time.
const REACH: f64 = 15.0;
/// The roots that functions trust, as they are in the program.
const ROOTS: &str = "shared/aws/src/amazon-roots.pem";
/// The calls of a first invocation: two secrets, and one batch of messages.
const CALLS: [(&str, usize); 2] = [
    ("AmazonSQS.SendMessageBatch", 1),
    ("secretsmanager.GetSecretValue", 2),
];

pub(crate) async fn measure(
    programs: &Programs,
    folder: &RunFolder,
    figures: &mut Figures,
) -> Result<()> {
    let authority = Authority::new()?;
    let trusting = trusting_copy(programs.path("ingest")?, &authority, folder)?;
    let source = BenchSource::new(Format::CloudEvents)?;
    let (mut plain, mut tls) = (vec![], vec![]);
    let what = format!("the first invocation of {ROUNDS} processes, without and with TLS");
    step(&what, async {
        for _ in 0..ROUNDS {
            let aws = AwsStub::start(source.secrets()?).await?;
            plain.push(invoke_first(&trusting, &source, &aws, folder).await?);
            let secrets = source.secrets()?;
            let aws = AwsStub::start_tls(secrets, &authority, source.secret_name()).await?;
            tls.push(invoke_first(&trusting, &source, &aws, folder).await?);
        }
        Ok(())
    })
    .await?;
    let (plain, tls) = (Spread::of(plain)?, Spread::of(tls)?);
    let figure = "first invocation of ingest: CPU with two TLS handshakes, median";
    figures.add_uncompared(figure, tls.median, "ms", Some(REACH));
    let figure = "first invocation of ingest: CPU without TLS, median";
    figures.add_uncompared(figure, plain.median, "ms", None);
    let head = ["CPU of the first invocation, ms", "least", "median", "p95"];
    let mut rows = vec![head.map(str::to_owned)];
    for (name, spread) in [("without TLS", plain), ("two TLS handshakes", tls)] {
        let [least, median, p95] = spread.cells();
        rows.push([name.to_owned(), least, median, p95]);
    }
    table::print(&rows);
    Ok(())
}

/// Makes one invocation of a program of `ingest` whose calls to AWS use TLS, with certificates that
/// its pinned roots prove.
///
/// # Errors
/// When the invocation fails, or makes other calls than expected.
pub async fn invoke_over_tls(ingest: &Path, folder: &RunFolder) -> Result<()> {
    let authority = Authority::new()?;
    let trusting = trusting_copy(ingest, &authority, folder)?;
    let source = BenchSource::new(Format::CloudEvents)?;
    let secrets = source.secrets()?;
    let aws = AwsStub::start_tls(secrets, &authority, source.secret_name()).await?;
    invoke_first(&trusting, &source, &aws, folder).await?;
    Ok(())
}

/// A copy of the program in which a root of the bench replaces one of its roots.
fn trusting_copy(program: &Path, authority: &Authority, folder: &RunFolder) -> Result<PathBuf> {
    let roots = fs::read_to_string(environment::root().join(ROOTS))?;
    let trusting = folder.path().join("ingest-that-trusts-the-bench");
    authority.trust_in(program, &roots, &trusting)?;
    Ok(trusting)
}

/// Returns the CPU time in milliseconds.
async fn invoke_first(
    program: &Path,
    source: &BenchSource,
    aws: &AwsStub,
    folder: &RunFolder,
) -> Result<f64> {
    let variables = aws_variables(&aws.endpoint);
    let command = Command::new(program);
    let name = "first-invocation";
    let mut running = RunningFunction::start(name, command, folder, &variables).await?;
    let before = running.cpu_time()?;
    let answer = running.invoke(&source.request(0)?).await?;
    running.idle_after(1).await?;
    let used = running.cpu_time()?.saturating_sub(before);
    ensure!(
        answer["statusCode"] == 202,
        "ingest answers {answer}; see {}",
        running.log().display()
    );
    let calls: Vec<_> = aws.calls().into_iter().collect();
    let expected = CALLS.map(|(operation, count)| (operation.to_owned(), count));
    ensure!(calls == expected, "ingest called {calls:?}");
    Ok(used.as_secs_f64() * 1e3)
}
