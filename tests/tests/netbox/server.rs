//! NetBox's server, and what a test asks of it beside what is tested.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command},
    time::Duration,
};

use fabric_tests::fabric::until;
use serde_json::{Value, json};
use ureq::{Agent, Body, http::Response};

/// Who owns everything in it.
const USER: &str = "admin";
const PASSWORD: &str = "known to everybody";
/// How long it takes to start beside much else.
const PATIENCE: Duration = Duration::from_secs(240);

/// A program of its own environment.
fn program(name: &str) -> Command {
    let mut command = Command::new(PathBuf::from("/opt/netbox/bin").join(name));
    command.env("DJANGO_SUPERUSER_PASSWORD", PASSWORD);
    command
}

/// A server of the one database. It goes with this value.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    agent: Agent,
}

impl Server {
    /// Starts one that gives no more rows at a time than this.
    pub(crate) fn start(port: u16, largest_page: u32) -> Self {
        Self::of(port, largest_page, &[])
    }

    /// Starts one that speaks TLS with this certificate and its key.
    pub(crate) fn with_tls(port: u16, certificate: &Path, key: &Path) -> Self {
        let [certificate, key] = [certificate, key].map(|path| path.display().to_string());
        Self::of(port, 1000, &["--certfile", &certificate, "--keyfile", &key])
    }

    fn of(port: u16, largest_page: u32, more: &[&str]) -> Self {
        let mut command = program("gunicorn");
        // Loaded before it listens, so that who can connect need not wait for that.
        command.args(["--preload", "--workers", "1", "--timeout", "120", "--log-level", "warning"]);
        command.args(["--bind", &format!("127.0.0.1:{port}")]).args(more).arg("netbox.wsgi");
        command.env("NETBOX_LARGEST_PAGE", largest_page.to_string());
        let child = command.spawn().expect("gunicorn starts");
        let scheme = if more.is_empty() { "http" } else { "https" };
        let config = Agent::config_builder().http_status_as_error(false).max_redirects(0);
        let config = config.proxy(None).timeout_global(Some(PATIENCE));
        let url = format!("{scheme}://127.0.0.1:{port}");
        let this = Self { child, url, agent: config.build().into() };
        until(PATIENCE, "NetBox answers", || match more.is_empty() {
            true => this.agent.get(this.at("login/")).call().is_ok_and(|got| got.status() == 200),
            false => std::net::TcpStream::connect(("127.0.0.1", port)).is_ok(),
        });
        this
    }

    fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.url)
    }

    /// A token of this version, which may only read or write as well.
    pub(crate) fn token(&self, version: u8, may_write: bool) -> String {
        let asked = json!({
            "username": USER, "password": PASSWORD, "version": version, "write_enabled": may_write
        });
        let made = document(self.send("POST", "users/tokens/provision", "", &asked));
        let text = |name: &str| made[name].as_str().expect("it says its token").to_owned();
        match version {
            1 => text("token"),
            _ => format!("nbt_{}.{}", text("key"), text("token")),
        }
    }

    /// Makes a row of a table, or several.
    pub(crate) fn make(&self, token: &str, table: &str, rows: &Value) -> Value {
        document(self.send("POST", table, token, rows))
    }

    /// Changes something.
    pub(crate) fn change(&self, token: &str, what: &str, to: &Value) {
        document(self.send("PATCH", what, token, to));
    }

    /// A page of a table: the headers that say of which kind and version it is, and the document.
    pub(crate) fn page(&self, token: &str, table: &str, query: &str) -> (Value, Value) {
        let request = self.agent.get(self.at(&format!("api/{table}/?{query}")));
        let request = request.header("authorization", format!("Bearer {token}"));
        let answer = request.call().expect("NetBox answers");
        let header = |name: &str| answer.headers()[name].to_str().expect("it is text").to_owned();
        let names = ["api-version", "content-type"];
        let headers = names.map(|name| (name.to_owned(), header(name).into()));
        (Value::Object(headers.into_iter().collect()), document(answer))
    }

    fn send(&self, method: &str, table: &str, token: &str, body: &Value) -> Response<Body> {
        let address = self.at(&format!("api/{table}/"));
        let request = match method {
            "PATCH" => self.agent.patch(address),
            _ => self.agent.post(address),
        };
        let request = match token.is_empty() {
            true => request,
            false => request.header("authorization", format!("Bearer {token}")),
        };
        let request = request.header("content-type", "application/json");
        request.send(body.to_string()).expect("NetBox answers")
    }

    /// Logs in as somebody at a browser.
    pub(crate) fn session(&self) -> Session<'_> {
        let mut page = self.agent.get(self.at("login/")).call().expect("there is a page");
        let first = cookies(&page);
        let text = page.body_mut().read_to_string().expect("it is text");
        let (_, rest) = text
            .split_once("name=\"csrfmiddlewaretoken\" value=\"")
            .expect("the form has its secret");
        let secret = rest.split('"').next().unwrap_or_default();
        let form = [("csrfmiddlewaretoken", secret), ("username", USER), ("password", PASSWORD)];
        let request = self.agent.post(self.at("login/"));
        let request = request.header("cookie", first).header("referer", self.at("login/"));
        let answer = request.send_form(form).expect("NetBox answers");
        assert_eq!(answer.status(), 302, "it lets {USER} in");
        Session { server: self, cookies: cookies(&answer) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _gone = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ended = self.child.wait();
    }
}

/// What a browser has of NetBox.
pub(crate) struct Session<'a> {
    server: &'a Server,
    cookies: String,
}

impl Session<'_> {
    /// The export of a list, as behind its button.
    pub(crate) fn export(&self, list: &str, query: &str) -> String {
        let address = self.server.at(&format!("{list}/?{query}"));
        let request = self.server.agent.get(address).header("cookie", &self.cookies);
        let mut answer = request.call().expect("NetBox answers");
        assert_eq!(answer.status(), 200, "{list} can be exported");
        answer.body_mut().with_config().limit(64 << 20).read_to_string().expect("it is text")
    }
}

fn cookies(answer: &Response<Body>) -> String {
    let all = answer.headers().get_all("set-cookie").iter();
    let pairs = all.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    pairs.collect::<Vec<_>>().join("; ")
}

fn document(mut answer: Response<Body>) -> Value {
    let text = answer.body_mut().read_to_string().expect("it is text");
    assert!(answer.status().is_success(), "NetBox says {}: {text}", answer.status());
    serde_json::from_str(&text).expect("it is JSON")
}

/// Makes the user that everything belongs to.
pub(crate) fn make_user() {
    let mut command = program("netbox");
    command.args(["createsuperuser", "--no-input", "--username", USER]);
    command.args(["--email", "admin@netbox.example"]);
    assert!(command.status().expect("it starts").success(), "the user can be made");
}

/// Runs a piece of Python within NetBox, for what its API takes long for.
pub(crate) fn run_within(python: &str) {
    let mut command = program("netbox");
    command.args(["shell", "--command", python]);
    assert!(command.status().expect("it starts").success(), "NetBox runs {python}");
}
