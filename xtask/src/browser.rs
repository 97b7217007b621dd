//! A browser for the tests of the partner's page: headless Chromium, led through its WebDriver. What it looks at it also judges: nothing
//! wider than the window, no torn word, no faint text, a name for every control, nothing to complain about in the console.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;

use local_stack::emulator::{free_port, http_client};
use local_stack::environment;
use local_stack::process::{ProcessGroup, run_logged};
use local_stack::progress::{step, wait_for};

/// The programs, and what brings them on Debian and Ubuntu. Without a font every letter is a box.
const PROGRAMS: [&str; 2] = ["chromium", "chromedriver"];
const INSTALL: &str =
    "apt-get install -y --no-install-recommends chromium chromium-driver fonts-dejavu-core";

/// Nothing but the pages that it is led to: no first-run pages, no updates, nobody called. It runs as whoever runs the tests, root
/// included, and on machines with little shared memory. Its crash reporter leaves our process group and ends by itself within two
/// seconds of the browser; with the flag that would leave it out, pictures are never taken.
const FLAGS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
];

const READY_WITHIN: Duration = Duration::from_secs(30);
/// How long a page may take: the function behind it has 29 seconds.
const ANSWERED_WITHIN: Duration = Duration::from_secs(35);

/// A window's size.
#[derive(Debug, Clone, Copy)]
struct Screen {
    /// What its pictures' names end in.
    suffix: &'static str,
    width: u32,
    height: u32,
    is_phone: bool,
    is_dark: bool,
}

const DESKTOP: Screen = Screen {
    suffix: "",
    width: 1280,
    height: 900,
    is_phone: false,
    is_dark: false,
};
const DARK: Screen = Screen {
    suffix: "-dark",
    is_dark: true,
    ..DESKTOP
};
const PHONE: Screen = Screen {
    suffix: "-phone",
    width: 390,
    height: 844,
    is_phone: true,
    is_dark: false,
};

/// What came of a form that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Another page is shown, or this one anew.
    Led,
    /// The page says this beside the form.
    Refused(String),
}

/// A control of a form, found as the server will know it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    /// The selector of its form.
    pub(crate) form: &'a str,
    /// Its name.
    pub(crate) name: &'a str,
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"{} [name="{}"]"#, self.form, self.name)
    }
}

/// A line of the browser's console.
#[derive(Debug, Deserialize)]
struct Line {
    level: String,
    message: String,
}

/// Whether a form was answered; what the script below tells.
#[derive(Debug, Deserialize)]
struct Answer {
    /// The page on which it was sent is still there.
    same: bool,
    /// All of the page is there, and nothing is being sent.
    settled: bool,
    alert: Option<String>,
}

/// A running browser; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Browser {
    client: Client,
    http: reqwest::Client,
    /// The driver's address of this session, for what only Chromium's driver can do.
    session: String,
    screens: PathBuf,
    taken: usize,
    // The client says nothing more when they end.
    _driver: ProcessGroup,
    _scratch: Scratch,
}

/// The profile, and what Chromium keeps of a user and of a run; gone when it ends. Not in the repository's `target`: sockets are among
/// it, whose paths may not be long.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn new(port: u16) -> Result<Self> {
        let path = env::temp_dir().join(format!("ticketbridge-browser-{port}"));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left over takes some room in a folder for such things.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Sees that the browser is there; installs it where that is allowed.
///
/// # Errors
/// When it is not there, with the command that brings it.
pub(crate) async fn ready(folder: &Path) -> Result<()> {
    if missing().is_empty() {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        bail!(
            "{} must be installed; on Debian and Ubuntu: sudo {INSTALL}",
            missing().join(" and ")
        );
    }
    let install = async {
        for command in ["apt-get update", INSTALL] {
            let mut words = command.split(' ');
            let mut program = Command::new(words.next().unwrap_or_default());
            program.args(words).env("DEBIAN_FRONTEND", "noninteractive");
            run_logged(command, program, folder.join("apt.log")).await?;
        }
        Ok(())
    };
    step("installing Chromium (once)", install).await?;
    let missing = missing();
    ensure!(missing.is_empty(), "{INSTALL} brought no {missing:?}");
    Ok(())
}

fn missing() -> Vec<&'static str> {
    let is_missing = |name: &&str| !environment::is_on_path(name);
    PROGRAMS.into_iter().filter(is_missing).collect()
}

