//! How the real binary starts: it does not scan the system's root certificates, and if it cannot
//! start, the log says why.
//!
//! `rustls-native-certs` is linked, since the SDK's HTTP client always depends on it. It must not
//! be called. So the files that it would read are named pipes without a writer: a scan would open
//! one and hang, and the function would never request its first event.
use std::io::Read;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The tests of one function, with its binary and its variables.
macro_rules! tests_of {
    ($binary:expr, $variables:expr) => {
        #[test]
        fn the_function_starts_without_the_systems_roots() {
            start::asks_for_its_first_event($binary, &$variables);
        }

        #[test]
        fn a_failed_start_is_one_line_of_the_log() {
            start::logs_why_it_does_not_start($binary, &$variables);
        }

        #[test]
        fn a_plain_http_address_is_refused_at_the_start() {
            start::refuses_plain_http($binary, &$variables);
        }
    };
}
pub(crate) use tests_of;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Kills the process at the end of the test.
struct ChildGuard(Child);

impl Drop for ChildGuard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the binary with its own variables and waits until it requests its first event.
pub(crate) fn asks_for_its_first_event(binary: &str, variables: &[(&str, &str)]) {
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("roots-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let pipe = folder.join("roots.pem");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let runtime = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let function = Command::new(binary)
        .env_clear()
        .env("SSL_CERT_FILE", &pipe)
        .env("SSL_CERT_DIR", &folder)
        .env(
            "AWS_LAMBDA_RUNTIME_API",
            runtime.local_addr().unwrap().to_string(),
        )
        .env("AWS_LAMBDA_FUNCTION_NAME", "function")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_ACCESS_KEY_ID", "id")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .envs(variables.iter().copied())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let _function = ChildGuard(function);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(runtime.accept()));
    let accepted = receiver.recv_timeout(TIMEOUT);
    let (mut asked, _) = accepted
        .expect("the function requested no event: it reads the system's roots, or did not start")
        .unwrap();
    let mut line = [0; 36];
    asked.read_exact(&mut line).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&line),
        "GET /2018-06-01/runtime/invocation/n"
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Starts the binary without the runtime's own variables, for which the runtime panics, and without
/// the function's variables, for which it does not start. Each must log exactly one line.
pub(crate) fn logs_why_it_does_not_start(binary: &str, variables: &[(&str, &str)]) {
    assert!(log_of(binary, variables).contains(r#""message":"function panicked""#));
    let line = log_of(binary, &[]);
    for (name, _) in variables {
        assert!(line.contains(&format!("{name} is not set")), "{line}");
    }
}

/// Starts the binary with each of its addresses as plain http to another machine. It must not
/// start, and must name the variable.
pub(crate) fn refuses_plain_http(binary: &str, variables: &[(&str, &str)]) {
    let addresses = variables.iter().filter(|(_, value)| value.contains("://"));
    let mut names: Vec<_> = addresses.map(|(name, _)| *name).collect();
    // The lists of origins may be empty.
    for (sign, list) in [
        ("CONNECTION_SECRET_PREFIX", "ALLOWED_ORIGINS"),
        ("DELIVERIES_TABLE", "WEBHOOK_ORIGINS"),
    ] {
        names.extend(
            variables
                .iter()
                .any(|(name, _)| *name == sign)
                .then_some(list),
        );
    }
    assert!(!names.is_empty());
    names.push("AWS_ENDPOINT_URL");
    for name in names {
        let plain = [(name, "http://plain.example")];
        let line = log_of(binary, &[variables, &plain].concat());
        assert!(line.contains("function failed to start"), "{line}");
        assert!(line.contains(name), "{line}");
        let here = [(name, "http://127.0.0.1:8080")];
        let line = log_of(binary, &[variables, &here].concat());
        assert!(line.contains(r#""message":"function panicked""#), "{line}");
    }
}

/// Returns the one line that a binary logs that ends before its first event.
fn log_of(binary: &str, variables: &[(&str, &str)]) -> String {
    let own = [
        ("AWS_LAMBDA_FUNCTION_NAME", "function"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    let ended = Command::new(binary)
        .env_clear()
        .envs(own)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let [out, err] = [ended.stdout, ended.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(!ended.status.success(), "{out}");
    assert_eq!(err, "");
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(out.starts_with('{') && out.ends_with("}\n"), "{out}");
    assert!(out.contains(r#""level":"ERROR""#), "{out}");
    out
}
