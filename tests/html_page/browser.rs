//! A headless Chromium, asked over its debugging pipe: no other program and no library stands between.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A browser with one empty page. It ends with the value.
pub(crate) struct Browser {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _profile: tempfile::TempDir,
    session: String,
    asked: u64,
    /// What pages complained about: the console, errors nobody caught, refusals by their policy.
    pub(crate) complaints: Vec<String>,
    /// What pages loaded.
    pub(crate) loaded: Vec<String>,
}

/// The browser's name, if there is one. Where everything must be there, its absence is a failure.
pub(crate) fn installed() -> Option<&'static str> {
    let found = NAMES.into_iter().find(|name| {
        let mut asked = Command::new(name);
        asked.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        asked.status().is_ok_and(|status| status.success())
    });
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "no Chromium: apt-get install chromium fonts-dejavu-core"
        );
        eprintln!("SKIPPED: no Chromium is installed, so no page was looked at");
    }
    found
}

impl Browser {
    pub(crate) fn start(name: &str) -> Self {
        let profile = tempfile::TempDir::new().unwrap();
        // It listens on the third and speaks on the fourth descriptor, which a shell can connect.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", name])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"])
            .args(["--hide-scrollbars", "--no-first-run", "--disable-dev-shm-usage"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut browser = Self {
            child,
            input,
            output: BufReader::new(output),
            _profile: profile,
            session: String::new(),
            asked: 0,
            complaints: Vec::new(),
            loaded: Vec::new(),
        };
        let page = browser.ask("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        let attached = browser.ask("Target.attachToTarget", attach);
        attached["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Opens an address in a window of this width, and waits until it is loaded.
    pub(crate) fn open(&mut self, address: &str, width: u32, dark: bool) {
        let metrics =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.ask("Emulation.setDeviceMetricsOverride", metrics);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.ask("Emulation.setEmulatedMedia", json!({ "features": features }));
        // Another fragment of one page would not load it again.
        for address in ["about:blank", address] {
            self.ask("Page.navigate", json!({ "url": address }));
            self.wait_for("Page.loadEventFired");
        }
    }

    /// Whether pages may run their scripts.
    pub(crate) fn scripts(&mut self, run: bool) {
        self.ask("Emulation.setScriptExecutionDisabled", json!({ "value": !run }));
    }

    /// The value of an expression in the page. The page's policy has no say in it.
    #[track_caller]
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true });
        let answer = self.ask("Runtime.evaluate", asked);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}\n{answer}");
        answer["result"]["value"].clone()
    }

    /// A picture of the window, as a PNG in base64.
    pub(crate) fn picture(&mut self) -> String {
        self.ask("Page.captureScreenshot", json!({}))["data"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.asked += 1;
        let mut asked = json!({ "id": self.asked, "method": method, "params": parameters });
        if !self.session.is_empty() {
            asked["sessionId"] = json!(self.session);
        }
        self.input.write_all(format!("{asked}\0").as_bytes()).unwrap();
        loop {
            let mut message = self.message();
            if message["id"] == self.asked {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
            self.note(&message);
        }
    }

    fn wait_for(&mut self, event: &str) {
        loop {
            let message = self.message();
            self.note(&message);
            if message["method"] == event {
                return;
            }
        }
    }

    fn message(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.output.read_until(0, &mut bytes).unwrap();
        assert_eq!(bytes.pop(), Some(0), "the browser ended");
        serde_json::from_slice(&bytes).unwrap()
    }

    fn note(&mut self, message: &Value) {
        let said = &message["params"];
        match message["method"].as_str().unwrap_or_default() {
            "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded" => {
                self.complaints.push(said.to_string());
            }
            "Network.requestWillBeSent" => {
                let address = said["request"]["url"].as_str().unwrap_or_default();
                self.loaded.push(address.to_owned());
            }
            _ => {}
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