impl Browser {
    /// Starts one with a fresh profile. Its pictures go to `screens` in the folder.
    ///
    /// # Errors
    /// When a program is missing (`ready` brings it) or does not start.
    pub(crate) async fn open(folder: &Path) -> Result<Self> {
        ensure!(
            missing().is_empty(),
            "{} must be installed: `cargo xtask test` does it as root, or on Debian and Ubuntu: sudo {INSTALL}",
            missing().join(" and ")
        );
        let screens = folder.join("screens");
        fs::create_dir_all(&screens)?;
        let port = free_port()?;
        let scratch = Scratch::new(port)?;
        let driver = format!("http://127.0.0.1:{port}");
        let mut command = Command::new("chromedriver");
        command
            .env_clear()
            .envs(environment::bare_environment())
            .env("HOME", &scratch.0)
            .env("TMPDIR", &scratch.0)
            .arg(format!("--port={port}"));
        let log = folder.join("chromedriver.log");
        let mut running = ProcessGroup::start_logged("chromedriver", command, &log)?;
        let http = http_client()?;
        let status = format!("{driver}/status");
        wait_for("chromedriver", READY_WITHIN, async || {
            running.check_running(&log)?;
            let answer = http.get(&status).send().await;
            Ok(answer
                .is_ok_and(|answer| answer.status().is_success())
                .then_some(()))
        })
        .await?;
        let profile = format!("--user-data-dir={}", scratch.0.join("profile").display());
        let flags: Vec<_> = FLAGS.into_iter().chain([profile.as_str()]).collect();
        let capabilities = json!({
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": flags },
        });
        let Value::Object(capabilities) = capabilities else {
            bail!("capabilities are an object")
        };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&driver)
            .await
            .context("Chromium does not start")?;
        let id = client.session_id().await?.context("no session")?;
        let browser = Self {
            client,
            http,
            session: format!("{driver}/session/{id}"),
            screens,
            taken: 0,
            _driver: running,
            _scratch: scratch,
        };
        browser.resize(DESKTOP).await?;
        Ok(browser)
    }

    /// Opens an address.
    pub(crate) async fn go(&self, url: &str) -> Result<()> {
        let gone = self.client.goto(url).await;
        gone.with_context(|| format!("cannot open {url}"))
    }

    /// The address of the page that is shown.
    pub(crate) async fn address(&self) -> Result<String> {
        Ok(self.client.current_url().await?.to_string())
    }

    /// Waits until the page of this path is there.
    pub(crate) async fn arrive_at(&self, path: &str) -> Result<()> {
        wait_for(&format!("the page {path}"), ANSWERED_WITHIN, async || {
            let there = self.script("return [location.pathname, document.readyState]");
            // Between two pages there is none to ask.
            Ok(there
                .await
                .is_ok_and(|there| there == json!([path, "complete"]))
                .then_some(()))
        })
        .await
    }

    /// What a person reads on the page.
    pub(crate) async fn text(&self) -> Result<String> {
        let main = self.client.find(Locator::Css("main")).await?;
        Ok(main.text().await?)
    }

    /// Waits until a person can read this.
    pub(crate) async fn shows(&self, words: &str) -> Result<()> {
        wait_for(
            &format!("{words:?} on the page"),
            ANSWERED_WITHIN,
            async || {
                // Between two pages there is none to read.
                let text = self.text().await;
                Ok(text.is_ok_and(|text| text.contains(words)).then_some(()))
            },
        )
        .await
    }

    /// How many elements of the page are as the selector says.
    pub(crate) async fn count(&self, selector: &str) -> Result<usize> {
        Ok(self.client.find_all(Locator::Css(selector)).await?.len())
    }

    /// Writes into a field, in place of what was there.
    pub(crate) async fn fill(&self, field: Field<'_>, text: &str) -> Result<()> {
        let control = self.find(&field.to_string()).await?;
        control.clear().await?;
        control.send_keys(text).await?;
        Ok(())
    }

    /// Chooses one of what a field offers: of a list, or of buttons.
    pub(crate) async fn choose(&self, field: Field<'_>, value: &str) -> Result<()> {
        let button = format!(r#"{field}[type="radio"][value="{value}"]"#);
        if self.count(&button).await? > 0 {
            self.find(&button).await?.click().await?;
        } else {
            let list = self.find(&field.to_string()).await?;
            list.select_by_value(value)
                .await
                .with_context(|| format!("{field} does not offer {value:?}"))?;
        }
        Ok(())
    }

    /// Chooses of a list by a part of the words that a person reads.
    pub(crate) async fn choose_by_words(&self, field: Field<'_>, words: &str) -> Result<()> {
        let list = self.find(&field.to_string()).await?;
        for option in list.find_all(Locator::Css("option")).await? {
            if option.text().await?.contains(words) {
                option.click().await?;
                return Ok(());
            }
        }
        bail!("{field} does not offer {words:?}")
    }

    /// Sets a tick.
    pub(crate) async fn tick(&self, field: Field<'_>) -> Result<()> {
        let control = self.find(&format!(r#"{field}[type="checkbox"]"#)).await?;
        if !control.is_selected().await? {
            control.click().await?;
        }
        Ok(())
    }

    /// Presses a button, whatever comes of it.
    pub(crate) async fn click(&self, selector: &str) -> Result<()> {
        Ok(self.find(selector).await?.click().await?)
    }

    /// Follows a link or presses a button that leads to another page.
    pub(crate) async fn press(&self, selector: &str) -> Result<()> {
        self.mark(selector).await?;
        self.click(selector).await?;
        let sent = self.answered("body").await?;
        ensure!(sent == Sent::Led, "pressing {selector}: {sent:?}");
        Ok(())
    }

    /// Sends a form, by its selector; the page must take it.
    pub(crate) async fn send(&self, form: &str) -> Result<()> {
        match self.try_to_send(form).await? {
            Sent::Led => Ok(()),
            Sent::Refused(why) => bail!("the page refuses {form}: {why}"),
        }
    }

    /// Sends a form, whatever comes of it.
    pub(crate) async fn try_to_send(&self, form: &str) -> Result<Sent> {
        self.mark(form).await?;
        let button = format!("{form} button:not([type=button])");
        self.click(&button).await?;
        self.answered(form).await
    }

    /// Takes pictures of the page at both widths and in the dark, and says what is wrong with it.
    ///
    /// # Errors
    /// When something is (`faults.js`), or the console has something to say.
    pub(crate) async fn look(&mut self, name: &str) -> Result<()> {
        self.taken += 1;
        let mut wrong = self.complaints().await?;
        // The plain one last: it stays.
        for screen in [PHONE, DARK, DESKTOP] {
            self.resize(screen).await?;
            for err in self.faults(screen).await? {
                if !wrong.contains(&err) {
                    wrong.push(err);
                }
            }
            let picture = format!("{:02}-{name}{}.png", self.taken, screen.suffix);
            fs::write(self.screens.join(picture), self.picture().await?)?;
        }
        let address = self.address().await?;
        ensure!(
            wrong.is_empty(),
            "{address} ({name}):\n{}",
            wrong.join("\n")
        );
        Ok(())
    }

    /// Takes note that the server refused something, as it had to: the console says so too, and nothing else.
    ///
    /// # Errors
    /// When it says anything else, or nothing.
    pub(crate) async fn saw_refusal(&self, status: u16) -> Result<()> {
        let told = self.complaints().await?;
        let refusal = format!("the server responded with a status of {status}");
        ensure!(
            !told.is_empty() && told.iter().all(|line| line.contains(&refusal)),
            "not {refusal}, but: {told:?}"
        );
        Ok(())
    }

    /// What the console says since it was last asked.
    async fn complaints(&self) -> Result<Vec<String>> {
        let lines = self.driver("se/log", &json!({ "type": "browser" })).await?;
        let lines: Vec<Line> = serde_json::from_value(lines)?;
        // Below a warning there is advice, such as which fields a password manager would like to know.
        let counts = |line: &Line| matches!(line.level.as_str(), "SEVERE" | "WARNING");
        Ok(lines
            .into_iter()
            .filter(counts)
            .map(|line| format!("console: {}: {}", line.level, line.message))
            .collect())
    }

    async fn find(&self, selector: &str) -> Result<Element> {
        let found = self.client.wait().at_most(ANSWERED_WITHIN);
        let found = found.for_element(Locator::Css(selector)).await;
        found.with_context(|| format!("the page has no {selector}"))
    }

    /// Marks the page that is there, so that its answer is told from it; an earlier refusal is no answer to this.
    async fn mark(&self, selector: &str) -> Result<()> {
        self.find(selector).await?;
        let script = "window.marked = true;
            for (const alert of document.querySelectorAll('[role=alert]')) alert.hidden = true;";
        self.script(script).await?;
        Ok(())
    }

    async fn answered(&self, form: &str) -> Result<Sent> {
        let ask = format!(
            "const form = document.querySelector({form});
             const alert = [...form?.querySelectorAll('[role=alert]') ?? []].find((alert) => !alert.hidden);
             return {{
               same: window.marked === true,
               settled: document.readyState === 'complete' && !document.querySelector('[aria-busy]'),
               alert: alert?.textContent,
             }}",
            form = json!(form),
        );
        wait_for("an answer of the page", ANSWERED_WITHIN, async || {
            // Between two pages there is none to ask.
            let Ok(answer) = self.script(&ask).await else {
                return Ok(None);
            };
            let answer: Answer = serde_json::from_value(answer)?;
            Ok(match (answer.same, answer.settled, answer.alert) {
                (false, true, _) => Some(Sent::Led),
                (true, true, Some(why)) => Some(Sent::Refused(why)),
                _ => None,
            })
        })
        .await
    }

    async fn faults(&self, screen: Screen) -> Result<Vec<String>> {
        let script = format!(
            "const width = {}; {}",
            screen.width,
            include_str!("faults.js")
        );
        Ok(serde_json::from_value(self.script(&script).await?)?)
    }

    /// The whole page, as long as it is.
    async fn picture(&self) -> Result<Vec<u8>> {
        let taken = self
            .chromium(
                "Page.captureScreenshot",
                json!({ "captureBeyondViewport": true }),
            )
            .await?;
        let picture = taken["data"].as_str().context("no picture")?;
        Ok(STANDARD.decode(picture)?)
    }

    async fn resize(&self, screen: Screen) -> Result<()> {
        let metrics = json!({
            "width": screen.width,
            "height": screen.height,
            "deviceScaleFactor": 1,
            "mobile": screen.is_phone,
        });
        self.chromium("Emulation.setDeviceMetricsOverride", metrics)
            .await?;
        let scheme = if screen.is_dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.chromium("Emulation.setEmulatedMedia", media).await?;
        Ok(())
    }

    async fn script(&self, script: &str) -> Result<Value> {
        Ok(self.client.execute(script, Vec::new()).await?)
    }

    async fn chromium(&self, command: &str, parameters: Value) -> Result<Value> {
        let call = json!({ "cmd": command, "params": parameters });
        self.driver("goog/cdp/execute", &call).await
    }

    async fn driver(&self, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}/{path}", self.session);
        let answer = self.http.post(&url).json(body).send().await?;
        let status = answer.status();
        let mut said: Value = answer.json().await?;
        ensure!(status.is_success(), "chromedriver, {path}: {said}");
        Ok(said["value"].take())
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::header::CONTENT_SECURITY_POLICY;
    use axum::response::Html;
    use axum::routing::get;
    use tokio::net::TcpListener;

    use super::*;

    async fn serve(page: &'static str) -> String {
        let page = async move || {
            (
                [(
                    CONTENT_SECURITY_POLICY,
                    "default-src 'none'; style-src 'unsafe-inline'",
                )],
                Html(page),
            )
        };
        let router = Router::new().route("/", get(page));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await });
        url
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_page_is_told_and_pictures_are_taken() {
        let folder = local_stack::run_folder::RunFolder::create("browser-test").unwrap();
        let mut browser = Browser::open(folder.path()).await.unwrap();
        let good = "<!doctype html><html lang=en><meta name=viewport content='width=device-width'><title>t</title>
            <main><h1>A</h1><label>Name <input name=a></label> <button>Go</button></main>";
        browser.go(&serve(good).await).await.unwrap();
        browser.look("good").await.unwrap();

        let bad = "<!doctype html><html lang=en><meta name=viewport content='width=device-width'><title>t</title>
            <script>1</script>
            <main><input name=a><pre>a line that is not broken and that is far too long for the narrow window of a telephone</pre>
            <div style='width: 4ch; overflow-wrap: anywhere'>tenant</div><p style='color: #999'>pale</main>";
        browser.go(&serve(bad).await).await.unwrap();
        let told = browser.look("bad").await.unwrap_err().to_string();
        for err in [
            "Content Security Policy",
            "scrolls sideways",
            "wider than 390: <pre>",
            "no label: <input name=\"a\">",
            "0 main headings",
            "a torn word: tenant",
            "faint (2.8): pale",
        ] {
            assert!(told.contains(err), "{err} is not in {told}");
        }

        for name in ["01-good", "01-good-phone", "02-bad", "02-bad-phone"] {
            let picture = fs::read(folder.path().join(format!("screens/{name}.png"))).unwrap();
            assert!(picture.starts_with(b"\x89PNG"), "{name}");
        }
    }
}
