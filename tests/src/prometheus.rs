//! Debian's Prometheus and promtool, as `cargo xtask setup` unpacks them, and a Prometheus that scrapes.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::Result;
use fabric_user::lab::netns::Netns;
use serde_json::Value;

use crate::{
    fabric::{PATIENCE, until},
    scrape::get,
};

/// Where it answers.
const PORT: u16 = 9090;

/// A program of the package.
///
/// # Panics
/// If it is not there.
#[must_use]
pub fn tool(name: &str) -> PathBuf {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|it| it.join(".cache")));
    let path = cache.expect("there is a cache folder").join("fabric/prometheus/usr/bin").join(name);
    assert!(path.is_file(), "{} is missing; run `cargo xtask setup`", path.display());
    path
}

/// What `promtool` says, and whether it is content.
#[must_use]
pub fn promtool(arguments: &[&str], input: Stdio) -> (bool, String) {
    let mut command = Command::new(tool("promtool"));
    let output = command.args(arguments).stdin(input).output().expect("promtool can be run");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// Whom a Prometheus scrapes, and how it calls it.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Address and port.
    pub address: &'a str,
    /// The label `instance`.
    pub instance: &'a str,
}

/// A Prometheus that scrapes every two seconds, from a namespace. It goes with this value.
#[derive(Debug)]
pub struct Prometheus {
    netns: Netns,
    child: Child,
}

impl Prometheus {
    /// Starts one, which keeps its data in `folder`, and waits until it has scraped all `targets`.
    #[must_use]
    pub fn scraping(netns: &Netns, targets: &[Target<'_>], rules: &Path, folder: &Path) -> Self {
        let configs = targets.iter().map(|Target { address, instance }| {
            format!("{{targets: ['{address}'], labels: {{instance: '{instance}'}}}}")
        });
        let settings = format!(
            "global: {{scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 2s}}\n\
             rule_files: [{}]\n\
             scrape_configs: [{{job_name: fabric, static_configs: [{}]}}]\n",
            rules.display(),
            configs.collect::<Vec<_>>().join(", ")
        );
        let file = folder.join("prometheus.yml");
        fs::write(&file, settings).expect("the folder can be written");
        let log = fs::File::create(folder.join("prometheus.log")).expect("as above");
        let mut command = Command::new(tool("prometheus"));
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("prometheus").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{PORT}"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = netns.enter(|| command.spawn()).expect("the namespace exists");
        let this = Self { netns: netns.clone(), child: child.expect("Prometheus can be started") };
        until(PATIENCE, "Prometheus has scraped", || {
            let up = this.query("up{job=\"fabric\"} == 1").unwrap_or_default();
            up.len() == targets.len()
        });
        this
    }

    /// What it answers below `/api/v1/`.
    ///
    /// # Errors
    /// If it does not, or if what is asked is wrong.
    pub fn ask(&self, path: &str) -> Result<Value> {
        let text = get(&self.netns, PORT, &format!("/api/v1/{path}"), "application/json")?;
        let answer: Value = serde_json::from_str(&text)?;
        anyhow::ensure!(answer["status"] == "success", "{answer}");
        Ok(answer["data"].clone())
    }

    /// The series that an expression gives at this moment.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn query(&self, expression: &str) -> Result<Vec<Value>> {
        let data = self.ask(&format!("query?query={}", escaped(expression)))?;
        Ok(data["result"].as_array().cloned().unwrap_or_default())
    }

    /// The series that it gave every `step` seconds between two times, in seconds since 1970.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn query_range(
        &self,
        expression: &str,
        (start, end): (f64, f64),
        step: u32,
    ) -> Result<Vec<Value>> {
        let query = escaped(expression);
        let path = format!("query_range?query={query}&start={start}&end={end}&step={step}");
        Ok(self.ask(&path)?["result"].as_array().cloned().unwrap_or_default())
    }
}

/// As it may stand in a URL.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    let escape = |byte| if plain(byte) { char::from(byte).into() } else { format!("%{byte:02X}") };
    text.bytes().map(escape).collect()
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
